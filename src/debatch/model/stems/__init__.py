"""How a network takes images of its channels: a file for each stem, called as its `kind`, whose `STEM` is the class."""

from importlib import import_module

from debatch.config.recipe import Recipe
from debatch.model.stems.base import ChannelSets, Stem, Vocabulary
from debatch.model.stems.first_layer import FirstLayer, WithFirstLayer

__all__ = ["ChannelSets", "Stem", "Vocabulary", "build_stem"]


def build_stem(recipe: Recipe, channel_sets: ChannelSets) -> Stem:
    """A recipe's backbone behind its stem, which knows channels by name.

    Args:
        recipe: its stem is any but `plain`.
        channel_sets: of each part that it is trained on, the names of its channels.

    Raises:
        ConfigError: the backbone has no first convolution that a stem could stand for.
    """
    kind: type[Stem] | type[FirstLayer] = import_module(f"{__name__}.{recipe.stem.kind}").STEM
    channels = Vocabulary(channel_sets)
    return WithFirstLayer(recipe, channels, kind) if issubclass(kind, FirstLayer) else kind(recipe, channels)
