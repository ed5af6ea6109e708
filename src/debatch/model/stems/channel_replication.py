"""ChannelReplication: each channel three times over, as an image of its own (CHAMMI, appendix B.1, Figure 2)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from debatch.config.recipe import Recipe
from debatch.config.stems import ChannelReplication as Settings
from debatch.model.backbones import build_backbone
from debatch.model.stems.base import RGB, Stem, Vocabulary


class ChannelReplication(Stem):
    """Features of each channel side by side, in the vocabulary's order, zero where an image lacks one.

    Between images of the same channels, distances and cosines are those of the features that they have, as in the
    paper, which puts no others beside them.
    """

    def __init__(self, recipe: Recipe, channels: Vocabulary) -> None:
        super().__init__(recipe, channels)
        assert isinstance(recipe.stem, Settings)
        self.backbone, self.width = build_backbone(recipe.backbone, RGB, recipe.pixels, recipe.weights)
        self.features = len(channels.names) * self.width
        if recipe.stem.frozen:
            self.backbone.requires_grad_(False)

    def forward(self, images: Tensor, channels: Sequence[str]) -> Tensor:
        """As `Stem.forward`."""
        at = self.channels.positions(channels)
        grey = images.reshape(-1, 1, *images.shape[2:]).expand(-1, RGB, -1, -1)
        of_channels = self.backbone(grey.contiguous(memory_format=torch.channels_last)).view(len(images), len(at), -1)
        features = of_channels.new_zeros(len(images), len(self.channels.names), self.width)
        features[:, at] = of_channels
        return features.flatten(1)

    def backbones(self) -> list[nn.Module]:
        """The one."""
        return [self.backbone]


STEM = ChannelReplication
