"""Differences between methods, paired: the same seeds, and the same test batches in every draw."""

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from debatch.evaluate.uncertainty import pooled_interval
from debatch.report.cells import NOT_RUN, Cell, Draft, by_batch, by_seed, percent_cell
from debatch.report.kinds.tables.generalization import split_column
from debatch.report.results import Results


def draft(name: str, results: Results) -> Draft:
    """Each method's accuracy less each other's that stands before it, those from the first method on top."""
    registry = results.registry
    splits, methods = registry.splits(name), registry.rows(name)
    pairs = sorted(combinations(methods, 2), key=lambda pair: methods.index(pair[0]))
    rows = {pair_key(b, a): f"{registry.title(b)} − {registry.title(a)}" for a, b in pairs}
    cells = {}
    for split in splits:
        for a, b in pairs:
            cells[pair_key(b, a), split_column(split)[0]] = paired(*results.pair("metrics", name, (b, a), split))
    notes = [
        "percentage points; a range that holds 0 means that the test batches do not say which of the two is better",
        "paired: sd of the differences of equal seeds; every draw of test batches serves both methods",
    ]
    columns = dict(split_column(split) for split in splits)
    return Draft(rows, columns, cells, signed=True, notes=notes)


def pair_key(method: str, less: str) -> str:
    """The row of a method less another."""
    return f"{method}_minus_{less}"


def paired(frames: Sequence[pd.DataFrame], less: Sequence[pd.DataFrame]) -> Cell:
    """One method's accuracy less another's, seed by seed and batch by batch.

    Args:
        frames: metrics of one method, seed by seed.
        less: of the other, of the same seeds.
    """
    values = [a - b for a, b in zip(by_seed(frames, "accuracy"), by_seed(less, "accuracy"), strict=True)]
    if not values:
        return Cell(note=NOT_RUN)
    both = by_batch(frames, "accuracy").merge(
        by_batch(less, "accuracy"), left_index=True, right_index=True, suffixes=("", "_less")
    )
    if both.empty:  # methods of two parts of a screen
        return Cell(note="no batch in common")
    low, high = pooled_interval((both["value"] - both["value_less"]).tolist(), both["n"].tolist())
    return percent_cell(values, low, high)
