"""The training loop: one for all recipes."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from debatch.config.recipe import Recipe
from debatch.errors import DataError
from debatch.learn.averaging import LossValley, cut_off
from debatch.learn.collapse import collapse_of
from debatch.learn.data import TrainingData
from debatch.learn.groups import epoch_steps, steps_in_epoch
from debatch.learn.identity import run_identity
from debatch.learn.objectives import Progress, Step, objective_of
from debatch.learn.optimizer import build_optimizer, build_schedule, clip_gradients, set_weight_decay
from debatch.model.inputs import Group, ImageSet
from debatch.model.network import Network
from debatch.model.population import normalizing_by_group, set_population_statistics, without_running_averages
from debatch.model.precision import arithmetic
from debatch.runtime.checkpoint import load_checkpoint, save_checkpoint
from debatch.runtime.pauses import Due, OutOfTimeError, Pauses
from debatch.runtime.ranks import ALONE, Ranks, sum_gradients
from debatch.runtime.starts import start_record
from debatch.screen.order import hash_order
from debatch.tabular import write_frame

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingFiles:
    """Where a run writes as it goes: siblings of its one declared output, so that a failed job keeps them.

    Attributes:
        history: a row an epoch.
        checkpoint: all that is needed to go on.
        snapshot: keeps the weights after an epoch for later looks; called every `snapshot_every` epochs but the last.
    """

    history: Path
    checkpoint: Path
    snapshot: Callable[[int, Network], None] | None = None


@dataclass(frozen=True)
class _Begun:
    """What an epoch has done so far: each step's sums, and the time that it took."""

    by_step: list[Tensor] = field(default_factory=list)
    seconds: float = 0.0


