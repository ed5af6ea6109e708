"""Template mixing: each channel's kernel is a mixture of shared ones (CHAMMI, appendix B.1, Figure 8)."""

import math

import torch
from torch import Tensor, nn

from debatch.config.recipe import Recipe
from debatch.config.stems import TemplateMixing as Settings
from debatch.model.stems.base import Vocabulary
from debatch.model.stems.first_layer import Kernels, fresh_kernel


class TemplateMixing(Kernels):
    """A linear combination of templates a channel, by its own coefficients. Never pretrained."""

    def __init__(self, recipe: Recipe, channels: Vocabulary, convolution: nn.Conv2d) -> None:
        super().__init__(recipe, channels, convolution)
        assert isinstance(recipe.stem, Settings)
        count = recipe.stem.templates
        self.templates = nn.Parameter(fresh_kernel(convolution, count).transpose(0, 1).contiguous())
        self.coefficients = nn.Parameter(torch.randn(len(channels.names), count) / math.sqrt(count))

    def kernels(self, positions: list[int]) -> Tensor:
        """As `Kernels.kernels`."""
        return (self.coefficients[positions] @ self.templates.flatten(1)).view(-1, *self.templates.shape[1:])


STEM = TemplateMixing
