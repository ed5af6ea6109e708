"""How large a network's weights are: as they were counted once, else counted now, by building it without values."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from debatch.cli.planning.sizes import ScreenSize
from debatch.config import Recipe, Screen
from debatch.config.stems import Plain, Stem
from debatch.config.throughput import Throughput
from debatch.errors import ConfigError

FLOAT32 = 4
PLAIN = Plain()


class Floats(NamedTuple):
    """Parameters and batch-norm statistics, as they are saved.

    Attributes:
        trunk: of backbone and neck.
        each_class: of the class head, for each class.
        each_batch: of the batch head, for each training batch.
    """

    trunk: int
    each_class: int
    each_batch: int


def weight_bytes(recipe: Recipe, size: ScreenSize, split: str, throughput: Throughput) -> int | None:
    """Bytes of a run's weights, without the heads whose size is not known; None where it cannot be built here."""
    floats = _floats(recipe, size, throughput)
    if floats is None:
        return None
    known = size.split(split)
    heads = (size.classes or 0) * floats.each_class + (known.batches if known else 0) * floats.each_batch
    return FLOAT32 * (floats.trunk + heads)


def count_networks(recipes: Iterable[Recipe], size: ScreenSize, throughput: Throughput) -> None:
    """Count the networks of some recipes ahead: importing what builds them takes seconds."""
    for recipe in recipes:
        _floats(recipe, size, throughput)


def embedding_width(recipe: Recipe, size: ScreenSize, throughput: Throughput) -> int | None:
    """How long a run's embeddings are; None where its network cannot be built here."""
    if recipe.embedding_width:
        return recipe.embedding_width
    floats = _floats(recipe, size, throughput)
    return floats.each_class - 1 if floats else None


def _floats(recipe: Recipe, size: ScreenSize, throughput: Throughput) -> Floats | None:
    channels = len(recipe.channels) if recipe.channels else size.shape[0] if size.shape else 1
    width = recipe.embedding_width
    network = recipe.backbone, recipe.side, width, channels
    for counted in throughput.networks:
        if width and counted.parameters and not recipe.names_channels and network == (
            counted.backbone, counted.pixels, counted.embedding_width, counted.channels,
        ):  # fmt: skip
            return Floats(counted.parameters, width + 1, width + 1)
    if recipe.names_channels:
        return count_floats(*network, recipe.stem, _channel_sets(recipe, size.registry.screen))
    return count_floats(*network)


def _channel_sets(recipe: Recipe, screen: Screen) -> tuple[tuple[str, ...], ...]:
    """Of each part that a network sees, the names of the channels that it sees."""
    parts = [screen.of_part(name) for name in recipe.parts or screen.part_names()]
    wanted = recipe.channels or screen.channel_names()
    return tuple(tuple(name for name in part.channel_names() if name in wanted) for part in parts)


@cache
def count_floats(
    backbone: str,
    pixels: int,
    width: int | None,
    channels: int,
    stem: Stem = PLAIN,
    channel_sets: tuple[tuple[str, ...], ...] = (),
) -> Floats | None:
    """Of a network of that embedding width; None where it cannot be built here."""
    import torch  # seconds

    from debatch.model.network import Network

    recipe = Recipe(backbone=backbone, pixels=pixels, embedding_width=width, stem=stem)
    try:
        with torch.device("meta"):  # shapes and no values: nothing is drawn, read or downloaded
            network = Network(recipe, channels, classes=1, batches=1, channel_sets=channel_sets)
    except ConfigError:
        return None

    def floats(module: torch.nn.Module) -> int:
        return sum(tensor.numel() for tensor in module.state_dict().values() if tensor.is_floating_point())

    heads = floats(network.class_head), floats(network.batch_head)
    return Floats(floats(network) - sum(heads), *heads)
