"""Folds: whole batches, or all that share a value of a column, in blocks, of which each is tested once."""

import numpy as np
import pandas as pd

from debatch.config.splits import Splits
from debatch.errors import DataError
from debatch.screen.draws import batches_by_cell_type, in_drawn_order, in_natural_order
from debatch.screen.index import metadata_column

Blocks = list[set[str]]


def fold(index: pd.DataFrame, config: Splits, number: int) -> pd.Series:
    """The subset of each image in a fold (from 1): its block is `test`, and the one before it `val` where it has such.

    Dealt in a drawn order, a fold tests on the block of its number. In natural order fold 1 tests on the last block,
    fold 2 on the first, and so on, as in cross-validation that moves on by a block from fold to fold.

    Raises:
        DataError: there is no such column, a value of it is empty, there are too few batches or values, or a batch is
            in two blocks.
    """
    folds, column = config.folds or number, config.fold_column
    units = index["batch"] if column is None else _values(index, column)
    by_group = batches_by_cell_type(index) if column is None else {"": in_natural_order(units)}
    if config.fold_order == "natural":
        blocks, test = _cut(by_group, folds), (number - 2) % folds
    else:
        blocks, test = _dealt(in_drawn_order(by_group, config.seed, "folds"), folds), number - 1
    held_out = {"test": blocks[test]}
    if config.fold_validation:
        held_out["val"] = blocks[(test - 1) % folds]
    # plain dealing looks at its own block alone, so that what was drawn so stays drawn so
    plainly_dealt = config.fold_order == "drawn" and column is None and not config.fold_validation
    if not all(held_out.values() if plainly_dealt else blocks):
        what = "batches" if column is None else f"values of the column {column!r}"
        raise DataError(
            f"split 'fold{number}': {units.nunique()} {what} cannot fill {folds} folds; set fewer `splits.folds`"
        )
    if not plainly_dealt:
        _refuse_parted_batches(index["batch"], units, blocks)
    subset = pd.Series("train", index=index.index, dtype=object)
    for side, block in held_out.items():
        subset = subset.mask(units.isin(block), side)
    return subset


def _values(index: pd.DataFrame, column: str) -> pd.Series:
    """What a column of the metadata says of each image."""
    values = metadata_column(index, column, "splits.fold_column")
    empty = values.isna()
    if empty.any():
        raise DataError(
            f"splits.fold_column: {empty.sum()} of {len(index)} rows have no {column!r}, the first "
            f"{index['image_id'][empty].iloc[0]}; fill it in, or leave them out by `metadata.select`"
        )
    return values


def _dealt(by_group: dict[str, list[str]], folds: int) -> Blocks:
    """All groups' names dealt one by one: a group goes on where the last one ended, so that blocks stay level."""
    blocks: Blocks = [set() for _ in range(folds)]
    for at, name in enumerate(name for own in by_group.values() for name in own):
        blocks[at % folds].add(name)
    return blocks


def _cut(by_group: dict[str, list[str]], folds: int) -> Blocks:
    """Each group's names cut into runs of nearly equal length; longer ones take turns, so that blocks stay level."""
    blocks: Blocks = [set() for _ in range(folds)]
    first_longer = 0
    for own in by_group.values():
        least, longer = divmod(len(own), folds)
        sizes = [least + ((at - first_longer) % folds < longer) for at in range(folds)]
        first_longer += longer
        ends = np.cumsum(sizes)
        for block, start, end in zip(blocks, ends - sizes, ends, strict=True):
            block |= set(own[start:end])
    return blocks


def _refuse_parted_batches(batches: pd.Series, units: pd.Series, blocks: Blocks) -> None:
    """Refuse a batch that is in two blocks: it would train and test one fold, or be tested twice."""
    places = pd.DataFrame({"batch": batches, "unit": units}).drop_duplicates()
    of = pd.DataFrame([(name, at) for at, block in enumerate(blocks) for name in block], columns=["unit", "block"])
    parted = places.merge(of, on="unit").drop_duplicates(["batch", "block"])
    parted = parted[parted["batch"].duplicated(keep=False)]
    if len(parted):
        batch = in_natural_order(parted["batch"])[0]
        raise DataError(
            f"splits.folds: {parted['batch'].nunique()} batches are in two blocks, as {batch!r}; a fold holds out "
            "whole batches: name a `splits.fold_column` whose value is one in all of a batch, or another "
            "`columns.batch`"
        )
