"""Batch effect removed against biology kept: every method and correction as a point."""

from __future__ import annotations

from itertools import product
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.evaluate.metrics import METRICS
from debatch.files import UNCORRECTED
from debatch.report.frames import by_seed
from debatch.report.kinds.base import FigureKind, OfCorrections
from debatch.report.kinds.tables.correction import BATCH, BIOLOGY, PERMUTED, SHOWN, null_cell, score_cell
from debatch.report.results import Results
from debatch.report.style import COLOURS, figure_title, look, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "p")
# of a share's axis
LEAST_SPAN = 0.2
GREY, BAND = "#57606a", "#d0d7de"
OF_CHANCE, OF_PERMUTED = f"{BATCH}_chance", f"{BATCH}_permuted"
# of over-correction: the first that the screen defines
COST = ("weak_separability", "separability", "positive_control_retention")
# weak perturbations, and what is kept of positive controls, are of each method's own
AMONG_METHODS = ("separability",)


class CorrectionFigure(OfCorrections, Figure):
    """Batch effect removed against biology kept."""

    kind: Literal["correction"] = Field("correction", description="Batch effect removed against biology kept.")


class CorrectionKind(FigureKind[CorrectionFigure]):
    """Batch effect removed against biology kept."""

    spec = CorrectionFigure
    needs = ("scores",)
    whole_screen = True
    caption = (
        "A point is one method's embeddings under one correction; a column a method, where there are several. To the "
        "right less of the batch effect is left, at the top more of the biology is kept. Large with a black rim: "
        "uncorrected embeddings, and a thin line leads from there to each correction. Bars: intervals or ranges over "
        "batches, as the table of corrections has them; none where it has none. Dotted: a random neighbour, the best "
        "that a correction can reach. Grey band: the middle 95 % of permuted batches. Within it this metric alone "
        "finds no batch (others may: see the table), and to the right of it wells of one batch are pushed apart."
    )

    def corrections(self, spec: Any) -> list[str]:
        """The figure's own."""
        return list(spec.corrections)

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """A row for what is kept and one for what over-correction would cost; a column a method.

        Best is at the top of the dotted line. A single method has its panels side by side.

        Returns:
            The figure, and a row a point: method, correction, metric, mean, low, high.
        """
        numbers = correction_points(name, results)
        defined = set(numbers.loc[numbers["mean"].notna(), "metric"])
        kept = next((metric for metric in BIOLOGY if metric in defined), None)
        several = len(set(numbers["method"])) > 1
        costs = [m for m in (AMONG_METHODS if several else COST) if m in defined and m != kept]
        panels = [metric for metric in (kept, *costs[:1]) if metric is not None]
        methods = list(dict.fromkeys(numbers["method"]))
        with look():
            if BATCH not in defined or not panels:
                figure = new_figure(6, 0.6)
                figure.text(0.5, 0.5, "No batch or no biology metric is defined on this screen.", ha="center")
                return figure, numbers
            shape = (len(panels), len(methods)) if len(methods) > 1 else (1, len(panels))
            side = 2.5 if len(methods) > 1 else 3.6
            figure = new_figure(side * shape[1] + 2.4, (side + 0.1) * shape[0] + 0.5)
            grid = figure.subplots(*shape, squeeze=False, sharex=True, sharey="row" if len(methods) > 1 else False)
            for (metric, method), axis in zip(product(panels, methods), grid.flat, strict=True):
                _scatter(axis, numbers[numbers["method"] == method], list(dict.fromkeys(numbers["correction"])), metric)
                _mark_chance(axis, numbers[numbers["method"] == method])
                axis.set_title(method)
            for axis in grid[:-1].flat:
                axis.set_xlabel("")
            for axis in grid[:, 1:].flat if len(methods) > 1 else ():
                axis.set_ylabel("")
            for axis in grid[:, 0] if len(methods) > 1 else grid.flat:
                axis.set_ylim(_widened(axis.get_ylim(), panels[0] if axis is grid[0, 0] else panels[-1]))
            grid[0, 0].set_xlim(_widened(grid[0, 0].get_xlim(), BATCH)[::-1])
            figure.suptitle(figure_title(name, results.registry))
            _legend(figure, numbers)
        return figure, numbers


