"""Optimizer and learning rate of a recipe."""

import math

import torch
from torch import nn

from debatch.config.recipe import Recipe


def build_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer.

    Weight decay falls on matrices and kernels of the trunk and class head only: biases and norms have no scale to
    shrink, and the batch head is a measuring instrument, the same under every method.
    """
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    head: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if name.startswith("batch_head."):
            head.append(parameter)
        else:
            (decayed if parameter.ndim > 1 else plain).append(parameter)
    parameters = [
        {"params": decayed, "weight_decay": recipe.weight_decay, "factor": 1.0},
        {"params": plain, "weight_decay": 0.0, "factor": 1.0},
        {"params": head, "weight_decay": 0.0, "factor": recipe.batch_head_rate},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=recipe.peak_learning_rate, momentum=recipe.momentum)
    return torch.optim.AdamW(parameters, lr=recipe.peak_learning_rate)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the trunk's learning rate, and the batch head's in its proportion."""
    for parameters in optimizer.param_groups:
        parameters["lr"] = rate * parameters["factor"]


def learning_rate(step: int, steps: int, warmup_steps: int, peak: float) -> float:
    """Linear warm-up, then half a cosine to zero, by optimizer step (counted from 0)."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
