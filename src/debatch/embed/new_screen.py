"""A trained model's embeddings of a screen that it was not trained on."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from debatch.config.parts import keeps_shape
from debatch.config.recipe import Recipe
from debatch.config.trained import TrainedModel, channel_positions, require_known_channels
from debatch.embed.embed import outputs_by_group
from debatch.embed.statistics import screen_groups
from debatch.embedding_table import embedding_table
from debatch.errors import DataError
from debatch.model.inputs import ImageSet, channels_seen
from debatch.model.network import Network
from debatch.screen.store import ImageReader, channel_names

log = logging.getLogger(__name__)


def embed_screen(network: Network, images: ImageSet, recipe: Recipe) -> pd.DataFrame:
    """Embeddings of images, labelled or not, in index order.

    There are no predictions: the classes and the batches are those of the model's own screen. Pixels need not be stored
    as those were (uint8 or uint16, another `image.range`), since standardisation takes offset and scale out; what a
    range cut off stays cut off. Images larger than the network's input are area-averaged to it, whatever a pixel
    measures: that cells are as large as the model knows them is for the screen's `image.downsample` and `image.crop`.

    Args:
        network: trained, with its own statistics in its batch-norm layers.
        images: of the screen, those that have the model's channels, in the model's order.
        recipe: the model's; its `inference` says under whose statistics an image is looked at (`screen_groups`).

    Returns:
        `Metadata_*` columns, then one float32 column a feature.

    Raises:
        DataError: images are smaller than the network's input, or statistics would come from fewer than two.
    """
    _require_size(images, recipe.size)
    embeddings = np.full((len(images), network.width), np.nan, np.float32)
    groups = screen_groups(recipe.inference, images.rows, recipe)
    for positions, outputs, _ in outputs_by_group(network, images, groups, recipe):
        embeddings[positions] = outputs.embedding.cpu().numpy()
    return embedding_table(images.rows, embeddings)


def model_images(
    index: pd.DataFrame, statistics: pd.DataFrame, model: TrainedModel, reader: ImageReader, device: torch.device
) -> ImageSet:
    """The images of a screen that a model can look at, by the channels that it looks at.

    Args:
        index: the screen's images.
        statistics: mean and sd of each image and channel.
        model: as it was trained.
        reader: of the stores.
        device: where they go.

    Raises:
        DataError: no image has a model's channels; or, of a model that takes channels by name, one that it does not
            know.
    """
    if not model.recipe.names_channels:
        index = with_channels(index, model.facts.channels, reader.stores)
        return ImageSet(index, statistics, reader, device, model.facts.channels)
    for store in reader.stores.values():
        require_known_channels(model.facts.channels, channel_names(store))
    seen = channels_seen(model.recipe.model_copy(update={"channels": model.facts.channels}), index, reader)
    assert isinstance(seen, dict)
    log.info("channels by name: %s", "; ".join(", ".join(own) for own in dict.fromkeys(map(tuple, seen.values()))))
    return ImageSet(index, statistics, reader, device, seen)


def with_channels(index: pd.DataFrame, wanted: list[str], stores: dict[str, Path]) -> pd.DataFrame:
    """The images of a screen that have a model's channels: all of them, but where the screen is in parts.

    Args:
        index: the screen's images.
        wanted: the model's C channels.
        stores: of the screen, by experiment.

    Raises:
        DataError: no image has them all.
    """
    there = {experiment: channel_names(store) for experiment, store in stores.items()}
    having = {experiment for experiment, own in there.items() if set(wanted) <= set(own)}
    if not having:
        channel_positions(wanted, next(iter(there.values())))
    for own in dict.fromkeys(map(tuple, there.values())):
        lacking = [name for name in wanted if name not in own]
        if lacking:
            log.info("images with the channels %s lack %s: not embedded", ", ".join(own), ", ".join(lacking))
        elif list(own) != wanted:
            _log_positions(wanted, list(own))
    return index[index["experiment"].isin(having)].reset_index(drop=True)


def _log_positions(wanted: list[str], there: list[str]) -> None:
    unused = [name for name in there if name not in wanted]
    log.info(
        "the model's channels %s are the stored channels %s of %d%s",
        ", ".join(wanted),
        ", ".join(str(position + 1) for position in channel_positions(wanted, there)),
        len(there),
        f"; not looked at: {', '.join(unused)}" if unused else "",
    )


def _require_size(images: ImageSet, size: tuple[int, int]) -> None:
    """Area averaging to a larger size would repeat pixels without a word."""
    sizes, seen = set(), f"{size[0]} x {size[1]}"
    for experiment in images.rows["experiment"].unique():
        (_, height, width), _ = images.reader.layout(np.array([experiment]))
        sizes.add(f"{height} x {width}")
        if height < size[0] or width < size[1]:
            raise DataError(
                f"{experiment}: images of {height} x {width} pixels are smaller than the model's input of {seen}; "
                "lower `image.downsample` or raise `image.crop` in the screen, or choose another model"
            )
        if not keeps_shape((height, width), size):
            raise DataError(
                f"{experiment}: images of {height} x {width} pixels would be stretched to the model's input of {seen}; "
                f"crop them to its shape by `image.crop: [height, width]`, or choose another model"
            )
    if sizes != {seen}:
        log.info("images of %s pixels are area-averaged to %s", " and ".join(sorted(sizes)), seen)