def correction_points(name: str, results: Results) -> pd.DataFrame:
    """Every metric of every method and correction: method, correction (titles), metric, mean, low, high."""
    registry = results.registry
    split = registry.splits(name)[0]
    records = []
    for method in registry.rows(name):
        for correction in registry.corrections_of(name):
            frames = results.by_seed("scores", name, method, split, correction)
            titles = registry.title(method), registry.correction_title(correction)
            for metric in SHOWN:
                cell = score_cell(frames, metric)
                records.append((*titles, metric, cell.mean, cell.low, cell.high))
            chance = by_seed(frames, OF_CHANCE)
            records.append((*titles, OF_CHANCE, 100 * sum(chance) / len(chance) if chance else None, None, None))
        band = null_cell(results, name, method, BATCH, PERMUTED)
        titles = registry.title(method), registry.correction_title(UNCORRECTED)
        records.append((*titles, OF_PERMUTED, band.mean, band.low, band.high))
    return pd.DataFrame(records, columns=["method", "correction", "metric", "mean", "low", "high"]).astype(
        {"mean": float, "low": float, "high": float}
    )


def _scatter(axis: Axes, own: pd.DataFrame, corrections: list[str], metric: str) -> None:
    """A method's point for each correction, with bars; from the uncorrected one a thin line leads to each."""
    tables = {part: own.pivot(index="correction", columns="metric", values=part) for part in ("mean", "low", "high")}
    points = tables["mean"].reindex(corrections)[[BATCH, metric]].dropna()
    for correction, x, y in points.itertuples(name=None):
        number = corrections.index(correction)
        colour, plain = COLOURS[number % len(COLOURS)], number == 0
        if not plain and points.index[0] == corrections[0]:
            axis.plot([points.iloc[0, 0], x], [points.iloc[0, 1], y], color=GREY, lw=0.6, alpha=0.5, zorder=1)
        bars = [np.array([tables[end].at[correction, of] for end in ("low", "high")]) for of in (BATCH, metric)]
        axis.plot(bars[0], [y, y], color=colour, lw=1, alpha=0.6, zorder=1.5)
        axis.plot([x, x], bars[1], color=colour, lw=1, alpha=0.6, zorder=1.5)
        axis.scatter(
            x,
            y,
            s=110 if plain else 46,
            c=colour,
            marker=MARKERS[number % len(MARKERS)],
            edgecolors="black" if plain else "white",
            linewidths=1.2 if plain else 0.5,
            zorder=2 if plain else 3,  # a large one would hide what did not move
        )
    axis.set(xlabel=_label(BATCH), ylabel=fill(_label(metric), 30), box_aspect=1)
    axis.margins(0.1)


def _mark_chance(axis: Axes, own: pd.DataFrame) -> None:
    """What chance gives of a method's embeddings."""
    band = own[own["metric"] == OF_PERMUTED].dropna()
    if len(band):
        axis.axvspan(band["low"].min(), band["high"].max(), color=BAND, lw=0, zorder=0)
    chance = own.loc[own["metric"] == OF_CHANCE, "mean"].dropna()
    if len(chance):
        axis.axvline(chance.iloc[0], color=GREY, lw=1, ls=":", zorder=0)


def _widened(limits: tuple[float, float], metric: str) -> tuple[float, float]:
    """Ends of an axis that does not make a few points look like much, and stops where a share does."""
    shown = METRICS[metric]
    (low, high), least = sorted(limits), LEAST_SPAN * shown.factor
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    if shown.is_share:
        # what lies on the end is drawn whole
        low, high = max(low, -0.02 * shown.factor), min(high, 1.02 * shown.factor)
    return low, high


def _label(metric: str) -> str:
    shown = METRICS[metric]
    return shown.title + (f" ({shown.unit})" if shown.unit else "")


def _legend(figure: Drawing, numbers: pd.DataFrame) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [
        Line2D(
            [], [], linestyle="", marker=MARKERS[at % len(MARKERS)], color=COLOURS[at % len(COLOURS)], label=correction
        )
        for at, correction in enumerate(dict.fromkeys(numbers["correction"]))
    ]
    known = set(numbers.loc[numbers["mean"].notna(), "metric"])
    if OF_CHANCE in known:
        handles.append(Line2D([], [], color=GREY, lw=1, ls=":", label="a random neighbour"))
    if OF_PERMUTED in known:
        handles.append(Patch(color=BAND, lw=0, label="permuted batches,\nmiddle 95 %"))
    figure.legend(handles=handles, loc="outside right center", fontsize=8.5)


KIND = CorrectionKind()
