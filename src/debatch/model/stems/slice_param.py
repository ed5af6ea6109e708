"""SliceParam: a bank with a kernel for each channel (CHAMMI, appendix B.1, Figure 6)."""

import torch
from torch import Tensor, nn

from debatch.config.recipe import Recipe
from debatch.model.stems.base import RGB, Vocabulary
from debatch.model.stems.first_layer import Kernels, fresh_kernel


class SliceParam(Kernels):
    """A kernel a name: parts that share a channel share it. Pretrained, the bank repeats the kernels of colours.

    The released code adds a second kernel for each channel of each data set; the paper has none.
    """

    def __init__(self, recipe: Recipe, channels: Vocabulary, convolution: nn.Conv2d) -> None:
        super().__init__(recipe, channels, convolution)
        count = len(channels.names)
        if recipe.weights is None:
            bank = fresh_kernel(convolution, count)
        else:
            bank = convolution.weight.detach()[:, torch.arange(count) % RGB]
        self.bank = nn.Parameter(bank.transpose(0, 1).contiguous())

    def kernels(self, positions: list[int]) -> Tensor:
        """As `Kernels.kernels`."""
        return self.bank[positions]


STEM = SliceParam
