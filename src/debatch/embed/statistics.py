"""Whose images give the batch-norm statistics under which an image is looked at."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from debatch.config.recipe import Recipe
from debatch.config.screen import CONTROLS
from debatch.config.statistics import Domain, Statistics, parse_statistics
from debatch.errors import DataError
from debatch.screen.names.identifiers import plate_ids, well_ids
from debatch.screen.nouns import Noun, noun_of_rows
from debatch.screen.order import few_classes, hash_order, nearly_equal_groups, well_quarters
from debatch.screen.subsets import images_in, scored_images

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
    """The test images of a split (or what else it is scored on, where it has none), by the statistics of each.

    `train`: a fixed set of training images. `batch`: the training images of the image's batch where the split has such;
    else all images of that batch that the split calls test, unlabelled ones too. Statistics from the very images that a
    probe is scored on would push it below chance, so the training images go first. `plate`: likewise by plate.
    `controls`: of the batch's images, the positive and negative control wells alone; `treatments`: the others. `n32`:
    32 of them, in the order of a hash of their names. `plate_controls`, `controls_n32`, `plate_treatments_n32` and so
    on: these together. `classes_50`: as `batch`, of a batch that holds the images of half of its classes alone.
    `mini_batch`: the test images of a batch in the order of that hash, in nearly equal groups of the recipe's size,
    each by itself. `half`: the batch's test wells in two halves, and of each half some wells give the statistics and
    the others are embedded; a batch of very few wells is left out.

    Args:
        inference: one of these.
        index: the screen's images.
        split: image_id, subset.
        recipe: for `statistics_images` and `group`.

    Raises:
        DataError: the split has no test image in the index; or statistics would come from fewer than two images.
    """
    groups = intended_groups(inference, index, split, recipe)
    for group in groups:
        _require_two(group, inference, noun_of_rows(index))
    return groups


def intended_groups(inference: str, index: pd.DataFrame, split: pd.DataFrame, recipe: Recipe) -> list[StatisticsGroup]:
    """As `statistics_groups`, those too whose statistics would come from fewer than two images."""
    train, test = (
        np.flatnonzero(index["image_id"].isin(ids)) for ids in (images_in(split, "train"), scored_images(split))
    )
    if not len(test):
        noun = noun_of_rows(index)
        raise DataError(f"the split has no test {noun.one} among the screen's {noun.many}")
    statistics = parse_statistics(inference)
    if statistics.form == "train":
        first = hash_order(index["image_id"].iloc[train])[: recipe.statistics_images]
        return [StatisticsGroup("train", train[first], test)]
    if statistics.classes is not None:
        held = held_by_few_classes(index, split, statistics.classes)
        train, test = train[held[train]], test[held[test]]
    domains = _domains(_names(index, statistics.domain), train, test)
    if statistics.form == "mini_batch":
        return [
            StatisticsGroup(name, group, group)
            for name, images, _ in domains
            for group in nearly_equal_groups(images[hash_order(index["image_id"].iloc[images])], recipe.group)
        ]
    if statistics.form == "half":
        return [group for name, images, _ in domains for group in _halves(index, name, images)]
    return [StatisticsGroup(name, _chosen(statistics, index, pool), images) for name, images, pool in domains]


def held_by_few_classes(index: pd.DataFrame, split: pd.DataFrame, percent: int) -> np.ndarray:
    """(N,) whether an image is of the classes that its batch is left with (`few_classes`); unlabelled ones are of none.

    Args:
        index: the screen's N images.
        split: image_id, subset; a batch's classes are those of its training and scored images.
        percent: of a batch's classes.
    """
    used = index["image_id"].isin(images_in(split, "train") | scored_images(split))
    labelled = index[(used & index["label"].notna()).to_numpy()]
    held = pd.Series(False, index.index)
    for _, own in labelled.groupby("batch"):
        held[own.index] = own["perturbation"].isin(few_classes(own["perturbation"].unique(), percent))
    return held.to_numpy()


def training_groups(inference: str, index: pd.DataFrame, split: pd.DataFrame, recipe: Recipe) -> list[StatisticsGroup]:
    """The training images of a split, under the statistics that test images of the same batches are looked at under.

    A probe that is fitted on them and scored on the test images so meets one kind of embedding.

    Args:
        inference: as in `statistics_groups`, but for `half` and `classes_50`.
        index: the screen's images.
        split: image_id, subset; batches stand on both of its sides.
        recipe: for `statistics_images`.
    """
    train = np.flatnonzero(index["image_id"].isin(images_in(split, "train")))
    if inference == "train":
        first = hash_order(index["image_id"].iloc[train])[: recipe.statistics_images]
        return [StatisticsGroup("train", train[first], train)]
    statistics = parse_statistics(inference)
    names = _names(index, statistics.domain)
    domains = [(str(name), train[names[train] == name]) for name in np.unique(names[train])]
    if statistics.form == "mini_batch":
        groups = [
            StatisticsGroup(name, group, group)
            for name, own in domains
            for group in nearly_equal_groups(own[hash_order(index["image_id"].iloc[own])], recipe.group)
        ]
    else:
        groups = [StatisticsGroup(name, _chosen(statistics, index, own), own) for name, own in domains]
    for group in groups:
        _require_two(group, inference, noun_of_rows(index))
    return groups


def screen_groups(inference: str, index: pd.DataFrame, recipe: Recipe) -> list[StatisticsGroup]:
    """All images of a screen that the model was not trained on, labelled or not, by the statistics of each.

    `train`: the network's own, which are those of its training images; nothing of this screen goes into them. Anything
    else as `statistics_groups` has it on a split in which every image is a test image.

    Args:
        inference: as there; `half` and `classes_50` leave images out, and are not for this.
        index: the screen's images.
        recipe: the model's.

    Raises:
        DataError: statistics would come from fewer than two images.
    """
    if inference == "train":
        return [StatisticsGroup("train", np.zeros(0, np.int64), np.arange(len(index)))]
    return statistics_groups(inference, index, pd.DataFrame({"image_id": index["image_id"], "subset": "test"}), recipe)


def _names(index: pd.DataFrame, kind: Domain) -> np.ndarray:
    names = index["batch"] if kind == "batch" else plate_ids(index)
    return names.to_numpy(str)


def _domains(names: np.ndarray, train: np.ndarray, test: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each domain with test images: its name, those images, and the images that its statistics may come from."""
    for name in np.unique(names[test]):
        images, training = test[names[test] == name], train[names[train] == name]
        yield str(name), images, training if len(training) else images


