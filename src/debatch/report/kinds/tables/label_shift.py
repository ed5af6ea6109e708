"""What adaptive batch norm loses where a batch holds only some of its classes."""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from debatch.config.statistics import Statistics
from debatch.config.tables import Table
from debatch.registry.kinds import ManyStatistics
from debatch.report.cells import NOT_RUN, Cell, Draft, pooled
from debatch.report.kinds.base import ByMetric, TableKind
from debatch.report.kinds.statistics import (
    ALL,
    ALONE,
    COST,
    WHOLE,
    ByClasses,
    counted,
    many_statistics,
    scored_images,
    shift_cells,
    under,
)
from debatch.report.results import ByRun, Results

CLASSES, SHIFT = "classes", "total_variation"


class LabelShiftTable(ByClasses, ByMetric, Table):
    """A metric where a batch holds some of its classes."""

    kind: Literal["label_shift"] = Field(
        "label_shift", description="A metric where a batch holds only some of its classes."
    )


class LabelShift(TableKind[LabelShiftTable]):
    """A row a share of a batch's classes; of each method the same images under two choices of statistics."""

    spec = LabelShiftTable
    needs = ("adaptation",)
    trains = True

    def statistics(self, spec: Any, inference: str) -> ManyStatistics:
        """The whole batch's, and those of some classes."""
        return many_statistics(inference, (), spec.classes)

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, split = self.spec_of(name, registry), registry.splits(name)[0]
        rows = {ALL: "All"} | {Statistics(classes=percent).name: f"{percent} %" for percent in spec.classes}
        columns = {CLASSES: "Classes of a batch", SHIFT: "Total variation"}
        formats = {CLASSES: ("", 0), SHIFT: ("", 2)}
        cells: dict[tuple[str, str], Cell] = {}
        for method in registry.rows(name):
            frames, title = results.by_seed("adaptation", name, method, split), registry.title(method)
            for row in rows:
                if frames and (row, CLASSES) not in cells:
                    cells |= {(row, metric): over_batches(frames, row, metric) for metric in (CLASSES, SHIFT)}
            if registry.recipes[method].inference == "train":
                columns[method] = title
                cells |= {(row, method): pooled(under(frames, "train", row), spec.metric, NOT_RUN) for row in rows}
                continue
            columns |= {
                f"{method}.{ALONE}": f"{title}, statistics of these classes alone",
                f"{method}.{WHOLE}": f"{title}, of the whole batch",
                f"{method}.{COST}": f"{title}, these classes alone less whole batch",
            }
            formats[f"{method}.{COST}"] = ("points", 1)
            for row in rows:
                shifted = shift_cells(frames, row, spec.metric)
                cells |= {(row, f"{method}.{part}"): cell for part, cell in shifted.items()}
        notes = [
            f"each test batch of split {split} is treated as if it held the images of some of its classes alone, at "
            "least two, chosen by a hash of their names, treatments and controls alike; these images are scored over "
            "all classes that were trained on",
            "all numbers of a row are of the same images; the difference, in percentage points and paired by seed and "
            "batch, is what the missing classes do: below zero they cost accuracy",
            "total variation: half the summed difference of a batch's class frequencies from the training images', 0 "
            "the same mix, 1 no class in common; mean over batches, in brackets the extremes",
            scored_images(split),
        ]
        ranges = {CLASSES: "batches", SHIFT: "batches"}
        return Draft(rows, columns, cells, formats=formats, ranges_of=ranges, notes=notes, **spec.format)


def over_batches(frames: ByRun, subset: str, metric: str) -> Cell:
    """What the mix of classes is: mean over test batches, with the extremes; no seed changes it."""
    frame, origin = frames[0], counted(frames)
    values = frame.loc[(frame["metric"] == metric) & (frame["subset"] == subset), "value"]
    if values.empty:
        return Cell(note="no labelled test image", origin=origin)
    return Cell(float(np.mean(values)), None, len(values), float(values.min()), float(values.max()), origin=origin)


KIND = LabelShift()
