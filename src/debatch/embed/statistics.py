"""Whose images give the batch-norm statistics under which an image is looked at."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from debatch.errors import DataError
from debatch.model.population import hash_order
from debatch.screen.splits import scored_subset


@dataclass(frozen=True)
class StatisticsGroup:
    """Images that share their statistics.

    Attributes:
        name: `train`, or the batch.
        reference: (R,) positions in the index of the images that the statistics come from.
        images: (M,) positions in the index of the images to embed.
    """

    name: str
    reference: np.ndarray
    images: np.ndarray


def statistics_groups(
    inference: str, index: pd.DataFrame, split: pd.DataFrame, statistics_images: int
) -> list[StatisticsGroup]:
    """The test images of a split (or its `val` images, where it has no others), by the statistics of each.

    `train`: a fixed set of training images. `batch`: the training images of the image's batch where the split has such;
    else all images of that batch that the split calls test, unlabelled ones too. Statistics from the very images that a
    probe is scored on would push it below chance, so the training images go first.

    Raises:
        DataError: the split has no test image in the index.
    """
    subset = index["image_id"].map(split.set_index("image_id")["subset"]).to_numpy()
    train, test = np.flatnonzero(subset == "train"), np.flatnonzero(subset == scored_subset(split))
    if not len(test):
        raise DataError("the split has no test image among the screen's images")
    if inference == "train":
        first = hash_order(index["image_id"].iloc[train])[:statistics_images]
        return [StatisticsGroup("train", train[first], test)]
    batches = index["batch"].to_numpy(str)
    groups = []
    for batch in np.unique(batches[test]):
        images = test[batches[test] == batch]
        own_training = train[batches[train] == batch]
        reference = own_training if len(own_training) else images
        if len(reference) < 2:
            raise DataError(
                f"the test batch {batch} has a single image to take batch-norm statistics from; at least two are "
                "needed: leave the batch out by `metadata.select`, or choose larger batches"
            )
        groups.append(StatisticsGroup(str(batch), reference, images))
    return groups
