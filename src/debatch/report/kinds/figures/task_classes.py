"""F1 of each class of each task, a heat map (Figure 10 of the CHAMMI paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.report.kinds.base import FigureKind
from debatch.report.results import Results
from debatch.report.style import figure_title, look, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


class TaskClassesFigure(Figure):
    """F1 of each class of each task."""

    kind: Literal["task_classes"] = Field("task_classes", description="F1 of each class of each named task.")


class TaskClasses(FigureKind[TaskClassesFigure]):
    """A panel a part and task; a row a method, a column a class."""

    spec = TaskClassesFigure
    needs = ("tasks",)
    trains = True
    caption = (
        "F1 of each class by nearest neighbours, mean over seeds: a panel a part and task, a row a method (those with "
        "the higher mean over tasks out of distribution below), a column a class with its number of images."
    )

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """The figure of the registry's methods."""
        registry = results.registry
        split = registry.splits(name)[0]
        found = []
        for method in registry.rows(name):
            frames = results.by_seed("tasks", name, method, split)
            found += [frame.assign(method=registry.title(method)) for frame in frames]
        return draw_task_classes(pd.concat(found, ignore_index=True), figure_title(name, registry))


def draw_task_classes(scores: pd.DataFrame, title: str) -> tuple[Drawing, pd.DataFrame]:
    """A heat map a part and task.

    Args:
        scores: `task_scores` of runs, with a column `method`.
        title: of the figure.

    Returns:
        The figure, and a row a method, part, task and class: value, n.
    """
    scores = scores.fillna({"part": "", "task": "", "class": ""})
    mean = scores[(scores["metric"] == "ood_f1") & (scores["part"] == "")].groupby("method")["value"].mean()
    methods = sorted(scores["method"].unique(), key=lambda method: mean.get(method, -1.0))
    keys = ["method", "part", "task", "class"]
    own = scores[scores["metric"] == "class_f1"].groupby(keys, sort=False)[["value", "n"]].mean().reset_index()
    panels = [(str(part), str(task)) for part, task in own[["part", "task"]].drop_duplicates().to_numpy()]
    classes = {panel: list(_of(own, panel)["class"].unique()) for panel in panels}
    across = 2 if len(panels) > 1 else 1
    down = -(-len(panels) // across)
    with look():
        figure = new_figure(4.5 + 4.2 * across, down * (1.6 + 0.28 * len(methods)))
        axes = figure.subplots(down, across, squeeze=False).ravel()
        drawn = None
        for axis, panel in zip(axes, panels, strict=False):
            rows = _of(own, panel)
            values = rows.pivot(index="method", columns="class", values="value").reindex(methods)[classes[panel]]
            drawn = axis.imshow(values.to_numpy(float), vmin=0, vmax=1, cmap="viridis", aspect="auto")
            counts = rows.groupby("class")["n"].max()
            labels = [f"{name} ({int(counts[name]):,})" for name in classes[panel]]
            axis.set(title=f"{panel[0]}, {panel[1].replace('_', ' ')}", yticks=range(len(methods)))
            axis.set_yticklabels(methods, fontsize=8)
            axis.set_xticks(range(len(labels)), labels, rotation=35, ha="right", fontsize=8)
            if len(labels) <= 12:
                _write_values(axis, values.to_numpy(float))
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        if drawn is not None:
            figure.colorbar(drawn, ax=axes.tolist(), label="F1", shrink=0.6)
        figure.suptitle(title)
    return figure, own


def _of(scores: pd.DataFrame, panel: tuple[str, str]) -> pd.DataFrame:
    return scores[(scores["part"] == panel[0]) & (scores["task"] == panel[1])]


def _write_values(axis: Axes, values: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if value < 0.55 else "black"
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)


KIND = TaskClasses()
