"""A split of named tasks: which images train, and which are scored in which task, as the metadata says."""

import logging

import pandas as pd

from debatch.config.splits import Splits
from debatch.errors import DataError
from debatch.screen.index import metadata_column
from debatch.screen.nouns import noun_of_rows
from debatch.text_cells import is_one_of

log = logging.getLogger(__name__)

_MEANS = {"true": True, "1": True, "false": False, "0": False}


def task_split(index: pd.DataFrame, config: Splits) -> pd.DataFrame:
    """The training images and those of each task.

    Returns:
        image_id, subset (`train`, or a task's name): training images, then each task's, in index order.

    Raises:
        DataError: a column is not there, or says neither True nor False; no image trains, of a part with tasks none, or
            all of one class; a task has no image; or a group that is to be left out is all of a task.
    """
    noun = noun_of_rows(index)
    inside = {name: _said(index, name, task.column or name) for name, task in config.tasks.items()}
    if config.trains is None:
        trained = ~pd.DataFrame(inside).any(axis=1)
    else:
        trained = pd.Series(True, index.index)
        for column, values in config.trains.items():
            trained &= is_one_of(metadata_column(index, column, "splits.trains"), values)
    unlabelled = trained & index["label"].isna()
    if unlabelled.any():
        log.warning(
            "split 'tasks': %d %s that would train have no label and do not, the first %s",
            unlabelled.sum(), noun.many, index["image_id"][unlabelled].iloc[0],
        )  # fmt: skip
    trained &= ~unlabelled
    if not trained.any():
        raise DataError(
            f"split 'tasks': no {noun.one} trains; see `splits.trains`"
            if config.trains is not None
            else f"split 'tasks': every {noun.one} is in a task, so that none trains; say which do by `splits.trains`"
        )
    for name, of_task in inside.items():
        if not of_task.any():
            raise DataError(
                f"split 'tasks': no {noun.one} is in the task {name}: the column {config.tasks[name].column or name!r} "
                "says True of none; mend it, or leave the task out of `splits.tasks`"
            )
    _check_parts(index, trained, pd.DataFrame(inside).any(axis=1))
    for name, of_task in inside.items():
        for part, images in index[of_task].groupby("part", sort=False):
            left_out_groups(images, config, name, str(part))
    sides = [pd.DataFrame({"image_id": index["image_id"][trained], "subset": "train"})]
    sides += [pd.DataFrame({"image_id": index["image_id"][own], "subset": name}) for name, own in inside.items()]
    return pd.concat(sides, ignore_index=True)


def left_out_groups(images: pd.DataFrame, config: Splits, task: str, part: str) -> pd.Series | None:
    """The group of each image of a task in a part, where the task asks about one group after another; else None.

    Args:
        images: (N, …) of the index, of that task and part.
        config: the screen's.
        task: its name.
        part: its name.

    Returns:
        (N,) text.

    Raises:
        DataError: there is no such column; an image is of no group; or all are of one.
    """
    column, key = config.tasks[task].groups_of(part), f"splits.tasks.{task}.leave_out"
    if column is None:
        return None
    groups = metadata_column(images, column, key)
    if groups.isna().any():
        raise DataError(
            f"{key}: {groups.isna().sum()} of {len(images)} images of {part} in the task {task} have no {column!r}, "
            f"the first {images['image_id'][groups.isna()].iloc[0]}; fill it in, or leave them out by `metadata.select`"
        )
    if groups.nunique() == 1:
        raise DataError(
            f"{key}: all {len(images)} images of {part} in the task {task} have the {column} {groups.iloc[0]!r}, so "
            "that without them none of the task is left as a neighbour; name another column, or leave the key out"
        )
    return groups


def _said(index: pd.DataFrame, task: str, column: str) -> pd.Series:
    """(N,) bool: whether the metadata says that an image is of a task."""
    key = f"splits.tasks.{task}"
    cells = metadata_column(index, column, key)
    found = cells.str.lower().map(_MEANS)
    odd = found.isna() & cells.notna()
    if odd.any():
        raise DataError(
            f"{key}: the column {column!r} says {cells[odd].iloc[0]!r} of {index['image_id'][odd].iloc[0]}, and "
            "neither True nor False"
        )
    return found.eq(True)


def _check_parts(index: pd.DataFrame, trained: pd.Series, scored: pd.Series) -> None:
    """Refuse a part of which nothing could be learned."""
    for part, images in index[trained | scored].groupby("part", sort=False):
        classes = images["perturbation"][trained.loc[images.index]].unique()
        if len(classes) == 0:
            raise DataError(
                f"split 'tasks': {scored.loc[images.index].sum()} images of {part} are in tasks, and none of it "
                "trains; see `splits.trains`"
            )
        if len(classes) == 1:
            raise DataError(
                f"split 'tasks': all {len(images)} images of {part} that train are of the class {classes[0]!r}, so "
                "that there is nothing to tell apart; leave the part out, or see `columns.perturbation`"
            )
