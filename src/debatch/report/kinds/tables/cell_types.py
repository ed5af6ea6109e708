"""Accuracy on unseen batches by cell type (Table 3)."""

import pandas as pd

from debatch.report.cells import NOT_RUN, Draft, pooled
from debatch.report.results import Results
from debatch.tabular import read_frame


def draft(name: str, results: Results) -> Draft:
    """Table 3 of the RxRx1 paper: of the model that was trained on all cell types together."""
    registry = results.registry
    split = registry.splits(name)[0]
    methods = registry.rows(name)
    kinds = _cell_types(results)
    cells = {}
    for method in methods:
        frames = results.by_seed("metrics", name, method, split)
        for kind in kinds:
            lacking = "no test batch of this cell type" if frames else NOT_RUN
            cells[method, kind] = pooled(frames, "accuracy", lacking, cell_type=kind)
    rows = {method: registry.title(method) for method in methods}
    return Draft(rows, {kind: kind for kind in kinds}, cells, notes=[f"split {split}; one model for all cell types"])


def _cell_types(results: Results) -> list[str]:
    """The screen's cell types, those with most images first."""
    counts: pd.Series = read_frame(results.files.index())["cell_type"].value_counts()
    return sorted((str(kind) for kind in counts.index), key=lambda kind: (-counts[kind], kind))
