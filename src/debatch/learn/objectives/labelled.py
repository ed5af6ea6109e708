"""What objectives share that learn from labels: a network with both heads, and each image's label and batch."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from debatch.config.recipe import Arithmetic, Recipe
from debatch.learn.data import TrainingData
from debatch.learn.objectives.base import Objective
from debatch.learn.optimizer import LEARNING, by_weight_decay
from debatch.model.inputs import Group
from debatch.model.network import Network
from debatch.model.stems import ChannelSets


class Labelled(Objective):
    """A class head and a batch head on the embedding, whose shares of right answers stand in the history.

    Attributes:
        measuring: heads that only measure, the same under every method: at a rate of their own, without weight decay.
    """

    columns: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "batch_accuracy")
    logged = ("accuracy",)
    measuring: ClassVar[tuple[str, ...]] = ("batch_head",)
    labels: Tensor
    batches: Tensor

    def __init__(self, recipe: Recipe, channels: ChannelSets, data: TrainingData, precision: Arithmetic) -> None:
        super().__init__(recipe, channels, data, precision)
        self.network = Network(recipe, len(channels[0]), data.classes, len(data.batch_names), channels)
        # the data's, no part of what resumes a run
        self.register_buffer("labels", torch.from_numpy(data.labels), persistent=False)
        self.register_buffer("batches", torch.from_numpy(data.batches), persistent=False)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """As `parameter_groups` of all that learns."""
        return parameter_groups(self, self.recipe, self.measuring)

    def targets(self, group: Group) -> tuple[Tensor, Tensor]:
        """(n,) labels and (n,) batches of a group's images."""
        at = torch.from_numpy(group.positions).to(self.labels.device)
        return self.labels[at], self.batches[at]


def parameter_groups(
    module: torch.nn.Module, recipe: Recipe, measuring: tuple[str, ...] = ("batch_head",)
) -> list[dict[str, Any]]:
    """Weights that learn by the recipe, and last those of heads that only measure.

    What takes no gradient, as a teacher, is not among them.

    Args:
        module: a network, or what holds one.
        recipe: of the run.
        measuring: names of those heads.
    """
    heads: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            (heads if set(measuring) & set(name.split(".")) else others).append(weight)
    rate = recipe.objective.batch_head_rate
    measured = {**LEARNING, "params": heads, "weight_decay": 0.0, "initial_lr": rate, "measures": True}
    return [*by_weight_decay(others, recipe.weight_decay), measured]
