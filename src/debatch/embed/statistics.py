"""Whose images give the batch-norm statistics under which an image is looked at."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from debatch.config.recipe import Recipe
from debatch.config.screen import CONTROLS
from debatch.errors import DataError
from debatch.screen.order import hash_order, nearly_equal_groups, well_names, well_quarters
from debatch.screen.splits import scored_subset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StatisticsGroup:
    """Images that share their statistics.

    Attributes:
        name: `train`, or the batch or plate.
        reference: (R,) positions in the index of the images that the statistics come from; empty: the network's own
            statistics, as they were loaded. Such a group stands alone, since any other overwrites those.
        images: (M,) positions in the index of the images to embed.
    """

    name: str
    reference: np.ndarray
    images: np.ndarray


def statistics_groups(
    inference: str, index: pd.DataFrame, split: pd.DataFrame, recipe: Recipe
) -> list[StatisticsGroup]:
    """The test images of a split (or its `val` images, where it has no others), by the statistics of each.

    `train`: a fixed set of training images. `batch`: the training images of the image's batch where the split has such;
    else all images of that batch that the split calls test, unlabelled ones too. Statistics from the very images that a
    probe is scored on would push it below chance, so the training images go first. `plate`: likewise by plate.
    `controls`: of the batch's images, the positive and negative control wells alone. `n32`: 32 of them, in the order
    of a hash of their names. `mini_batch`: the test images of a batch in that order, in nearly equal groups of the
    recipe's size, each by itself. `half`: the batch's test wells in two halves, and of each half some wells give the
    statistics and the others are embedded; a batch of very few wells is left out.

    Args:
        inference: one of these.
        index: the screen's images.
        split: image_id, subset.
        recipe: for `statistics_images` and `group`.

    Raises:
        DataError: the split has no test image in the index; or statistics would come from fewer than two images.
    """
    subset = index["image_id"].map(split.set_index("image_id")["subset"]).to_numpy()
    train, test = np.flatnonzero(subset == "train"), np.flatnonzero(subset == scored_subset(split))
    if not len(test):
        raise DataError("the split has no test image among the screen's images")
    if inference == "train":
        first = hash_order(index["image_id"].iloc[train])[: recipe.statistics_images]
        groups = [StatisticsGroup("train", train[first], test)]
    elif inference == "mini_batch":
        groups = [
            StatisticsGroup(name, group, group)
            for name, images, _ in _domains(_names(index, "batch"), train, test)
            for group in nearly_equal_groups(images[hash_order(index["image_id"].iloc[images])], recipe.group)
        ]
    elif inference == "half":
        domains = _domains(_names(index, "batch"), train, test)
        groups = [group for name, images, _ in domains for group in _halves(index, name, images)]
    else:
        domains = _domains(_names(index, "plate" if inference == "plate" else "batch"), train, test)
        groups = [StatisticsGroup(name, _chosen(inference, index, pool), images) for name, images, pool in domains]
    for group in groups:
        _require_two(group, inference)
    return groups


def training_groups(inference: str, index: pd.DataFrame, split: pd.DataFrame, recipe: Recipe) -> list[StatisticsGroup]:
    """The training images of a split, under the statistics that test images of the same batches are looked at under.

    A probe that is fitted on them and scored on the test images so meets one kind of embedding.

    Args:
        inference: `train`, `batch`, `plate`, `controls`, or a number of images.
        index: the screen's images.
        split: image_id, subset; batches stand on both of its sides.
        recipe: for `statistics_images`.
    """
    train = np.flatnonzero(index["image_id"].isin(set(split.loc[split["subset"] == "train", "image_id"])))
    if inference == "train":
        first = hash_order(index["image_id"].iloc[train])[: recipe.statistics_images]
        return [StatisticsGroup("train", train[first], train)]
    names = _names(index, "plate" if inference == "plate" else "batch")
    domains = [(str(name), train[names[train] == name]) for name in np.unique(names[train])]
    if inference == "mini_batch":
        groups = [
            StatisticsGroup(name, group, group)
            for name, own in domains
            for group in nearly_equal_groups(own[hash_order(index["image_id"].iloc[own])], recipe.group)
        ]
    else:
        groups = [StatisticsGroup(name, _chosen(inference, index, own), own) for name, own in domains]
    for group in groups:
        _require_two(group, inference)
    return groups


def screen_groups(inference: str, index: pd.DataFrame, recipe: Recipe) -> list[StatisticsGroup]:
    """All images of a screen that the model was not trained on, labelled or not, by the statistics of each.

    `train`: the network's own, which are those of its training images; nothing of this screen goes into them. Anything
    else as `statistics_groups` has it on a split in which every image is a test image.

    Args:
        inference: as there; `half` leaves images out, and is not for this.
        index: the screen's images.
        recipe: the model's.

    Raises:
        DataError: statistics would come from fewer than two images.
    """
    if inference == "train":
        return [StatisticsGroup("train", np.zeros(0, np.int64), np.arange(len(index)))]
    return statistics_groups(inference, index, pd.DataFrame({"image_id": index["image_id"], "subset": "test"}), recipe)


def _names(index: pd.DataFrame, kind: str) -> np.ndarray:
    names = index["batch"] if kind == "batch" else index["experiment"] + "_" + index["plate"]
    return names.to_numpy(str)


def _domains(names: np.ndarray, train: np.ndarray, test: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each domain with test images: its name, those images, and the images that its statistics may come from."""
    for name in np.unique(names[test]):
        images, training = test[names[test] == name], train[names[train] == name]
        yield str(name), images, training if len(training) else images


def _chosen(inference: str, index: pd.DataFrame, pool: np.ndarray) -> np.ndarray:
    if inference == "controls":
        return pool[index["well_type"].iloc[pool].isin(CONTROLS).to_numpy()]
    if inference.startswith("n"):
        return pool[hash_order(index["image_id"].iloc[pool])[: int(inference[1:])]]
    return pool


def _halves(index: pd.DataFrame, name: str, images: np.ndarray) -> list[StatisticsGroup]:
    """Two groups of a batch that share no well: the first and the third quarter give statistics to the next one."""
    rows = index.iloc[images]
    quarters = well_quarters(well_names(rows), rows["batch"].to_numpy(str))
    groups = [StatisticsGroup(name, images[quarters == at], images[quarters == at + 1]) for at in (0, 2)]
    if all(len(group.reference) >= 2 and len(group.images) for group in groups):
        return groups
    log.warning("%s: too few wells to take statistics from halves of them; left out", name)
    return []


def _require_two(group: StatisticsGroup, inference: str) -> None:
    if len(group.reference) >= 2:
        return
    what = {
        "controls": "control image (see `well_types`)",
    }.get(inference, "image")
    raise DataError(
        f"{group.name}: test statistics {inference!r} would come from {len(group.reference) or 'no'} {what}; at least "
        "two are needed: choose other `test_statistics`, leave it out by `metadata.select`, or choose larger batches"
    )
