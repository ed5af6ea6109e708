"""Depthwise: filters for each channel alone, whose maps are summed up (CHAMMI, appendix B.1, Figure 4)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from debatch.config.recipe import Recipe
from debatch.config.stems import Depthwise as Settings
from debatch.model.stems.base import Vocabulary
from debatch.model.stems.first_layer import FirstLayer, fresh_kernel

SIDE = 3  # of a filter


class Depthwise(FirstLayer):
    """Patches, filters, a sum weighted by a softmax over the image's channels, a mixture of maps, instance norm.

    It has a norm of its own in place of ConvNeXt's. Never pretrained. In the released code each data set has its own
    patches, and parts that share a channel its filters alone; here a name has both.
    """

    replaces_norm = True

    def __init__(self, recipe: Recipe, channels: Vocabulary, convolution: nn.Conv2d) -> None:
        super().__init__(recipe, channels, convolution)
        assert isinstance(recipe.stem, Settings)
        count, filters = len(channels.names), recipe.stem.filters
        self.stride, self.padding = convolution.stride, convolution.padding
        self.patches = nn.Parameter(fresh_kernel(convolution, count).transpose(0, 1)[:, :1].contiguous())
        self.patch_bias = nn.Parameter(torch.zeros(count))
        self.filters = nn.Parameter(torch.randn(count, filters, SIDE, SIDE) * math.sqrt(2 / SIDE**2))
        self.weights = nn.Parameter(torch.randn(count))
        self.mix = nn.Conv2d(filters, convolution.out_channels, 1, bias=False)
        self.norm = nn.InstanceNorm2d(convolution.out_channels, affine=True)

    def forward(self, images: Tensor) -> Tensor:
        """As `FirstLayer.forward`."""
        at = self.channels.positions(self.told)
        patches = functional.conv2d(
            images, self.patches[at], self.patch_bias[at], self.stride, self.padding, groups=len(at)
        )
        # a sum over channels of what each one's filters give is one convolution by the weighted filters
        weighted = torch.softmax(self.weights[at], 0)[:, None, None, None] * self.filters[at]
        maps: Tensor = functional.conv2d(patches, weighted.transpose(0, 1), padding=SIDE // 2)
        mixed: Tensor = self.norm(self.mix(maps))
        return mixed


STEM = Depthwise
