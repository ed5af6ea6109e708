"""What training minimises."""

import math
from typing import Literal, NamedTuple

from torch import Tensor
from torch.nn import functional

from debatch.learn.augment import Mixed
from debatch.model.network import Outputs


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
