"""One trained model under many choices of test-time statistics."""

import logging
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from debatch.config.recipe import Recipe
from debatch.config.statistics import parse_statistics
from debatch.embed.embed import embed_images
from debatch.embed.statistics import StatisticsGroup, intended_groups
from debatch.model.inputs import ImageSet
from debatch.model.network import Network

FEWEST = 2


class LookedAt(NamedTuple):
    """Test images under one choice of test-time statistics.

    Attributes:
        statistics: its name.
        groups: the images, by the statistics of each.
        predictions: as in `Embedded`; None: a batch or plate holds fewer images than are to give its statistics, so
            that not every image can be looked at in this way, and a number of the others would be of other images.
    """

    statistics: str
    groups: list[StatisticsGroup]
    predictions: pd.DataFrame | None


def by_statistics(
    network: Network, images: ImageSet, names: list[str], split: pd.DataFrame, recipe: Recipe, batch_names: list[str]
) -> Iterator[LookedAt]:
    """A split's test images under one choice of test-time statistics after another.

    Args:
        network: trained.
        images: all images of the index.
        names: of test-time statistics.
        split: image_id, subset.
        recipe: the run's.
        batch_names: the training batches, in the batch head's order.
    """
    # statistics from few images are what is asked for here, and each number of them is handed on
    few_images = logging.getLogger("debatch.embed.embed")
    before, few_images.disabled = few_images.disabled, True
    try:
        for name in names:
            groups = intended_groups(name, images.rows, split, recipe)
            fewest = parse_statistics(name).images or FEWEST
            predictions = None
            if all(len(group.reference) >= fewest for group in groups):
                predictions = embed_images(network, images, groups, recipe, batch_names).predictions
            yield LookedAt(name, groups, predictions)
    finally:
        few_images.disabled = before
