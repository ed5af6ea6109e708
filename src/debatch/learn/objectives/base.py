"""What every objective is: the modules that learn, what they are shown of images, and the loss of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from debatch.config.recipe import Arithmetic, Recipe
from debatch.learn.data import TrainingData
from debatch.model.inputs import Group
from debatch.model.network import Network
from debatch.model.stems import ChannelSets, Stem
from debatch.runtime.ranks import Ranks


class Progress(NamedTuple):
    """How far training is at a step.

    Attributes:
        share: of all steps, those that were taken before.
        batches: how many batches the step's images are of.
    """

    share: float
    batches: int


class Step(NamedTuple):
    """A group's part of a step.

    Attributes:
        loss: () what the gradient is of, a mean over the group.
        sums: by the names of `Objective.columns`: () sums over the group's images.
    """

    loss: Tensor
    sums: dict[str, Tensor]


class Objective(nn.Module, ABC):
    """What a run minimises. It owns every module that learns or follows one that does, so its state resumes a run.

    Its weights are drawn from torch's random numbers.

    Args:
        recipe: of the run.
        channels: of each part of the training images, the names of those that the network sees.
        data: the training images.
        precision: the arithmetic of the network's passes; losses are in float32.

    Attributes:
        settings: the recipe's of this objective.
        network: what embeds images once the run is done.
        columns: of the history, each a mean over the epoch's images; the first is the loss.
        logged: those of them that are shares of images and stand in each epoch's log line.
    """

    columns: ClassVar[tuple[str, ...]]
    logged: ClassVar[tuple[str, ...]] = ()
    network: Network
    settings: Any

    def __init__(self, recipe: Recipe, channels: ChannelSets, data: TrainingData, precision: Arithmetic) -> None:
        super().__init__()
        self.recipe, self.settings, self.precision = recipe, recipe.objective, precision

    @staticmethod
    def require_usable(recipe: Recipe, data: TrainingData, name: str) -> None:
        """Refuse training images that it cannot learn from.

        Args:
            recipe: of the run.
            data: its training images.
            name: of the run, in the message.

        Raises:
            DataError: what is wrong, and what to do.
        """

    @abstractmethod
    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters for the optimizer, in groups as `optimizer.by_weight_decay` makes them."""

    def reads(self, positions: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Which images are read for a group: its own first, and behind them what else the objective looks at.

        Args:
            positions: (n,) of the group's images.
            generator: of the draws of this group.
        """
        return positions

    @abstractmethod
    def views(self, group: Group, generator: torch.Generator) -> Any:
        """What the network is shown of a group: whatever `forward` takes.

        Args:
            group: as it is stored.
            generator: of all random draws, on the CPU.
        """

    @abstractmethod
    def forward(self, views: Any, group: Group, progress: Progress) -> Step:
        """The loss of a group's views."""

    def penalty(self) -> Tensor | None:
        """() what stems add to the loss of the group that `forward` has just seen; None: nothing."""
        taken = [module.take_penalty() for module in self.modules() if isinstance(module, Stem)]
        found = [penalty for penalty in taken if penalty is not None]
        return torch.stack(found).sum() if found else None

    def after_step(self, progress: Progress, ranks: Ranks) -> None:
        """Follow what the optimizer has just changed: a teacher, centres.

        Args:
            progress: of the step.
            ranks: the processes that trained on it together: what follows must be the same in all of them.
        """

    def embed(self, images: Tensor, channels: Sequence[str]) -> Tensor:
        """Standardised images (n, C, H, W) of a group, and its channels' names, to embeddings (n, width).

        In the run's arithmetic.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return self.network.embed(images, channels)
