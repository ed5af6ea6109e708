"""One trained model's predictions under many choices of test-time statistics."""

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


class PredictedUnder(NamedTuple):
    """The predictions of a split's test images under one choice of test-time statistics.

    Attributes:
        statistics: its name.
        groups: the images, by the statistics of each.
        predictions: as in `Embedded`; None: a batch or plate holds fewer images than its statistics need, and an
            accuracy over the other batches would be of other images than those it is compared with.
    """

    statistics: str
    groups: list[StatisticsGroup]
    predictions: pd.DataFrame | None


def predict_under_each(
    network: Network, images: ImageSet, names: list[str], split: pd.DataFrame, recipe: Recipe, batch_names: list[str]
) -> Iterator[PredictedUnder]:
    """Predict a split's test images under one choice of test-time statistics after another.

    Args:
        network: trained.
        images: all images of the index.
        names: of test-time statistics.
        split: image_id, subset.
        recipe: the run's.
        batch_names: the training batches, in the batch head's order.
    """
    # no warning of statistics that come from few images: they are what is asked for, and the caller gets their number
    few_images = logging.getLogger("debatch.embed.embed")
    before, few_images.disabled = few_images.disabled, True
    try:
        for name in names:
            groups = intended_groups(name, images.rows, split, recipe)
            fewest = parse_statistics(name).images or FEWEST
            predictions = None
            if all(len(group.reference) >= fewest for group in groups):
                predictions = embed_images(network, images, groups, recipe, batch_names).predictions
            yield PredictedUnder(name, groups, predictions)
    finally:
        few_images.disabled = before
