"""Macro-averaged F1 of named tasks by nearest neighbours (CHAMMI, Tables 2 to 4)."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.recipe import Variation
from debatch.config.tables import Table
from debatch.registry.variants import Deriver, Variant
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin
from debatch.report.kinds.base import OfVariations, TableKind, same_rows
from debatch.report.kinds.readouts import training_notes
from debatch.report.results import ByRun, Results

MEAN = "ood"
AS_IT_IS = Variant("", "", {})


class TasksTable(OfVariations, Table):
    """F1 of each task of each part, and its mean over tasks out of distribution."""

    kind: Literal["tasks"] = Field("tasks", description="F1 of each named task by nearest neighbours, and their mean.")
    familiar: bool = Field(True, description="Whether it shows tasks whose images are like those that train.")
    variations: dict[str, Variation] = Field(
        default={}, description="Changes of every method's recipe, a row each; none: the methods as they are."
    )
    joined_by: str = Field(" - ", description="What stands between method and change in the paper's names of rows.")

    def published_row(self, row: str) -> str:
        """Of a method and a change: both by the paper's names, where the change has one there."""
        method, _, change = row.partition(".")
        names = [self.published_rows.get(method, method), self.published_rows.get(change, change)]
        return self.joined_by.join(filter(None, names))


class Tasks(TableKind[TasksTable]):
    """A row a method or a change of it, a column a task; means over tasks out of distribution first."""

    spec = TasksTable
    needs = ("tasks",)
    trains = True

    def variants(self, target: str, spec: Any, deriver: Deriver) -> list[Variant] | None:
        """Its changes, those that come to the same here as one; None where it has none."""
        return deriver.variations(target, spec.methods, spec.variations) if spec.variations else None

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, split = self.spec_of(name, registry), registry.splits(name)[0]
        rows: dict[str, str] = {}
        called: dict[str, str] = {}
        frames: dict[str, ByRun] = {}
        changes = registry.variants.get(name, [])
        for method in registry.rows(name):
            for change in changes or [AS_IT_IS]:
                row = ".".join(filter(None, [method, change.key]))
                rows[row] = ", ".join(filter(None, [registry.title(method), change.title]))
                trained = change.methods.get(method, method)
                called.setdefault(trained, registry.title(method))
                frames[row] = results.by_seed("tasks", name, trained, split)
        places = _places(list(frames.values()), results, familiar=spec.familiar)
        cells = {
            (row, column): _cell(own, metric, part, task)
            for row, own in frames.items()
            for column, (_, metric, part, task) in places.items()
        }
        notes = [
            "macro-averaged F1 of the classes that a task has: an image's class is that of the nearest training image "
            "by cosine similarity; OOD: mean over a part's tasks out of distribution, and over parts",
            "nothing was drawn but networks: the spread says nothing of other images or tasks",
            *same_rows(changes),
            *training_notes(results, [run for own in frames.values() for run in own.runs], called),
            f"split: {split}",
        ]
        headings = {column: heading for column, (heading, *_) in places.items()}
        return Draft(rows, headings, cells, unit="", decimals=3, notes=notes)


def _places(frames: Sequence[ByRun], results: Results, *, familiar: bool) -> dict[str, tuple[str, str, str, str]]:
    """Column -> heading, metric, part and task."""
    config = results.registry.screen.splits
    rows = pd.concat([frame for own in frames for frame in own] or [pd.DataFrame(columns=["metric", "part", "task"])])
    of_tasks = rows[rows["metric"] == "task_f1"].drop_duplicates(["part", "task"])
    parts = list(dict.fromkeys(of_tasks["part"]))
    places = {MEAN: ("OOD, mean", "ood_f1", "", "")}
    places |= {f"{MEAN}_{part}": (f"OOD, {part}", "ood_f1", part, "") for part in parts}
    for part in parts:
        for task in config.tasks:
            there = ((of_tasks["part"] == part) & (of_tasks["task"] == task)).any()
            if there and (familiar or not config.tasks[task].familiar):
                title = f"{part}, {task.replace('_', ' ')}"
                places[f"{part}_{task}"] = (title, "task_f1", part, task)
    return places


def _cell(frames: ByRun, metric: str, part: str, task: str) -> Cell:
    values = []
    for frame in frames:
        own = frame[
            (frame["metric"] == metric)
            & (frame["part"].fillna("") == part)
            & (frame["task"].fillna("") == task)
            & (frame["class"].fillna("") == "")
        ]["value"]
        values += [float(value) for value in own if np.isfinite(value)]
    origin = Origin.of(frames)
    if not values:
        return Cell(note="the run is of no image of this part" if len(frames) else NOT_RUN, origin=origin)
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Cell(float(np.mean(values)), sd, len(values), origin=origin)


KIND = Tasks()
