"""Named tasks of a run: each image gets the class of its nearest neighbour, and each task its macro-averaged F1."""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from debatch.config.splits import SUBSETS, Splits
from debatch.embedding_table import features_of
from debatch.errors import DataError
from debatch.evaluate.f1 import f1_by_class
from debatch.evaluate.neighbors import nearest_label
from debatch.screen.subsets import images_in
from debatch.screen.tasks import left_out_groups

log = logging.getLogger(__name__)

# a part, a task or a class that is empty: all of them
COLUMNS = ["metric", "part", "task", "class", "value", "n"]
ALL = ""
Row = tuple[str, str, str, str, float, int]


def task_scores(
    training: pd.DataFrame, scored: pd.DataFrame, index: pd.DataFrame, split: pd.DataFrame, config: Splits
) -> pd.DataFrame:
    """Score a run's embeddings by the tasks of its split, each part of the screen by itself.

    An image's class is that of the nearest training image of its part by cosine similarity. In a task that leaves
    groups out (`Task.leave_out`) the task's images of other groups are neighbours too. Images without a label are left
    out.

    Args:
        training: embeddings of the split's training images, with `Metadata_*` columns.
        scored: those of its tasks' images.
        index: the screen's images.
        split: image_id, subset.
        config: what is said of the tasks.

    Returns:
        Tidy: metric, part, task, class, value (a share), n. `task_f1` of a part's task, the mean over classes that are
        there, and `task_accuracy`, both of n images; `class_f1` of each of its classes, of n images. `ood_f1` of a
        part, the mean over its n tasks out of distribution (not `Task.familiar`); and of all parts (no part), the mean
        of theirs, where the run is of all of the screen's. No number depends on the order of images.

    Raises:
        DataError: no training image of a part, or no image of any task, has a label and a finite embedding; or groups
            are not as `left_out_groups` needs them.

    Source: Chen et al. 2023 (CHAMMI), appendix B.5 and Table 2.
    """
    rows = index.set_index("image_id")
    bank, queries = _usable(training, rows), _usable(scored, rows)
    found: list[Row] = []
    means: dict[str, dict[str, float]] = {}
    for part in rows["part"].unique():
        asked = queries[queries["part"] == part]
        own = bank[bank["part"] == part]
        if asked.empty:
            continue
        if own.empty:
            raise DataError(f"no training image of {part} has a label and a finite embedding")
        known, classes = features_of_rows(training, own), own["perturbation"].to_numpy(str)
        for task in config.tasks:
            of_task = asked[asked.index.isin(images_in(split, task))]
            if of_task.empty:
                continue
            predicted = _predicted(known, classes, features_of_rows(scored, of_task), of_task, config, task, str(part))
            scores = list(_scores(str(part), task, of_task["perturbation"].to_numpy(str), predicted))
            found += scores
            if not config.tasks[task].familiar:
                means.setdefault(str(part), {})[task] = scores[0][4]
    if not found:
        raise DataError("no image of any task of the split has a label and a finite embedding")
    found += _means(means, _parts_out_of_distribution(rows, split, config))
    return pd.DataFrame(found, columns=COLUMNS)


def ood_means(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Mean score over tasks out of distribution, of each part and (no part) over parts, each part weighing the same.

    Args:
        scores: of each part, of each of its tasks out of distribution.
    """
    by_part = {part: float(np.mean(list(own.values()))) for part, own in scores.items()}
    return {**by_part, ALL: float(np.mean(list(by_part.values())))}


def features_of_rows(table: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """(n, D) features of some rows of a table, `rows["row"]` being their places in it."""
    return features_of(table.iloc[rows["row"].to_numpy()])


def _usable(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The index rows of what can be used, and their places in the table; in one order, whatever order they came in."""
    own = rows.loc[table["Metadata_Image"]].assign(row=np.arange(len(table)))
    usable = np.isfinite(features_of(table)).all(axis=1) & own["perturbation"].notna().to_numpy()
    if not usable.all():
        log.warning("%d of %d images have no label or no finite embedding", (~usable).sum(), len(table))
    return own[usable].sort_index(kind="stable")


def _predicted(
    bank: np.ndarray,
    classes: np.ndarray,
    queries: np.ndarray,
    images: pd.DataFrame,
    config: Splits,
    task: str,
    part: str,
) -> np.ndarray:
    groups = left_out_groups(images.reset_index(), config, task, part)
    if groups is None:
        return nearest_label(bank, classes, queries)
    together = np.concatenate([bank, queries])
    of_each = np.concatenate([classes, images["perturbation"].to_numpy(str)])
    codes = pd.factorize(groups)[0]
    # training images are of no group, and so barred to none
    return nearest_label(together, of_each, queries, np.concatenate([np.full(len(bank), -1), codes]), codes)


def _scores(part: str, task: str, labels: np.ndarray, predicted: np.ndarray) -> Iterator[Row]:
    classes, f1, counts = f1_by_class(labels, predicted)
    if len(classes) == 1:
        log.warning("%s, %s: all %d images are of the class %s", part, task, len(labels), classes[0])
    yield "task_f1", part, task, ALL, float(f1.mean()), len(labels)
    yield "task_accuracy", part, task, ALL, float((labels == predicted).mean()), len(labels)
    for name, value, count in zip(classes, f1, counts, strict=True):
        yield "class_f1", part, task, str(name), float(value), int(count)


def _parts_out_of_distribution(rows: pd.DataFrame, split: pd.DataFrame, config: Splits) -> set[str]:
    """The parts of the screen that have a task out of distribution."""
    strange = {name for name, task in config.tasks.items() if not task.familiar}
    asked = split[~split["subset"].isin(SUBSETS) & split["subset"].isin(strange)]
    return {str(part) for part in rows["part"].reindex(asked["image_id"].unique()).dropna().unique()}


def _means(scores: dict[str, dict[str, float]], parts: set[str]) -> Iterator[Row]:
    if not scores:
        return
    means = ood_means(scores)
    for part, own in scores.items():
        yield "ood_f1", part, ALL, ALL, means[part], len(own)
    if lacking := sorted(parts - scores.keys()):
        log.info("no mean over parts: the run is of none of the images of %s", ", ".join(lacking))
        return
    yield "ood_f1", ALL, ALL, ALL, means[ALL], len(scores)