class Trainer:
    """Trains one objective on one set of images, alone or as one of several processes that deal each step's groups.

    All randomness comes from (seed, step, the group's place in its step), none from what ran before or from which
    process computes: a run that was killed and goes on from its checkpoint ends as one that was not.

    Args:
        name: of the run, in messages.
        made_from: what it is made from beside recipe, data and seed, as JSON takes it: part of its identity.

    Attributes:
        precision: the arithmetic that the recipe comes to on this device.
        history: a row an epoch.
        starts: the starts that its weights come from, this one the last: when, and by what.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        images: ImageSet,
        seed: int,
        name: str,
        ranks: Ranks = ALONE,
        made_from: Mapping[str, Any] | None = None,
    ) -> None:
        self.recipe, self.data, self.images, self.seed, self.name = recipe, data, images, seed, name
        self.device, self.ranks, self.made_from = images.device, ranks, made_from or {}
        self.precision = arithmetic(recipe.precision, self.device)
        self.together = self._may_stand_together()
        self.learned_from, self.validation = cut_off(data, self.together, recipe, seed, name)
        self._refuse_lonely_images()
        kind = objective_of(recipe)
        kind.require_usable(recipe, data, name)
        torch.manual_seed(seed)
        objective = kind(recipe, images.channel_sets, data, self.precision)
        self.objective = objective.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = build_optimizer(self.objective.parameter_groups(), recipe)
        self.valley = LossValley(self.network, recipe.swad) if recipe.swad else None
        self.epoch_steps = steps_in_epoch(len(self.learned_from), recipe.group, recipe.groups_per_step)
        self.steps = recipe.epochs * self.epoch_steps
        warmup_steps = round(recipe.warmup_epochs * self.epoch_steps)
        self.schedule = build_schedule(self.optimizer, recipe, self.steps, warmup_steps)
        self.history: list[dict[str, float]] = []
        self.starts: list[dict[str, Any]] = [start_record(self.device, ranks.count)]

    def fit(self, files: TrainingFiles, pauses: Pauses | None = None) -> pd.DataFrame:
        """Train to the last epoch, from the last checkpoint where there is one.

        Args:
            files: where it writes.
            pauses: when it saves within an epoch, and leaves; None: as they are without a time limit.

        Returns:
            The history, a row an epoch.

        Raises:
            DataError: the loss is no longer a number.
            OutOfTimeError: its time limit is near; the checkpoint is of its last step.
            OSError: a checkpoint that is there cannot be read, or none can be written.
        """
        pauses = pauses or Pauses()
        begun = self._restore(files.checkpoint)

        def pause(so_far: _Begun) -> None:
            due = self.ranks.from_first(pauses.due)
            if due == Due.NOTHING:
                return
            self._require_finite(so_far.by_step)
            self._save(files.checkpoint, so_far)
            pauses.saved()
            if due == Due.LEAVE:
                raise self._out_of_time(len(self.history) + 1, len(so_far.by_step))

        for epoch in range(len(self.history), self.recipe.epochs):
            self.history.append(self._train_epoch(epoch, begun, pause))
            begun = _Begun()
            self._require_agreement()
            if self.ranks.first:
                write_frame(pd.DataFrame(self.history), files.history)
                self._keep_snapshot(files, epoch + 1)
            self._save(files.checkpoint, begun)
            pauses.saved()
            log.info("%s: %s", self.name, self._epoch_line())
            self._warn_of_collapse()
            # an epoch of one step has no pause within
            if epoch + 1 < self.recipe.epochs and self.ranks.from_first(pauses.must_leave):
                raise self._out_of_time(epoch + 1, self.epoch_steps)
        if not self.recipe.epochs:
            log.info("%s: not trained (`epochs: 0`)", self.name)
        if self.valley is not None:
            self.valley.finish()
        self.set_training_statistics()
        return pd.DataFrame(self.history)

    def _out_of_time(self, epoch: int, step: int) -> OutOfTimeError:
        return OutOfTimeError(
            f"{self.name}: its time limit is near: saved in epoch {epoch} of {self.recipe.epochs}, after step {step} "
            f"of {self.epoch_steps}; run it again and it goes on from there, or give it more time (`compute.runtime`)"
        )

    def set_training_statistics(self) -> None:
        """Put the training images' population statistics into the network, so that its weights are usable alone."""
        order = hash_order(self.images.rows["image_id"])[: self.recipe.statistics_images]
        groups = self.images.groups(self.ranks.share(self.images.cut(order, self.recipe.group)))
        standardized = ((group.standardized(self.recipe.pixels), group.channels) for group in groups)
        set_population_statistics(self.network, standardized, self.ranks.sum_)

    def _keep_snapshot(self, files: TrainingFiles, epochs: int) -> None:
        every = self.recipe.snapshot_every
        if files.snapshot is not None and every and epochs % every == 0 and epochs < self.recipe.epochs:
            files.snapshot(epochs, self.network)

    def _refuse_lonely_images(self) -> None:
        """An image that no other may stand with has no statistics."""
        _, first, counts = np.unique(self.together[self.learned_from], return_index=True, return_counts=True)
        at = self.learned_from[first[counts.argmin()]]
        if counts.min() >= 2:
            return
        if self._adaptive:
            raise DataError(
                f"{self.name}: the batch {self.data.batch_names[self.data.batches[at]]} has a single training image; "
                "batch normalization by batch needs at least two: leave it out by `metadata.select`, or choose larger "
                "batches"
            )
        if len(counts) > 1:
            raise DataError(
                f"{self.name}: the part {self.images.rows['part'].iloc[at]} has a single training image; batch "
                "normalization needs at least two: leave that part out of `parts`"
            )

    def _may_stand_together(self) -> np.ndarray:
        """(N,) a number that the images of a group share: of their part, under AdaBN of their part and batch."""
        batches = self.data.batches if self._adaptive else np.zeros(len(self.images), np.int64)
        return np.unique(np.stack([self.images.parts, batches]), axis=1, return_inverse=True)[1].ravel()

    @property
    def network(self) -> Network:
        """What the run's weights are of."""
        network: Network = self.objective.network
        return network

    @property
    def _adaptive(self) -> bool:
        return self.recipe.batch_norm == "adaptive"

    def _train_epoch(self, epoch: int, begun: _Begun, pause: Callable[[_Begun], None]) -> dict[str, float]:
        started = time.perf_counter() - begun.seconds
        self.objective.train()
        recipe = self.recipe
        dealt = epoch_steps(self.together[self.learned_from], recipe.group, recipe.groups_per_step, self.seed, epoch)
        steps = [[self.learned_from[group] for group in step] for step in dealt]
        by_step = list(begun.by_step)
        left = list(enumerate(steps))[len(by_step) :]
        stream = self.images.groups(self._reads(epoch, left))
        rate = 0.0
        with without_running_averages(self.objective):
            for at, step_groups in left:
                step = epoch * self.epoch_steps + at
                rate = float(self.schedule.get_last_lr()[0])
                by_step.append(self._take_step(step, step_groups, stream))
                self._average()
                if at + 1 < len(steps):
                    pause(_Begun(by_step, time.perf_counter() - started))
        # looked at once an epoch: to ask the device after each step would make it wait
        self._require_finite(by_step)
        sums = torch.stack(by_step).sum(dim=0)
        seconds = time.perf_counter() - started
        means = (sums / len(self.learned_from)).tolist()
        looked = {"validation_loss": self.valley.losses[-1]} if self.valley and self.valley.losses else {}
        return {
            "epoch": epoch + 1,
            **dict(zip(self.objective.columns, means, strict=True)),
            **looked,
            "learning_rate": rate,
            "images_per_second": len(self.learned_from) / seconds,
            "seconds": seconds,
        }

    def _reads(self, epoch: int, steps: list[tuple[int, list[np.ndarray]]]) -> Iterator[np.ndarray]:
        """What this process reads for its share of some steps' groups, in their order."""
        for at, groups in steps:
            for place in self.ranks.share(range(len(groups))):
                seed = _stream(self.seed, epoch * self.epoch_steps + at, place)
                yield self.objective.reads(groups[place], np.random.default_rng([seed, 3]))

    def _require_finite(self, by_step: list[Tensor]) -> None:
        finite = torch.isfinite(torch.stack(by_step)[:, 0])
        if not bool(finite.all()):
            step = int((~finite).nonzero()[0]) + 1
            raise DataError(
                f"{self.name}: the loss is not a number in epoch {len(self.history) + 1} from step {step} of "
                f"{self.epoch_steps} on; the last good checkpoint is kept; try a smaller learning rate"
            )

    def _take_step(self, step: int, groups: list[np.ndarray], stream: Iterator[Group]) -> Tensor:
        """One optimizer step on the mean of its groups' gradients; the sums of the objective's columns.

        Args:
            step: of the run.
            groups: positions of all groups of the step.
            stream: gives this process's share of them, in their order.
        """
        self.optimizer.zero_grad(set_to_none=True)
        columns = self.objective.columns
        sums = torch.zeros(len(columns), dtype=torch.float64, device=self.device)
        batches = {int(batch) for positions in groups for batch in self.data.batches[positions]}
        progress = Progress(step / self.steps, len(batches))
        for place in self.ranks.share(range(len(groups))):
            group = next(stream)
            assert np.array_equal(group.positions[: len(groups[place])], groups[place])
            # the global stream serves layers such as dropout, the generator serves augmentation
            torch.manual_seed(_stream(self.seed, step, place))
            generator = torch.Generator().manual_seed(_stream(self.seed, step, place) + 1)
            part = self._group_step(group, generator, progress)
            penalty = self.objective.penalty()
            loss = part.loss if penalty is None else part.loss + penalty
            (loss / len(groups)).backward()
            sums += torch.stack([part.sums[name].double() for name in columns])
        sum_gradients(self.objective.parameters(), self.ranks)
        clip_gradients(self.optimizer, self.recipe)
        set_weight_decay(self.optimizer, self.recipe, progress.share)
        self.optimizer.step()
        self.schedule.step()
        self.objective.after_step(progress, self.ranks)
        return self.ranks.sum_(sums)

    def _group_step(self, group: Group, generator: torch.Generator, progress: Progress) -> Step:
        if self._adaptive:  # a group of two batches would quietly train another method
            assert len(set(self.data.batches[group.positions])) == 1
        step: Step = self.objective(self.objective.views(group, generator), group, progress)
        return step

    def _average(self) -> None:
        """Take the weights after a step, and look at the validation loss where it is time, as SWAD does."""
        if self.valley is None:
            return
        self.valley.after_step()
        if self.valley.due:
            self.valley.look(self._validation_loss())

    def _validation_loss(self) -> float:
        """The mean loss of the images that are held out; each group is normalized by itself, as in training."""
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        mine = list(self.ranks.share(range(len(self.validation))))
        self.objective.eval()
        with torch.no_grad(), normalizing_by_group(self.network):
            groups = self.images.beside().groups(self.validation[place] for place in mine)
            for place, group in zip(mine, groups, strict=True):
                # the same views at each look
                step = self._group_step(group, torch.Generator().manual_seed(place), Progress(1.0, 1))
                sums[0] += step.sums[self.objective.columns[0]]
                sums[1] += len(group.positions)
        self.objective.train()
        total, count = self.ranks.sum_(sums).tolist()
        return total / count

    def _epoch_line(self) -> str:
        last, done = self.history[-1], len(self.history)
        left = (self.recipe.epochs - done) * last["seconds"]
        shares = "".join(f"{name} {100 * last[name]:.1f} %  " for name in self.objective.logged)
        return (
            f"epoch {done}/{self.recipe.epochs}  loss {last['loss']:.3f}  {shares}"
            f"{last['images_per_second']:.0f} images/s  {int(left // 3600)}:{int(left % 3600 // 60):02d}:"
            f"{int(left % 60):02d} left"
        )

    def _warn_of_collapse(self) -> None:
        """Once it has had time to begin, and again where it is over."""
        reason = collapse_of(self.history[-1])
        if reason and len(self.history) in (max(1, self.recipe.epochs // 4), self.recipe.epochs):
            log.warning("%s: collapsed in epoch %d: %s", self.name, len(self.history), reason)

    @cached_property
    def identity(self) -> str:
        """Of the run: a checkpoint of another one is not gone on from."""
        return run_identity(self.recipe, self.seed, self.objective, self.data, self.images, self.made_from)

    def _save(self, path: Path, begun: _Begun) -> None:
        if not self.ranks.first:
            return
        state = {
            "identity": self.identity,
            "precision": self.precision,
            "by_step": [sums.cpu() for sums in begun.by_step],
            "seconds": begun.seconds,
            "objective": self.objective.state_dict(),
            "valley": self.valley.state_dict() if self.valley else None,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "starts": self.starts,
        }
        save_checkpoint(path, state)

    def _restore(self, path: Path) -> _Begun:
        """Where to go on: every process from the first one's checkpoint, or from its fresh weights."""
        state = self.ranks.from_first(lambda: load_checkpoint(path, self.identity, self.precision))
        begun = _Begun()
        if state is not None:
            self.objective.load_state_dict(state["objective"])
            if self.valley:
                self.valley.load_state_dict(state["valley"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.history = list(state["history"])
            self.starts = [*state["starts"], *self.starts]
            begun = _Begun([sums.to(self.device) for sums in state["by_step"]], state["seconds"])
            within = f", step {len(begun.by_step)} of the next" if begun.by_step else ""
            log.info("%s: goes on after epoch %d of %d%s", self.name, len(self.history), self.recipe.epochs, within)
        else:
            weights = self.recipe.weights
            log.info("%s: starts from %s", self.name, f"the weights of {weights}" if weights else "scratch")
        self.ranks.copy_from_first(self.objective.state_dict().values())
        self._require_agreement()
        return begun

    def _require_agreement(self) -> None:
        """One process's checkpoint is of all only as long as their weights are the same to the bit."""
        if self.ranks.count == 1:
            return
        digest = hashlib.sha256(str(len(self.history)).encode())
        for tensor in self.objective.state_dict().values():
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        if not self.ranks.agree(digest.hexdigest()):
            raise DataError(
                f"{self.name}: the weights on its {self.ranks.count} devices are no longer the same after epoch "
                f"{len(self.history)}: one of them computes wrongly, or they are of different kinds; the last good "
                "checkpoint is kept; try `compute.gpus: 1`"
            )


def _stream(seed: int, step: int, group: int) -> int:
    """A seed for a group's random numbers, unrelated to its neighbours'."""
    digest = hashlib.blake2b(f"{seed}/{step}/{group}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "little")
