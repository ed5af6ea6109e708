"""A metric by cell type after training on few batches of that cell type (Table 4 of the RxRx1 paper, section 5.5)."""

from collections.abc import Sequence
from dataclasses import replace
from math import comb
from typing import Any, Literal

import numpy as np
from pydantic import Field

from debatch.config.screen import Screen
from debatch.config.splits import Split
from debatch.config.tables import Table
from debatch.evaluate.metrics import METRICS
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin, pooled
from debatch.report.frames import by_seed
from debatch.report.kinds.base import ByMetric, TableKind
from debatch.report.kinds.luck import add_position_row
from debatch.report.published import Estimate
from debatch.report.results import ByRun, Results

DRAWS = "_draws"


class FewBatchesTable(ByMetric, Table):
    """A metric by cell type, trained on few batches."""

    kind: Literal["few_batches"] = Field(
        "few_batches",
        description="A metric by cell type after training on few batches of that cell type, drawn from the training "
        "side of the split.",
    )
    draws: int = Field(1, ge=1, description="Draws of batches: the first with all seeds, the others with one.")


class FewBatchesKind(TableKind[FewBatchesTable]):
    """A column a cell type: mean and sd over seeds on the first draw; then, over draws with one seed each."""

    spec = FewBatchesTable
    needs = ("metrics", "nulls")
    trains = True

    def lacking(self, spec: Any, screen: Screen) -> str:
        """The splits must be known before anything runs."""
        if screen.training_batches():
            return ""
        return (
            "needs to know the cell types before there is metadata: say in `splits.cell_types` how many training "
            "batches of `separated` each has, as in {HUVEC: 16, U2OS: 3}"
        )

    def splits(self, spec: Any, screen: Screen) -> list[str]:
        """The draws of each cell type, as many as there are different ones."""
        return [
            Split("few", cell_type=cell_type, draw=draw).name
            for cell_type, batches in screen.training_batches().items()
            for draw in range(min(spec.draws, comb(batches, min(batches, screen.splits.few_batches))))
        ]

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, methods = self.spec_of(name, registry), registry.rows(name)
        by_type = splits_by_cell_type(registry.splits(name))
        cells = {}
        for method in methods:
            for cell_type, splits in by_type.items():
                drawn = [results.by_seed("metrics", name, method, split) for split in splits]
                over = _over_draws(drawn, spec.metric)
                # the paper's ± is of runs on drawn batches: the choice of batches is part of it
                judged = Estimate(over.mean, over.sd, over.n) if over.mean is not None else None
                cells[method, cell_type] = replace(pooled(drawn[0], spec.metric, NOT_RUN), judged=judged)
                cells[method, cell_type + DRAWS] = over
        draws = {cell_type + DRAWS: f"{cell_type}, over draws" for cell_type in by_type}
        columns = {cell_type: cell_type for cell_type in by_type} | draws
        trained, size = registry.screen.training_batches(), registry.screen.splits.few_batches
        fewer = {cell_type: min(size, trained[cell_type]) for cell_type in by_type}
        notes = [
            f"trained on {_counts(fewer, size)} of the named cell type alone, tested on its test batches",
            "the cell types' own columns: one draw of training batches, all seeds; over draws: the first seed on each "
            "draw (n draws), ± the sd of draws and in brackets the lowest and highest of them: what the choice of "
            "batches does, apart from the seed",
            "test images of classes that the drawn batches do not show are kept, and count as wrong",
        ]
        single = [cell_type for cell_type, splits in by_type.items() if len(splits) == 1]
        if single:
            notes.append(f"{', '.join(single)}: one draw, of all the training batches that there are")
        rows = {method: registry.title(method) for method in methods}
        ranges = dict.fromkeys(draws, "draws")
        draft = Draft(rows, columns, cells, notes=notes, ranges_of=ranges, **spec.format)
        first = {cell_type: (splits[0], cell_type) for cell_type, splits in by_type.items()}
        return add_position_row(draft, first, spec.metric, results)


def splits_by_cell_type(splits: Sequence[str]) -> dict[str, list[str]]:
    """Cell type -> its draws in order."""
    found: dict[str, list[str]] = {}
    for split in splits:
        found.setdefault(Split.named(split).cell_type, []).append(split)
    return found


def _over_draws(draws: list[ByRun], metric: str) -> Cell:
    """Mean, sd and range over draws of the first seed's metric."""
    first = [frames.first() for frames in draws]
    origin = Origin.of(*first, words="the first seed on each draw of training batches")
    if len(draws) == 1:
        return Cell(words="one draw", origin=origin)
    values = [METRICS[metric].factor * value for frames in first for value in by_seed(frames, metric)]
    if not values:
        return Cell(note=NOT_RUN, origin=origin)
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Cell(float(np.mean(values)), sd, len(values), min(values), max(values), origin=origin)


def _counts(by_type: dict[str, int], size: int) -> str:
    """`3 batches`, and those cell types that have fewer."""
    words = f"{size} batch{'es' if size > 1 else ''}"
    fewer = [f"{cell_type}: {n}" for cell_type, n in by_type.items() if n < size]
    return f"{words} ({', '.join(fewer)}, for want of more)" if fewer else words


KIND = FewBatchesKind()
