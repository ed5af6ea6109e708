"""A run's training images, with labels and batches as the losses need them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from debatch.config.recipe import Label, LearnFrom
from debatch.config.screen import CONTROLS
from debatch.errors import DataError
from debatch.screen.classes import classes_of
from debatch.screen.subsets import images_in


@dataclass(frozen=True)
class TrainingData:
    """The training side of a split.

    Attributes:
        rows: N index rows.
        labels: (N,) class indices.
        batches: (N,) indices into `batch_names`.
        batch_names: the training batches.
        classes: number of classes of the screen, of what its labels are.
    """

    rows: pd.DataFrame
    labels: np.ndarray
    batches: np.ndarray
    batch_names: list[str]
    classes: int


def training_data(
    index: pd.DataFrame,
    split: pd.DataFrame,
    shuffle_labels: bool,
    seed: int,
    learn_from: LearnFrom = "all",
    label: Label = "perturbation",
) -> TrainingData:
    """The labelled training images of a split.

    Args:
        index: the screen's images, of the parts that the run is of.
        split: image_id, subset.
        shuffle_labels: permute the labels over wells (a null).
        seed: of that permutation.
        learn_from: which of them.
        label: what they are labelled by; images whose mechanism is not known are left out.

    Raises:
        DataError: there is no training image, or one has no label.
    """
    classes = classes_of(index, label)
    rows = index[index["image_id"].isin(images_in(split, "train"))].reset_index(drop=True)
    if rows.empty:
        raise DataError(
            f"no image of {', '.join(map(str, index['part'].unique()))} is on the training side of the split; see "
            "`parts` of the recipe and `splits.test_batches`"
        )
    rows = rows[_learned_from(rows, learn_from)].reset_index(drop=True)
    if rows.empty:
        raise DataError(
            f"none of the split's training images is left under `learn_from: {learn_from}`; see `well_types` of the "
            "screen, which says what is a control"
        )
    own = rows["image_id"].map(dict(zip(index["image_id"], classes, strict=True)))
    if label == "mechanism":
        rows, own = rows[own.notna()].reset_index(drop=True), own.dropna()
        if rows.empty:
            raise DataError("no training image of the split has a mechanism; see `columns.mechanism`")
    if own.isna().any():
        raise DataError(f"the training image {rows.loc[own.isna(), 'image_id'].iloc[0]} has no label")
    labels = np.array(own, np.int64)  # a copy, which torch and the null may write to
    if shuffle_labels:
        labels = _shuffled_over_wells(rows, labels, seed)
    names, batches = np.unique(rows["batch"].to_numpy(str), return_inverse=True)
    return TrainingData(rows, labels, batches.astype(np.int64), names.tolist(), int(classes.dropna().max()) + 1)


def _learned_from(rows: pd.DataFrame, rule: LearnFrom) -> np.ndarray:
    """(N,) bool: the images that a network learns from."""
    controls = rows["well_type"].isin(CONTROLS).to_numpy()
    match rule:
        case "controls":
            return controls
        case "treatments":
            return ~controls
        case "half_of_treatments":
            # by label, so that every run leaves out the same ones
            place = {label: at for at, label in enumerate(np.unique(rows.loc[~controls, "label"].dropna()))}
            return controls | (rows["label"].map(place) % 2 == 1).to_numpy()
        case "half_of_images":
            order = rows.sort_values(["well", "site"], kind="stable")
            number = order.groupby(["label", "experiment", "plate"], sort=False).cumcount().reindex(rows.index)
            return controls | (number % 2 == 0).to_numpy()
    return np.ones(len(rows), bool)


def _shuffled_over_wells(rows: pd.DataFrame, labels: np.ndarray, seed: int) -> np.ndarray:
    """Labels permuted well by well: sites of a well keep one label, as in a real screen."""
    wells = rows.groupby(["experiment", "plate", "well"], sort=True).ngroup().to_numpy()
    first = np.unique(wells, return_index=True)[1]
    return np.random.default_rng([seed, 2]).permutation(labels[first])[wells]
