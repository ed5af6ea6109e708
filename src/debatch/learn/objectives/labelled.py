"""What objectives share that learn from labels: a network with both heads, and each image's label and batch."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from debatch.config.recipe import Arithmetic, Recipe
from debatch.learn.data import TrainingData
from debatch.learn.objectives.base import Objective
from debatch.learn.optimizer import by_weight_decay
from debatch.model.inputs import Group
from debatch.model.network import Network


class Labelled(Objective):
    """A class head and a batch head on the embedding, whose shares of right answers stand in the history."""

    columns: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "batch_accuracy")
    logged = ("accuracy",)
    labels: Tensor
    batches: Tensor

    def __init__(self, recipe: Recipe, channels: int, data: TrainingData, precision: Arithmetic) -> None:
        super().__init__(recipe, channels, data, precision)
        self.network = Network(recipe, channels, data.classes, len(data.batch_names))
        # the data's, no part of what resumes a run
        self.register_buffer("labels", torch.from_numpy(data.labels), persistent=False)
        self.register_buffer("batches", torch.from_numpy(data.batches), persistent=False)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """As `parameter_groups` of all that learns."""
        return parameter_groups(self, self.recipe)

    def targets(self, group: Group) -> tuple[Tensor, Tensor]:
        """(n,) labels and (n,) batches of a group's images."""
        at = torch.from_numpy(group.positions).to(self.labels.device)
        return self.labels[at], self.batches[at]


def parameter_groups(module: torch.nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """The batch head learns at a rate of its own, without weight decay: it measures, the same under every method.

    What takes no gradient, as a teacher, is not among them.

    Args:
        module: a network, or what holds one.
        recipe: of the run.
    """
    head: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            (head if "batch_head" in name.split(".") else others).append(weight)
    measuring = {"params": head, "weight_decay": 0.0, "initial_lr": recipe.objective.batch_head_rate}
    return [*by_weight_decay(others, recipe.weight_decay), measuring]
