"""FixedChannels: a network of its own for each set of channels (CHAMMI, appendix B.1, Figure 3)."""

from collections.abc import Sequence

from torch import Tensor, nn

from debatch.config.recipe import Recipe
from debatch.model.backbones import build_backbone
from debatch.model.stems.base import RGB, Stem, Vocabulary
from debatch.model.stems.first_layer import first_convolution, for_channels


class FixedChannels(Stem):
    """Nothing is shared between sets of channels but what follows the backbones; images of any other are refused."""

    def __init__(self, recipe: Recipe, channels: Vocabulary) -> None:
        super().__init__(recipe, channels)
        self.of_set = nn.ModuleList()
        for own in channels.sets:
            backbone, self.features = build_backbone(recipe.backbone, RGB, recipe.pixels, recipe.weights)
            at = first_convolution(backbone, recipe.backbone)
            convolution = backbone.get_submodule(at)
            assert isinstance(convolution, nn.Conv2d)
            if len(own) != RGB:
                backbone.set_submodule(at, for_channels(convolution, len(own), recipe.weights is not None))
            self.of_set.append(backbone)

    def forward(self, images: Tensor, channels: Sequence[str]) -> Tensor:
        """As `Stem.forward`."""
        number, order = self.channels.set_of(channels)
        features: Tensor = self.of_set[number](images if order == sorted(order) else images[:, order])
        return features

    def backbones(self) -> list[nn.Module]:
        """One a set."""
        return list(self.of_set)


STEM = FixedChannels
