"""Classification: cross entropy of the class head, beside a batch head that is trained against the network or apart."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from debatch.config.objectives import Classification as Settings
from debatch.config.recipe import Recipe
from debatch.errors import DataError
from debatch.learn.augment import MIXERS, Mixed, augmented
from debatch.learn.data import TrainingData
from debatch.learn.groups import LEAST_BATCHES
from debatch.learn.objectives.base import Progress, Step
from debatch.learn.objectives.labelled import Labelled
from debatch.model.inputs import Group
from debatch.model.network import Outputs


class Classification(Labelled):
    """The labels of images, flipped, turned and mixed; under gradient reversal, and not their batch (RxRx1 paper)."""

    settings: Settings

    @staticmethod
    def require_usable(recipe: Recipe, data: TrainingData, name: str) -> None:
        """An adversary needs batches to tell apart, in each step."""
        if not recipe.has_adversary:
            return
        batches = len(data.batch_names)
        if batches < 2:
            raise DataError(f"{name}: gradient reversal needs training images of two batches or more")
        needed = min(LEAST_BATCHES, batches)
        if recipe.batch_norm == "adaptive" and recipe.groups_per_step < needed:
            raise DataError(
                f"{name}: gradient reversal with groups of one batch needs `groups_per_step: {needed}` or more, "
                f"so that a step holds {needed} of the {batches} training batches; it is {recipe.groups_per_step}"
            )

    def views(self, group: Group, generator: torch.Generator) -> Mixed:
        """One view of each image."""
        return MIXERS[self.settings.mixing](augmented(group, self.recipe, generator), generator)

    def forward(self, views: Mixed, group: Group, progress: Progress) -> Step:
        """Both heads' loss."""
        settings = self.settings
        reversal = reversal_strength(settings.gradient_reversal, settings.reversal_schedule, progress.share)
        if progress.batches < 2:
            reversal = 0.0  # an adversary that sees one batch has nothing to predict
        outputs = self.network.heads(self.embed(views.images, group.channels), reversal)
        loss = classification_loss(outputs, views, *self.targets(group), settings.batch_loss_weight)
        sums = (loss.class_loss.double() * len(group.positions), loss.class_correct, loss.batch_correct)
        return Step(loss.total, dict(zip(self.columns, sums, strict=True)))


class Loss(NamedTuple):
    """A group's loss, and how many of its images each head got right (by the image's own, larger share)."""

    total: Tensor
    class_loss: Tensor
    class_correct: Tensor
    batch_correct: Tensor


def classification_loss(
    outputs: Outputs, mixed: Mixed, labels: Tensor, batches: Tensor, batch_loss_weight: float
) -> Loss:
    """Cross entropy of both heads, the labels of mixed images weighted as their pixels are.

    Args:
        outputs: of a group of N images.
        mixed: how the group was mixed.
        labels: (N,) class indices.
        batches: (N,) indices of training batches.
        batch_loss_weight: of the batch head's loss.
    """
    class_loss = _mixed_cross_entropy(outputs.class_logits, labels, mixed)
    batch_loss = _mixed_cross_entropy(outputs.batch_logits, batches, mixed)
    return Loss(
        class_loss + batch_loss_weight * batch_loss,
        class_loss.detach(),
        _correct(outputs.class_logits, labels, mixed),
        _correct(outputs.batch_logits, batches, mixed),
    )


def reversal_strength(largest: float, schedule: Literal["dann", "constant"], progress: float) -> float:
    """How strongly the batch head's gradient is reversed at a share of training (Ganin et al. 2016, section 5.2)."""
    return largest if schedule == "constant" else largest * (2 / (1 + math.exp(-10 * progress)) - 1)


def _mixed_cross_entropy(logits: Tensor, targets: Tensor, mixed: Mixed) -> Tensor:
    own = functional.cross_entropy(logits, targets)
    if mixed.weight == 1:
        return own
    return mixed.weight * own + (1 - mixed.weight) * functional.cross_entropy(logits, targets[mixed.partner])


def _correct(logits: Tensor, targets: Tensor, mixed: Mixed) -> Tensor:
    larger = targets if mixed.weight >= 0.5 else targets[mixed.partner]
    return (logits.detach().argmax(1) == larger).sum()


OBJECTIVE = Classification
