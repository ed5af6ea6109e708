"""What DINO and BYOL share: a teacher that follows the student, views of an image and of its partner, Barlow's loss."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

BARLOW_DIAGONAL, BARLOW_OTHERS = 0.05, 0.95  # released code of CDCL
# what the released code divides the loss by: its value where the diagonal is 0 and the rest 0.1
BARLOW_SCALE = BARLOW_DIAGONAL + BARLOW_OTHERS * 0.01


class Teacher(nn.Module):
    """A copy of a module that no gradient reaches, and that follows it after each step.

    Args:
        student: what it follows; the copy shares no storage with it.
    """

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def follow(self, student: nn.Module, momentum: float) -> None:
        """Move each parameter and buffer by a share 1 - momentum towards the student's."""
        own, others = list(self.module.parameters()), [p.detach() for p in student.parameters()]
        torch._foreach_lerp_(own, others, 1 - momentum)
        for mine, theirs in zip(self.module.buffers(), student.buffers(), strict=True):
            mine.copy_(theirs)


def between(first: float, last: float, share: float) -> float:
    """Half a cosine from one value to another, at a share of the way."""
    return last - (last - first) * (math.cos(math.pi * min(1.0, share)) + 1) / 2


def ramp(first: float, last: float, share: float) -> float:
    """A straight line from one value to another, at a share of the way; level beyond it."""
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

    Source: Zbontar et al. 2021, equation 1; weights as `BARLOW_DIAGONAL` and `BARLOW_OTHERS`, of means in place of sums.
    """
    correlation = _standardised(first).T @ _standardised(second) / len(first)
    diagonal = (correlation.diagonal() - 1).square().mean()
    count = len(correlation)
    others = (correlation.square().sum() - correlation.diagonal().square().sum()) / (count * (count - 1))
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
