"""Optimizer and learning rate of a recipe."""

import inspect
import math
from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import nn

from debatch.config.recipe import Recipe

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)

# what torch wraps so that its compiler looks past it
_WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def _without_compiler(kind: type[Kind]) -> type[Kind]:
    """An optimizer of torch's whose methods do not call torch's compiler, which nothing here uses.

    The wrappers of those methods import it, 800 modules, to tell it to look past them: two seconds of each training.
    """
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    # the wrapper of this one switches gradients off as well
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)


def by_weight_decay(weights: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Two groups of parameters: matrices and kernels decay, biases and norms, which have no scale to shrink, do not.

    Args:
        weights: parameters that learn at the recipe's rate.
        weight_decay: of those that decay.
    """
    parameters = list(weights)
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay, "factor": 1.0},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0, "factor": 1.0},
    ]


def build_optimizer(parameters: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer of an objective's `parameter_groups`."""
    if recipe.optimizer == "sgd":
        return _without_compiler(torch.optim.SGD)(parameters, lr=recipe.peak_learning_rate, momentum=recipe.momentum)
    return _without_compiler(torch.optim.AdamW)(parameters, lr=recipe.peak_learning_rate)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set each group's learning rate, in its proportion."""
    for parameters in optimizer.param_groups:
        parameters["lr"] = rate * parameters["factor"]


def learning_rate(step: int, steps: int, warmup_steps: int, peak: float) -> float:
    """Linear warm-up, then half a cosine to zero, by optimizer step (counted from 0)."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
