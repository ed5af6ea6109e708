"""Optimizer and learning rate of a recipe."""

import inspect
import math
from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from debatch.config.recipe import Recipe

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)

# what torch wraps so that its compiler looks past it
_WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def _without_compiler(kind: type[Kind]) -> type[Kind]:
    """An optimizer of torch's whose methods do not call torch's compiler, which nothing here uses.

    The wrappers of those methods import it, 800 modules, to exclude them from compilation: two seconds of each run.
    """
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    # the wrapper of this one switches gradients off as well
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)


# of a group of parameters: its share of the recipe's rate, whether its weight decay follows the recipe's, and whether
# it is of heads that only measure
LEARNING: dict[str, Any] = {"initial_lr": 1.0, "decays": False, "measures": False}


def by_weight_decay(weights: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Two groups of parameters: matrices and kernels decay, biases and norms, which have no scale to shrink, do not.

    `initial_lr` is torch's word for what `build_schedule` multiplies the recipe's rate by.

    Args:
        weights: parameters that learn at the recipe's rate.
        weight_decay: of those that decay.
    """
    parameters = list(weights)
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay, **LEARNING, "decays": True},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0, **LEARNING},
    ]


def build_optimizer(parameters: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer of an objective's `parameter_groups`."""
    if recipe.optimizer == "sgd":
        return _without_compiler(torch.optim.SGD)(parameters, lr=recipe.peak_learning_rate, momentum=recipe.momentum)
    return _without_compiler(torch.optim.AdamW)(parameters, lr=recipe.peak_learning_rate)


def build_schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int, warmup_steps: int) -> LambdaLR:
    """The recipe's learning rate at each optimizer step, in each group's proportion."""
    peak, last = recipe.peak_learning_rate, recipe.last_learning_rate
    return LambdaLR(optimizer, lambda step: learning_rate(step, steps, warmup_steps, peak, last))


def learning_rate(step: int, steps: int, warmup_steps: int, peak: float, last: float = 0.0) -> float:
    """Linear warm-up, then half a cosine from the peak to the last rate, by optimizer step (counted from 0)."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return last + (peak - last) * 0.5 * (1 + math.cos(math.pi * progress))


def set_weight_decay(optimizer: torch.optim.Optimizer, recipe: Recipe, share: float) -> None:
    """Move the weight decay of what decays along half a cosine to its last value, at a share of all steps."""
    if recipe.final_weight_decay is None:
        return
    last = recipe.final_weight_decay
    decay = last + (recipe.weight_decay - last) * 0.5 * (1 + math.cos(math.pi * share))
    for group in optimizer.param_groups:
        if group["decays"]:
            group["weight_decay"] = decay


def clip_gradients(optimizer: torch.optim.Optimizer, recipe: Recipe) -> None:
    """Shorten the gradient of a step to the recipe's longest; heads that only measure count for themselves."""
    if recipe.gradient_clip is not None:
        learning = [weight for group in optimizer.param_groups if not group["measures"] for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(learning, recipe.gradient_clip)
