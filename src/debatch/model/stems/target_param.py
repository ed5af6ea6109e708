"""TargetParam: a first convolution for each set of channels (CHAMMI, appendix B.1, Figure 5)."""

from torch import Tensor, nn

from debatch.config.recipe import Recipe
from debatch.model.stems.base import Vocabulary
from debatch.model.stems.first_layer import FirstLayer, for_channels


class TargetParam(FirstLayer):
    """Parts with the same channels share a convolution; images of any other set are refused."""

    def __init__(self, recipe: Recipe, channels: Vocabulary, convolution: nn.Conv2d) -> None:
        super().__init__(recipe, channels, convolution)
        pretrained = recipe.weights is not None
        self.of_set = nn.ModuleList(for_channels(convolution, len(own), pretrained) for own in channels.sets)

    def forward(self, images: Tensor) -> Tensor:
        """As `FirstLayer.forward`."""
        number, order = self.channels.set_of(self.told)
        maps: Tensor = self.of_set[number](images if order == sorted(order) else images[:, order])
        return maps


STEM = TargetParam
