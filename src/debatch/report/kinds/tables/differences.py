"""Differences between methods, paired: the same seeds, and the same test batches in every draw."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import pandas as pd
from pydantic import Field

from debatch.config.tables import Table
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin, batch_mean, scaled_cell
from debatch.report.frames import by_batch, by_seed
from debatch.report.kinds.base import ByMetric, TableKind, split_column
from debatch.report.results import Results


class DifferencesTable(ByMetric, Table):
    """Paired differences between methods."""

    kind: Literal["differences"] = Field("differences", description="A metric of methods less others, paired.")


class Differences(TableKind[DifferencesTable]):
    """Each method's metric less each other's that stands before it, those from the first method on top."""

    spec = DifferencesTable
    needs = ("metrics",)

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, splits, methods = self.spec_of(name, registry), registry.splits(name), registry.rows(name)
        pairs = sorted(combinations(methods, 2), key=lambda pair: methods.index(pair[0]))
        rows = {pair_key(b, a): f"{registry.title(b)} − {registry.title(a)}" for a, b in pairs}
        cells = {}
        for split in splits:
            column, _ = split_column(split, spec.metric)
            for a, b in pairs:
                frames, less = results.pair("metrics", name, (b, a), split)
                cells[pair_key(b, a), column] = paired(frames, less, spec.metric)
        notes = [
            "percentage points; brackets that hold 0 mean that the test batches do not say which of the two is better; "
            "each row's are for that row alone, and among many rows some leave 0 out by chance",
            "paired: sd of the differences of equal seeds; a draw of test batches serves both methods",
        ]
        columns = dict(split_column(split, spec.metric) for split in splits)
        contrasts = {pair_key(b, a): (b, a) for a, b in pairs}
        return Draft(rows, columns, cells, signed=True, contrasts=contrasts, notes=notes, **spec.format)


def pair_key(method: str, less: str) -> str:
    """The row of a method less another."""
    return f"{method}_minus_{less}"


def paired(frames: Sequence[pd.DataFrame], less: Sequence[pd.DataFrame], metric: str) -> Cell:
    """One method's metric less another's, seed by seed and batch by batch.

    Args:
        frames: metrics of one method, seed by seed.
        less: of the other, of the same seeds.
        metric: its name there.
    """
    origin = Origin.of(frames, less)
    values = [a - b for a, b in zip(by_seed(frames, metric), by_seed(less, metric), strict=True)]
    if not values:
        return Cell(note=NOT_RUN, origin=origin)
    both = by_batch(frames, metric).merge(
        by_batch(less, metric)[["value"]], left_index=True, right_index=True, suffixes=("", "_less")
    )
    if both.empty:  # methods of two parts of a screen
        return Cell(note="no batch in common")
    spread = batch_mean(both.assign(value=both["value"] - both["value_less"]), values, "plain")
    return scaled_cell(metric, values, spread, "", origin)


KIND = Differences()
