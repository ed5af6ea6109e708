"""A run's training images, with labels and batches as the losses need them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from debatch.errors import DataError


@dataclass(frozen=True)
class TrainingData:
    """The training side of a split.

    Attributes:
        rows: N index rows.
        labels: (N,) class indices.
        batches: (N,) indices into `batch_names`.
        batch_names: the training batches.
        classes: number of classes of the screen.
    """

    rows: pd.DataFrame
    labels: np.ndarray
    batches: np.ndarray
    batch_names: list[str]
    classes: int


def training_data(index: pd.DataFrame, split: pd.DataFrame, shuffle_labels: bool, seed: int) -> TrainingData:
    """The labelled training images of a split.

    Args:
        index: the screen's images.
        split: image_id, subset.
        shuffle_labels: permute the labels over wells (a null).
        seed: of that permutation.

    Raises:
        DataError: a training image has no label.
    """
    chosen = split.loc[split["subset"] == "train", "image_id"]
    rows = index[index["image_id"].isin(set(chosen))].reset_index(drop=True)
    if rows["label"].isna().any():
        raise DataError(f"the training image {rows.loc[rows['label'].isna(), 'image_id'].iloc[0]} has no label")
    labels = rows["label"].to_numpy(np.int64)
    if shuffle_labels:
        labels = _shuffled_over_wells(rows, labels, seed)
    names, batches = np.unique(rows["batch"].to_numpy(str), return_inverse=True)
    return TrainingData(rows, labels, batches.astype(np.int64), names.tolist(), int(index["label"].dropna().max()) + 1)


def _shuffled_over_wells(rows: pd.DataFrame, labels: np.ndarray, seed: int) -> np.ndarray:
    """Labels permuted well by well: sites of a well keep one label, as in a real screen."""
    wells = rows.groupby(["experiment", "plate", "well"], sort=True).ngroup().to_numpy()
    first = np.unique(wells, return_index=True)[1]
    return np.random.default_rng([seed, 2]).permutation(labels[first])[wells]
