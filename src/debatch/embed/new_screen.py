"""A trained model's embeddings of a screen that it was not trained on."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from debatch.config.recipe import Recipe
from debatch.config.trained import channel_positions
from debatch.embed.embed import outputs_by_group
from debatch.embed.statistics import screen_groups
from debatch.embedding_table import embedding_table
from debatch.errors import DataError
from debatch.model.inputs import ImageSet
from debatch.model.network import Network
from debatch.screen.store import channel_names

log = logging.getLogger(__name__)


def embed_screen(network: Network, images: ImageSet, recipe: Recipe) -> pd.DataFrame:
    """Embeddings of all images, labelled or not, in index order.

    There are no predictions: the classes and the batches are those of the model's own screen. Pixels need not be stored
    as those were (uint8 or uint16, another `image.range`), since standardisation takes offset and scale out; what a
    range cut off stays cut off. Images larger than the network's input are area-averaged to it, whatever a pixel
    measures: that cells are as large as the model knows them is for the screen's `image.downsample` and `image.crop`.

    Args:
        network: trained, with its own statistics in its batch-norm layers.
        images: all images of the screen, with the model's channels in the model's order.
        recipe: the model's; its `inference` says under whose statistics an image is looked at (`screen_groups`).

    Returns:
        `Metadata_*` columns, then one float32 column a feature.

    Raises:
        DataError: images are smaller than the network's input, or statistics would come from fewer than two.
    """
    _require_size(images, recipe.pixels)
    embeddings = np.full((len(images), recipe.embedding_width), np.nan, np.float32)
    groups = screen_groups(recipe.inference, images.rows, recipe)
    for positions, outputs, _ in outputs_by_group(network, images, groups, recipe):
        embeddings[positions] = outputs.embedding.cpu().numpy()
    return embedding_table(images.rows, embeddings)


def model_channels(wanted: list[str], stores: dict[str, Path]) -> list[int] | None:
    """Which channels of a screen's stores are a model's, in the model's order; None: all, as stored.

    Args:
        wanted: the model's C channels.
        stores: of the screen, by experiment.

    Raises:
        DataError: the screen lacks some, or its stores differ in their channels.
    """
    there: list[str] = []
    for store in stores.values():
        own = channel_names(store)
        there = there or own
        if own != there:
            raise DataError(f"{store}: channels {own}, other stores of the screen have {there}; ingest them again")
    if wanted == there:
        return None
    positions = channel_positions(wanted, there)
    unused = [name for name in there if name not in wanted]
    log.info(
        "the model's channels %s are the stored channels %s of %d%s",
        ", ".join(wanted),
        ", ".join(str(position + 1) for position in positions),
        len(there),
        f"; not looked at: {', '.join(unused)}" if unused else "",
    )
    return positions


def _require_size(images: ImageSet, pixels: int) -> None:
    """Area averaging to a larger size would repeat pixels without a word."""
    sizes = set()
    for experiment in images.rows["experiment"].unique():
        (_, height, width), _ = images.reader.layout(np.array([experiment]))
        sizes.add(f"{height} x {width}")
        if min(height, width) < pixels:
            raise DataError(
                f"{experiment}: images of {height} x {width} pixels are smaller than the model's input of {pixels} x "
                f"{pixels}; lower `image.downsample` or raise `image.crop` in the screen, or choose another model"
            )
    if sizes != {f"{pixels} x {pixels}"}:
        log.info("images of %s pixels are area-averaged to %d x %d", " and ".join(sorted(sizes)), pixels, pixels)
