"""Accuracy by cell type after training on few batches of that cell type (Table 4)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from debatch.config.splits import few_batches
from debatch.report.cells import NOT_RUN, Cell, Draft, by_seed, pooled
from debatch.report.results import Results

DRAWS = "_draws"


def draft(name: str, results: Results) -> Draft:
    """A column a cell type: mean and sd over seeds on the first draw of batches; then, over draws with one seed each.

    Source: RxRx1 paper, section 5.5.
    """
    registry = results.registry
    by_type = splits_by_cell_type(registry.splits(name))
    methods = registry.rows(name)
    cells = {}
    for method in methods:
        for cell_type, splits in by_type.items():
            frames = results.by_seed("metrics", name, method, splits[0])
            cells[method, cell_type] = pooled(frames, "accuracy", NOT_RUN)
            cells[method, cell_type + DRAWS] = _over_draws(
                [results.by_seed("metrics", name, method, split) for split in splits]
            )
    columns = {cell_type: cell_type for cell_type in by_type}
    columns |= {cell_type + DRAWS: f"{cell_type}, over draws" for cell_type in by_type}
    trained = registry.screen.training_batches()
    size = registry.screen.splits.few_batches
    fewer = {cell_type: min(size, trained[cell_type]) for cell_type in by_type}
    notes = [
        f"trained on {_counts(fewer, size)} of the named cell type alone, tested on its test batches",
        "the cell types' own columns: one draw of training batches, all seeds; over draws: the first seed on each draw "
        "(n draws), ± the sd of draws and in brackets the lowest and highest of them: what the choice of batches does, "
        "apart from the seed",
        "test images of classes that the drawn batches do not show are kept, and count as wrong",
    ]
    single = [cell_type for cell_type, splits in by_type.items() if len(splits) == 1]
    if single:
        notes.append(f"{', '.join(single)}: one draw, of all the training batches that there are")
    rows = {method: registry.title(method) for method in methods}
    return Draft(
        rows, columns, cells, notes=notes, ranges_of={column: "draws" for column in columns if column.endswith(DRAWS)}
    )


def splits_by_cell_type(splits: Sequence[str]) -> dict[str, list[str]]:
    """Cell type -> its draws in order."""
    found: dict[str, list[str]] = {}
    for split in splits:
        few = few_batches(split)
        if few is not None:
            found.setdefault(few.cell_type, []).append(split)
    return found


def _over_draws(draws: list[list[pd.DataFrame]]) -> Cell:
    """Mean, sd and range over draws of the first seed's accuracy."""
    if len(draws) == 1:
        return Cell(words="one draw")
    values = [100 * accuracy for frames in draws for accuracy in by_seed(frames[:1], "accuracy")]
    if not values:
        return Cell(note=NOT_RUN)
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Cell(float(np.mean(values)), sd, len(values), min(values), max(values))


def _counts(by_type: dict[str, int], size: int) -> str:
    """`3 batches`, and those cell types that have fewer."""
    words = f"{size} batch{'es' if size > 1 else ''}"
    fewer = [f"{cell_type}: {n}" for cell_type, n in by_type.items() if n < size]
    return f"{words} ({', '.join(fewer)}, for want of more)" if fewer else words
