"""What DINO and BYOL share: a teacher that follows the student, views of an image and of its partner, Barlow's loss."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from debatch.config.base import height_and_width
from debatch.config.objectives import SelfSupervised as Settings
from debatch.config.recipe import Arithmetic, Recipe
from debatch.errors import ConfigError, DataError
from debatch.learn.augment import unmixed
from debatch.learn.crops import cut, random_window
from debatch.learn.data import TrainingData
from debatch.learn.objectives.base import Step
from debatch.learn.objectives.classification import classification_loss
from debatch.learn.objectives.labelled import Labelled
from debatch.learn.objectives.partners import Partners
from debatch.model.inputs import Group
from debatch.model.network import encoded
from debatch.model.stems import ChannelSets

BARLOW_DIAGONAL, BARLOW_OTHERS = 0.05, 0.95  # released code of CDCL
# what the released code divides the loss by: its value where the diagonal is 0 and the rest 0.1
BARLOW_SCALE = BARLOW_DIAGONAL + BARLOW_OTHERS * 0.01
Drawn = tuple[tuple[int, int], Sequence[float]]  # of a view: its size, and the least and largest share of the area


class SelfSupervised(Labelled):
    """Both heads read embeddings and pass no gradient on: the class head says what a linear classifier makes of them.

    A group's images are its own, and behind them a partner of each where the recipe asks for partners.
    """

    columns: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "batch_accuracy", "embedding_sd", "effective_rank")
    measuring = ("class_head", "batch_head")
    settings: Settings

    def __init__(self, recipe: Recipe, channels: ChannelSets, data: TrainingData, precision: Arithmetic) -> None:
        super().__init__(recipe, channels, data, precision)
        rule = self.settings.partner
        self.partners = None if rule == "none" else Partners(data.rows, rule)
        self.dihedral = recipe.augmentation == "dihedral"
        self.view_size = (
            recipe.size if self.settings.view_pixels is None else height_and_width(self.settings.view_pixels)
        )
        self.require_takes(self.view_size, "view_pixels", channels)

    def require_takes(self, size: tuple[int, int], key: str, channels: ChannelSets) -> None:
        """Refuse views of another size than the network's input where it takes no other, or none so small."""
        backbone = self.network.backbone
        if size == self.recipe.size:
            return
        try:
            with torch.no_grad():
                encoded(backbone.eval(), torch.zeros(1, len(channels[0]), *size), channels[0])
        except (AssertionError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"objective: the backbone {self.recipe.backbone!r} does not take views of {size[0]} x {size[1]} pixels "
                f"({str(error).splitlines()[0]}); give `{key}` the size of `pixels`, or choose another backbone"
            ) from None
        backbone.train()

    @staticmethod
    def require_usable(recipe: Recipe, data: TrainingData, name: str) -> None:
        """Partners of other batches need batches, and perturbations that are in two."""
        if recipe.batch_norm == "adaptive":
            raise DataError(
                f"{name}: groups of one batch (`batch_norm: adaptive`) hold no partners of other batches, and a "
                "teacher would follow statistics of one; leave `batch_norm` out under the objective "
                f"{recipe.objective.kind!r}"
            )
        assert isinstance(recipe.objective, Settings)
        if recipe.objective.partner == "other_batch":
            if len(data.batch_names) < 2:
                raise DataError(
                    f"{name}: partners of other batches (`partner: other_batch`) need training images of two batches"
                )
            if not Partners(data.rows, "other_batch").by_rule:
                raise DataError(
                    f"{name}: no training image has one of its perturbation and cell type in another batch, as "
                    "`partner: other_batch` asks for; take `any_batch` or `none`"
                )

    def reads(self, positions: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A group's images, and behind them their partners."""
        if self.partners is None:
            return positions
        return np.concatenate([positions, self.partners.draw(positions, generator)])

    def halves(self, group: Group) -> tuple[Tensor, Tensor]:
        """(n,) positions of a group's own images, and of their partners: themselves where none are asked for."""
        at = torch.from_numpy(group.positions).to(self.labels.device)
        count = len(at) // 2 if self.partners else len(at)
        return at[:count], at[count:] if self.partners else at

    def cut(
        self, group: Group, of_own: Sequence[Drawn], of_partner: Sequence[Drawn], generator: torch.Generator
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Views of a group's own images, and of their partners: themselves where none are asked for.

        Args:
            group: as it is stored.
            of_own: size and least and largest share of the area of each view.
            of_partner: the same.
            generator: of all draws, on the CPU.
        """
        count = len(group.images) // 2 if self.partners else len(group.images)
        halves = [slice(0, count), slice(count, None)] if self.partners else [slice(0, count)] * 2
        wanted = [
            [random_window(group.images[half], size, scale, generator, self.dihedral) for size, scale in drawn]
            for half, drawn in zip(halves, (of_own, of_partner), strict=True)
        ]
        if not self.partners:  # all views of an image at once
            both = cut(group.images, group.means, group.sds, [*wanted[0], *wanted[1]])
            return both[: len(of_own)], both[len(of_own) :]
        own, partner = (
            cut(group.images[half], group.means[half], group.sds[half], windows)
            for half, windows in zip(halves, wanted, strict=True)
        )
        return own, partner

    def through(self, network: nn.ModuleDict, view: Tensor, channels: Sequence[str]) -> Tensor:
        """A view (n, C, H, W) of channels of these names through a backbone and a neck, in the run's arithmetic."""
        with torch.autocast(view.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return network["neck"](encoded(network["backbone"], view, channels))

    def step(
        self, loss: Tensor, embedding: Tensor, view: Tensor, group: Group, more: dict[str, Tensor] | None = None
    ) -> Step:
        """A step's loss with that of the heads, and what the history says of it.

        Args:
            loss: () of the objective.
            embedding: (n, embedding_width) of a view by the network that embeds, without a gradient.
            view: (n, C, H, W) that view.
            group: what it is of.
            more: further sums over the group's images.
        """
        at, _ = self.halves(group)
        heads = classification_loss(
            self.network.heads(embedding.detach()), unmixed(view), self.labels[at], self.batches[at], 1.0
        )
        count = len(at)
        sums = {
            "loss": loss.detach().double() * count,
            "accuracy": heads.class_correct,
            "batch_accuracy": heads.batch_correct,
            "embedding_sd": embedding.detach().double().std(dim=0).mean() * count,
            "effective_rank": effective_rank(embedding.detach()).double() * count,
            **(more or {}),
        }
        return Step(loss + heads.total, sums)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move a teacher's parameters by a share 1 - momentum towards its student's; it shares no storage with it."""
    own, others = list(teacher.parameters()), [weight.detach() for weight in student.parameters()]
    if own:  # a neck may have none
        torch._foreach_lerp_([weight.detach() for weight in own], others, 1 - momentum)


def between(ends: Sequence[float], share: float) -> float:
    """Half a cosine from one value to another, at a share of the way."""
    first, last = ends
    return last - (last - first) * (math.cos(math.pi * min(1.0, share)) + 1) / 2


def ramp(ends: Sequence[float], share: float) -> float:
    """A straight line from one value to another, at a share of the way; level beyond it."""
    first, last = ends
    return first + (last - first) * min(1.0, share)


def dino_loss(teacher: Tensor, student: Tensor, teacher_temperature: float, student_temperature: float) -> Tensor:
    """Mean over images of the cross entropy of the student's probabilities under the teacher's.

    Args:
        teacher: (N, K) logits, centred; no gradient is taken.
        student: (N, K) logits.
        teacher_temperature: of the teacher's softmax.
        student_temperature: of the student's.

    Source: Caron et al. 2021, equation 1.
    """
    target = functional.softmax(teacher.detach().float() / teacher_temperature, dim=1)
    return -(target * functional.log_softmax(student.float() / student_temperature, dim=1)).sum(dim=1).mean()


def barlow_loss(first: Tensor, second: Tensor) -> Tensor:
    """How far the correlations of two views' features are from those of one view with distinct features.

    Args:
        first: (N, K) of one view; each feature is standardised over the N images.
        second: (N, K) of the other.

    Returns:
        (), in the normalisation of CDCL's released code.

    Source: Zbontar et al. 2021, equation 1, of means in place of sums, weighted as the released code of CDCL does.
    """
    first, second = _standardised(first), _standardised(second)
    images, count = first.shape
    alike = (first * second).mean(dim=0)
    if images < count:  # the same sum over K x K correlations by way of N x N products: K is 4,096, and N 92
        squares = ((first @ first.T) * (second @ second.T)).sum() / images**2
    else:
        squares = (first.T @ second / images).square().sum()
    diagonal, others = (alike - 1).square().mean(), (squares - alike.square().sum()) / (count * (count - 1))
    return (BARLOW_DIAGONAL * diagonal + BARLOW_OTHERS * others) / BARLOW_SCALE


def byol_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean over images of 2 - 2 cosine similarity of a prediction (N, D) and the teacher's projection (N, D).

    Source: Grill et al. 2020, equation 2.
    """
    return 2 - 2 * functional.cosine_similarity(predicted.float(), target.detach().float(), dim=1).mean()


def view_pairs(teachers: int, students: int) -> Iterator[tuple[int, int]]:
    """Pairs of a teacher's and a student's view that are not the same view: the teacher sees the first views alone."""
    return ((t, s) for t in range(teachers) for s in range(students) if s != t)


def entropy_share(logits: Tensor, temperature: float) -> Tensor:
    """(N,) entropy of softmax(logits / temperature) (N, K), as a share of ln K: 1 where it says nothing."""
    log_share = functional.log_softmax(logits.float() / temperature, dim=1)
    return -(log_share.exp() * log_share).sum(dim=1) / math.log(logits.shape[1])


def effective_rank(features: Tensor) -> Tensor:
    """() exponential of the entropy of normalised singular values of centred features (N, D): how many matter.

    Source: Roy and Vetterli 2007, definition 1.
    """
    values = torch.linalg.svdvals(features.float() - features.float().mean(dim=0))
    share = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny)
    return torch.exp(-(share * torch.log(share.clamp(min=torch.finfo(share.dtype).tiny))).sum())


def _standardised(features: Tensor) -> Tensor:
    features = features.float()
    deviation = features - features.mean(dim=0)
    return deviation / (deviation.square().mean(dim=0) + 1e-5).sqrt()  # as batch norm has it


class Centres(nn.Module):
    """Means of the teacher's outputs, one for all images or one a domain, that are taken off before its softmax.

    A domain's centre moves by the share of the step's images that are of it over its share of all training images, and
    at most as far as `1 - momentum` of the way: a rare domain that a step holds many of would else overshoot.

    Args:
        width: K.
        shares: (M,) share of all training images that each domain has, summing to 1.
        momentum: of a domain that a step holds as many of as there are.
    """

    values: Tensor
    shares: Tensor
    _sums: Tensor
    _counts: Tensor

    def __init__(self, width: int, shares: Sequence[float], momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("values", torch.zeros(len(shares), width))
        self.register_buffer("shares", torch.tensor(shares, dtype=torch.float32), persistent=False)
        # of the step so far: a step has several groups, and processes
        self.register_buffer("_sums", torch.zeros(len(shares), width), persistent=False)
        self.register_buffer("_counts", torch.zeros(len(shares)), persistent=False)

    def of(self, domains: Tensor) -> Tensor:
        """(N, K) the centres of images' domains (N,)."""
        return self.values[domains]

    @torch.no_grad()
    def note(self, outputs: Tensor, domains: Tensor) -> None:
        """Add the teacher's outputs (N, K) of images of some domains (N,) to the step."""
        self._sums.index_add_(0, domains, outputs.float())
        self._counts.index_add_(0, domains, torch.ones_like(domains, dtype=self._counts.dtype))

    @torch.no_grad()
    def move(self, sum_over_processes: Callable[[Tensor], Tensor]) -> None:
        """Follow what the step noted, of all processes, and forget it."""
        sums, counts = sum_over_processes(self._sums), sum_over_processes(self._counts)
        weight = (counts / counts.sum().clamp(min=1) / self.shares.clamp(min=1e-12)).clamp(max=1.0)
        means = sums / counts.clamp(min=1)[:, None]
        self.values += ((1 - self.momentum) * weight)[:, None] * (means - self.values)
        self._sums.zero_()
        self._counts.zero_()