def _chosen(statistics: Statistics, index: pd.DataFrame, pool: np.ndarray) -> np.ndarray:
    if statistics.pool != "all":
        controls = index["well_type"].iloc[pool].isin(CONTROLS).to_numpy()
        pool = pool[controls if statistics.pool == "controls" else ~controls]
    if statistics.images is not None:
        pool = pool[hash_order(index["image_id"].iloc[pool])[: statistics.images]]
    return pool


def _halves(index: pd.DataFrame, name: str, images: np.ndarray) -> list[StatisticsGroup]:
    """Two groups of a batch that share no well: the first and the third quarter give statistics to the next one."""
    rows = index.iloc[images]
    quarters = well_quarters(well_ids(rows), rows["batch"].to_numpy(str))
    groups = [StatisticsGroup(name, images[quarters == at], images[quarters == at + 1]) for at in (0, 2)]
    if all(len(group.reference) >= 2 and len(group.images) for group in groups):
        return groups
    log.warning("%s: too few wells to take statistics from halves of them; left out", name)
    return []


def _require_two(group: StatisticsGroup, inference: str, noun: Noun) -> None:
    if len(group.reference) >= 2:
        return
    pool = parse_statistics(inference).pool
    what = noun.one if pool == "all" else f"{pool.removesuffix('s')} {noun.one} (see `well_types`)"
    raise DataError(
        f"{group.name}: test statistics {inference!r} would come from {len(group.reference) or 'no'} {what}; at least "
        "two are needed: choose other `test_statistics`, leave it out by `metadata.select`, or choose larger batches"
    )
