"""HyperNet: a small network makes each channel's kernel (Ha et al. 2016; CHAMMI, appendix B.1, Figure 7)."""

import math

import torch
from torch import Tensor, nn

from debatch.config.recipe import Recipe
from debatch.config.stems import HyperNet as Settings
from debatch.model.stems.base import Vocabulary
from debatch.model.stems.first_layer import Kernels


class HyperNet(Kernels):
    """Two linear layers from what is learned of a channel to its kernel. Never pretrained; a channel has one name."""

    def __init__(self, recipe: Recipe, channels: Vocabulary, convolution: nn.Conv2d) -> None:
        super().__init__(recipe, channels, convolution)
        assert isinstance(recipe.stem, Settings)
        self.shape = convolution.weight[:, 0].shape
        self.embeddings = nn.Parameter(torch.randn(len(channels.names), recipe.stem.embedding))
        self.hidden = nn.Linear(recipe.stem.embedding, recipe.stem.hidden)
        self.out = nn.Linear(recipe.stem.hidden, self.shape.numel())
        with torch.no_grad():  # kernels as wide as the backbone draws its own
            for layer, sd in ((self.hidden, 1.0), (self.out, convolution.weight.std())):
                layer.weight.normal_().mul_(sd / math.sqrt(layer.in_features))
                layer.bias.zero_()

    def kernels(self, positions: list[int]) -> Tensor:
        """As `Kernels.kernels`."""
        made: Tensor = self.out(self.hidden(self.embeddings[positions]))
        return made.view(-1, *self.shape)


STEM = HyperNet
