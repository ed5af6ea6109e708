"""What adaptive batch norm loses where a batch holds only some of its classes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from debatch.config.statistics import Statistics
from debatch.report.cells import NOT_RUN, Cell, Draft, pooled
from debatch.report.kinds.tables.adaptation import accuracy_cell, scored_images, under
from debatch.report.kinds.tables.differences import paired
from debatch.report.results import Results

ALL = "all"
CLASSES, SHIFT = "classes", "total_variation"
ALONE, WHOLE, COST = "alone", "whole", "difference"


def draft(name: str, results: Results) -> Draft:
    """A row a share of a batch's classes; of each method the same images under two choices of statistics."""
    registry = results.registry
    spec, split = registry.tables[name], registry.splits(name)[0]
    rows = {ALL: "All"} | {Statistics(classes=percent).name: f"{percent} %" for percent in spec.classes}
    columns = {CLASSES: "Classes of a batch", SHIFT: "Total variation"}
    cells: dict[tuple[str, str], Cell] = {}
    for method in registry.rows(name):
        frames, title = results.by_seed("adaptation", name, method, split), registry.title(method)
        for row in rows:
            if frames and (row, CLASSES) not in cells:
                cells[row, CLASSES], cells[row, SHIFT] = (over_batches(frames, row, what) for what in (CLASSES, SHIFT))
        if registry.recipes[method].inference == "train":
            columns[method] = title
            cells |= {(row, method): pooled(under(frames, "train", row), "accuracy", NOT_RUN) for row in rows}
            continue
        columns |= {
            f"{method}.{ALONE}": f"{title}, statistics of these classes alone",
            f"{method}.{WHOLE}": f"{title}, of the whole batch",
            f"{method}.{COST}": f"{title}, these classes alone less whole batch",
        }
        for row in rows:
            cells |= {(row, f"{method}.{kind}"): cell for kind, cell in shift_cells(frames, row).items()}
    notes = [
        f"each test batch of split {split} is treated as if it held the images of some of its classes alone, at least "
        "two, chosen by a hash of their names, treatments and controls alike; these images are scored over all classes "
        "that were trained on",
        "all numbers of a row are of the same images; the difference, in percentage points and paired by seed and "
        "batch, is what the missing classes do: below zero they cost accuracy",
        "total variation: half the summed difference of a batch's class frequencies from the training images', 0 the "
        "same mix, 1 no class in common; mean over batches, in brackets the extremes",
        scored_images(split),
    ]
    formats = {CLASSES: ("", 0), SHIFT: ("", 2)}
    formats |= {column: ("points", 1) for column in columns if column.endswith(f".{COST}")}
    return Draft(rows, columns, cells, formats=formats, ranges_of={CLASSES: "batches", SHIFT: "batches"}, notes=notes)


def shift_cells(frames: Sequence[pd.DataFrame], subset: str) -> dict[str, Cell]:
    """Accuracy of a subset of classes under their own statistics, under the whole batch's, and the difference."""
    whole = pooled(under(frames, "batch", subset), "accuracy", NOT_RUN)
    if subset == ALL:
        return {ALONE: Cell(words="the same"), WHOLE: whole, COST: Cell(words="none")}
    alone = accuracy_cell(frames, subset, subset)
    difference = Cell(note=alone.note)
    if alone.mean is not None:
        difference = paired(under(frames, subset, subset), under(frames, "batch", subset))
    return {ALONE: alone, WHOLE: whole, COST: difference}


def over_batches(frames: Sequence[pd.DataFrame], subset: str, metric: str) -> Cell:
    """What the mix of classes is: mean over test batches, with the extremes; no seed changes it."""
    frame = frames[0]
    values = frame.loc[(frame["metric"] == metric) & (frame["subset"] == subset), "value"]
    if values.empty:
        return Cell(note="no labelled test image")
    return Cell(float(np.mean(values)), None, len(values), float(values.min()), float(values.max()))
