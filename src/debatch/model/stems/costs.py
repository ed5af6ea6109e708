"""What a stem costs: parameters, and arithmetic of a forward pass."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from debatch.config.recipe import Recipe
from debatch.model.network import Network, encoded
from debatch.model.stems.base import ChannelSets


class Cost(NamedTuple):
    """Of a backbone behind its stem, without the neck and the heads.

    Attributes:
        parameters: all of them.
        learned: those of them that learn.
        gflop: of each set of channels, GFLOP of an image's forward pass; a multiplication and addition: 2.
    """

    parameters: int
    learned: int
    gflop: list[float]


def stem_cost(recipe: Recipe, channel_sets: ChannelSets) -> Cost:
    """What a recipe's stem and backbone cost. Nothing is drawn, read or computed.

    What is made once a group, as kernels are, is shared by the images of the recipe's `group`. Without a stem that
    knows channels by name the sets must be of one length.

    Args:
        recipe: of a run.
        channel_sets: of each part that it is trained on, the names of its channels.

    Raises:
        ConfigError: the network cannot be built.
    """
    scratch = recipe.model_copy(update={"weights": None})
    with torch.device("meta"):
        backbone = Network(scratch, len(channel_sets[0]), 1, 1, channel_sets).backbone.eval()
    return Cost(
        sum(weight.numel() for weight in backbone.parameters()),
        sum(weight.numel() for weight in backbone.parameters() if weight.requires_grad),
        [_gflop(backbone, recipe, own) for own in channel_sets],
    )


def _gflop(backbone: nn.Module, recipe: Recipe, channels: Sequence[str]) -> float:
    from torch.utils.flop_counter import FlopCounterMode  # a second

    images = torch.empty(recipe.group, len(channels), *recipe.size, device="meta")
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        encoded(backbone, images, channels)
    return float(counter.get_total_flops()) / recipe.group / 1e9
