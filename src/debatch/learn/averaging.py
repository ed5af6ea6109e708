"""SWAD (Cha et al. 2021): the mean of a network's weights over the steps at which its validation loss is low."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from debatch.config.recipe import Recipe, Swad
from debatch.errors import DataError
from debatch.learn.data import TrainingData
from debatch.screen.order import nearly_equal_groups


class _Mean:
    """A running mean of weights."""

    def __init__(self, like: Sequence[Tensor]) -> None:
        self.weights = [torch.zeros_like(weight, memory_format=torch.preserve_format) for weight in like]
        self.steps = 0

    @torch.no_grad()
    def add(self, weights: Sequence[Tensor], steps: int = 1) -> None:
        """Some weights, the mean of so many steps."""
        self.steps += steps
        torch._foreach_lerp_(self.weights, list(weights), steps / self.steps)


class LossValley:
    """Finds where the validation loss is low, and keeps the mean of the weights of all steps in there.

    Steps are taken together between two looks at the loss. The valley begins at a look whose loss the next ones, as
    many as `settle` less one, do not undercut. It ends before the first of `leave` looks in a row whose losses are all
    above the mean loss of its first `settle` looks by more than `tolerance`.

    Args:
        network: that learns.
        settings: of the recipe.

    Attributes:
        losses: of all looks.

    Source: Cha et al. 2021, algorithm 1.
    """

    def __init__(self, network: nn.Module, settings: Swad) -> None:
        self.network, self.settings = network, settings
        self.losses: list[float] = []
        self.first: int | None = None  # look of the valley
        self.over = False
        self.limit = float("inf")
        self._between = _Mean(self._weights())
        # those that it is not yet known of whether the valley holds them
        self._waiting: deque[_Mean] = deque()
        self._kept = _Mean(self._weights())

    @property
    def due(self) -> bool:
        """Whether it is time to look at the loss."""
        return self._between.steps == self.settings.every

    def after_step(self) -> None:
        """Take the weights after a step."""
        self._between.add(self._weights())

    def look(self, loss: float) -> None:
        """Judge the steps since the last look by the validation loss after them."""
        self.losses.append(loss)
        if not self.over:
            self._waiting.append(self._between)
            self._judge()
        self._between = _Mean(self._weights())

    @torch.no_grad()
    def finish(self) -> None:
        """Give the network the mean of the valley: to the last step, where it has no end.

        Where it has no beginning, as the loss fell to the last look, it is the mean of the steps before that look.
        """
        mean = self._kept
        if self.first is None:
            mean = self._waiting[-1] if self._waiting else self._between
        elif not self.over:
            for some in (*self._waiting, self._between):
                if some.steps:
                    mean.add(some.weights, some.steps)
        if mean.steps:
            torch._foreach_copy_(self._weights(), mean.weights)

    def state_dict(self) -> dict[str, Any]:
        """All that it needs to go on."""
        means = [self._between, self._kept, *self._waiting]
        return {
            "losses": self.losses,
            "first": self.first,
            "over": self.over,
            "limit": self.limit,
            "means": [[weight.cpu() for weight in mean.weights] for mean in means],
            "steps": [mean.steps for mean in means],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another one stood."""
        self.losses, self.first = list(state["losses"]), state["first"]
        self.over, self.limit = state["over"], state["limit"]
        means = []
        for weights, steps in zip(state["means"], state["steps"], strict=True):
            mean = _Mean(self._weights())
            torch._foreach_copy_(mean.weights, weights)
            mean.steps = steps
            means.append(mean)
        self._between, self._kept, *waiting = means
        self._waiting = deque(waiting)

    def _weights(self) -> list[Tensor]:
        return [weight.detach() for weight in self.network.parameters()]

    def _judge(self) -> None:
        settle, leave = self.settings.settle, self.settings.leave
        if self.first is None:
            last = self.losses[-settle:]
            if len(self._waiting) > settle:
                self._waiting.popleft()
            if len(last) == settle and min(last) == last[0]:
                self.first = len(self.losses) - settle
                self.limit = float(np.mean(last)) * (1 + self.settings.tolerance)
            return
        if len(self.losses) - self.first >= leave and min(self.losses[-leave:]) > self.limit:
            self.over = True
            self._keep(len(self._waiting) - leave)
            self._waiting.clear()
        else:  # the last ones may turn out to be beyond its end
            self._keep(len(self._waiting) - leave + 1)

    def _keep(self, count: int) -> None:
        for _ in range(count):
            some = self._waiting.popleft()
            self._kept.add(some.weights, some.steps)


def cut_off(
    data: TrainingData, together: np.ndarray, recipe: Recipe, seed: int, name: str
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Positions (M,) of the images that are learned from, and of groups of those that only tell the validation loss.

    Those are a share of each label's wells, at random; none, where the recipe averages no weights.

    Args:
        data: N training images.
        together: (N,) a number that the images of a group share.
        recipe: of the run.
        seed: of the run.
        name: of the run, in the message.

    Raises:
        DataError: no two images are left for the loss.
    """
    if recipe.swad is None:
        return np.arange(len(data.rows)), []
    wells = data.rows.groupby(["experiment", "plate", "well"], sort=True).ngroup().to_numpy()
    generator, chosen = np.random.default_rng([seed, 4]), []
    for label in np.unique(data.labels):
        own = generator.permutation(np.unique(wells[data.labels == label]))
        chosen += own[: round(recipe.swad.validation * len(own))].tolist()
    held = np.isin(wells, chosen)
    kinds = [np.flatnonzero(held & (together == kind)) for kind in np.unique(together[held])]
    # one that stands alone has no statistics
    groups = [group for own in kinds for group in nearly_equal_groups(own, recipe.group) if len(group) > 1]
    if not groups:
        raise DataError(
            f"{name}: no two training images are held out for the validation loss; raise `swad.validation` "
            f"({recipe.swad.validation:g} of each label's wells), or leave `swad` out"
        )
    return np.flatnonzero(~held), groups
