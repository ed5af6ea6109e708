"""A metric on unseen batches by cell type (Table 3 of the RxRx1 paper)."""

from typing import Literal

import pandas as pd
from pydantic import Field

from debatch.config.tables import Table
from debatch.report.cells import NOT_RUN, Draft, pooled
from debatch.report.kinds.base import ByMetric, TableKind
from debatch.report.kinds.luck import add_position_row
from debatch.report.results import Results
from debatch.tabular import read_frame


class CellTypesTable(ByMetric, Table):
    """A metric on unseen batches by cell type."""

    kind: Literal["cell_types"] = Field("cell_types", description="A metric on unseen batches by cell type.")


class CellTypes(TableKind[CellTypesTable]):
    """A row a method, a column a cell type; of models that were trained on all cell types together."""

    spec = CellTypesTable
    needs = ("metrics", "nulls")

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, split, methods = self.spec_of(name, registry), registry.splits(name)[0], registry.rows(name)
        cell_types, cells = _cell_types(results), {}
        for method in methods:
            frames = results.by_seed("metrics", name, method, split)
            lacking = "no test batch of this cell type" if frames else NOT_RUN
            for cell_type in cell_types:
                cells[method, cell_type] = pooled(frames, spec.metric, lacking, cell_type=cell_type)
        rows = {method: registry.title(method) for method in methods}
        columns = {cell_type: cell_type for cell_type in cell_types}
        draft = Draft(rows, columns, cells, notes=[f"split {split}; one model for all cell types"], **spec.format)
        return add_position_row(draft, {kind: (split, kind) for kind in cell_types}, spec.metric, results)


def _cell_types(results: Results) -> list[str]:
    """The screen's cell types, those with most images first."""
    counts: pd.Series = read_frame(results.files.index())["cell_type"].value_counts()
    return sorted((str(kind) for kind in counts.index), key=lambda kind: (-counts[kind], kind))


KIND = CellTypes()
