"""Batch effect removed against biology kept: every method and correction as a point."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.evaluate.metrics import METRICS
from debatch.files import UNCORRECTED
from debatch.report.frames import by_seed
from debatch.report.kinds.base import FigureKind, OfCorrections
from debatch.report.kinds.tables.correction import (
    BATCH,
    BIOLOGY,
    OF_CONTROLS,
    PERMUTED,
    SHOWN,
    deciding,
    null_cell,
    score_cell,
)
from debatch.report.results import Results
from debatch.report.style import MANY_COLOURS, figure_title, look, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "p")
# of a share's axis
LEAST_SPAN = 0.2
GREY, BAND = "#57606a", "#d0d7de"
UNCORRECTED_COLOUR = "#000000"
# whose neighbours the axis is of
_AXES = {
    BATCH: "Nearest neighbour of same batch, treated wells (%)",
    OF_CONTROLS: "Nearest neighbour of same batch, negative controls (%)",
}
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
        "right less of the batch effect is left, at the top more of the biology is kept. The batch effect is that of "
        "treated wells; where (nearly) no treatment is in several batches, that of negative controls, which alone "
        "then tell the two apart: the axis says which. Large and black: uncorrected embeddings, and a thin line "
        "leads from there to each correction. Filled: corrections that see control wells alone; hollow: those that see "
        "all wells. Bars: intervals or ranges, as the table of corrections has them; none where it has none. Dotted: a "
        "random neighbour; to the right of it wells of one batch are pushed apart. Where a grey band is drawn, it is "
        "the middle 95 % of permuted batches: within it this metric alone finds no batch, others may (see the table)."
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
        batch = deciding(results, name, has_controls=OF_CONTROLS in defined)
        styles = _styles(name, results)
        kept = next((metric for metric in BIOLOGY if metric in defined), None)
        several = len(set(numbers["method"])) > 1
        costs = [m for m in (AMONG_METHODS if several else COST) if m in defined and m != kept]
        panels = [metric for metric in (kept, *costs[:1]) if metric is not None]
        methods = list(dict.fromkeys(numbers["method"]))
        with look():
            if batch not in defined or not panels:
                figure = new_figure(6, 0.6)
                figure.text(0.5, 0.5, "No batch or no biology metric is defined on this screen.", ha="center")
                return figure, numbers
            shape = (len(panels), len(methods)) if len(methods) > 1 else (1, len(panels))
            side = 2.5 if len(methods) > 1 else 3.6
            figure = new_figure(side * shape[1] + 2.4, (side + 0.1) * shape[0] + 0.5)
            grid = figure.subplots(*shape, squeeze=False, sharex=True, sharey="row" if len(methods) > 1 else False)
            for (metric, method), axis in zip(product(panels, methods), grid.flat, strict=True):
                _scatter(axis, numbers[numbers["method"] == method], styles, batch, metric)
                _mark_chance(axis, numbers[numbers["method"] == method], batch)
                axis.set_title(method)
            for axis in grid[:-1].flat:
                axis.set_xlabel("")
            for axis in grid[:, 1:].flat if len(methods) > 1 else ():
                axis.set_ylabel("")
            for axis in grid[:, 0] if len(methods) > 1 else grid.flat:
                axis.set_ylim(_widened(axis.get_ylim(), panels[0] if axis is grid[0, 0] else panels[-1]))
                axis.set_yticks(_within(axis.get_yticks(), axis.get_ylim(), panels[0 if axis is grid[0, 0] else -1]))
            grid[0, 0].set_xlim(_widened(grid[0, 0].get_xlim(), batch)[::-1])
            grid[0, 0].set_xticks(_within(grid[0, 0].get_xticks(), grid[0, 0].get_xlim(), batch))
            figure.suptitle(figure_title(name, results.registry))
            _legend(figure, numbers, styles, batch)
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
            for metric in _AXES:
                chance = by_seed(frames, f"{metric}_chance")
                mean = 100 * sum(chance) / len(chance) if chance else None
                records.append((*titles, f"{metric}_chance", mean, None, None))
        titles = registry.title(method), registry.correction_title(UNCORRECTED)
        for metric in _AXES:
            band = null_cell(results, name, method, metric, PERMUTED)
            records.append((*titles, f"{metric}_permuted", band.mean, band.low, band.high))
    return pd.DataFrame(records, columns=["method", "correction", "metric", "mean", "low", "high"]).astype(
        {"mean": float, "low": float, "high": float}
    )


class Style(NamedTuple):
    """Of a correction's point.

    Attributes:
        colour: of its own.
        marker: likewise.
        fill: the colour inside.
    """

    colour: str
    marker: str
    fill: str


def _styles(name: str, results: Results) -> dict[str, Style]:
    """By the corrections' titles; hollow are those that see all wells, so that points on each other stay visible."""
    registry = results.registry
    styles = {}
    for at, correction in enumerate(registry.corrections_of(name)):
        if correction == UNCORRECTED:
            colour, hollow = UNCORRECTED_COLOUR, False
        else:
            colour, hollow = (
                MANY_COLOURS[(at - 1) % len(MANY_COLOURS)],
                registry.corrections[correction].sees == "images",
            )
        fill = "none" if hollow else colour
        styles[registry.correction_title(correction)] = Style(colour, MARKERS[at % len(MARKERS)], fill)
    return styles


def _scatter(axis: Axes, own: pd.DataFrame, styles: dict[str, Style], batch: str, metric: str) -> None:
    """A method's point for each correction, with bars; from the uncorrected one a thin line leads to each."""
    tables = {part: own.pivot(index="correction", columns="metric", values=part) for part in ("mean", "low", "high")}
    points = tables["mean"].reindex(list(styles))[[batch, metric]].dropna()
    first = next(iter(styles))
    for correction, x, y in points.itertuples(name=None):
        style, plain = styles[correction], correction == first
        if not plain and points.index[0] == first:
            axis.plot([points.iloc[0, 0], x], [points.iloc[0, 1], y], color=GREY, lw=0.6, alpha=0.5, zorder=1)
        bars = [np.array([tables[end].at[correction, of] for end in ("low", "high")]) for of in (batch, metric)]
        axis.plot(bars[0], [y, y], color=style.colour, lw=1, alpha=0.6, zorder=1.5)
        axis.plot([x, x], bars[1], color=style.colour, lw=1, alpha=0.6, zorder=1.5)
        hollow = style.fill == "none"
        axis.scatter(
            x,
            y,
            s=100 if plain else 52,
            facecolors=style.fill,
            marker=style.marker,
            edgecolors=style.colour if hollow else "white",
            linewidths=1.6 if hollow else 0.5,
            zorder=2 if plain else 3,  # a large one would hide what did not move
        )
    axis.set(xlabel=fill(_AXES[batch], 34), ylabel=fill(_label(metric), 30), box_aspect=1)
    axis.margins(0.1)


def _mark_chance(axis: Axes, own: pd.DataFrame, batch: str) -> None:
    """What chance gives of a method's embeddings."""
    band = own[own["metric"] == f"{batch}_permuted"].dropna()
    if len(band):
        axis.axvspan(band["low"].min(), band["high"].max(), color=BAND, lw=0, zorder=0)
    chance = own.loc[own["metric"] == f"{batch}_chance", "mean"].dropna()
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


def _within(ticks: Sequence[float], limits: tuple[float, float], metric: str) -> list[float]:
    """Ticks of an axis, none beyond what a share can be."""
    low, high = sorted(limits)
    shown = METRICS[metric]
    if shown.is_share:
        low, high = max(low, 0.0), min(high, shown.factor)
    return [float(tick) for tick in ticks if low - 1e-9 <= tick <= high + 1e-9]


def _label(metric: str) -> str:
    shown = METRICS[metric]
    return shown.title + (f" ({shown.unit})" if shown.unit else "")


def _legend(figure: Drawing, numbers: pd.DataFrame, styles: dict[str, Style], batch: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [
        Line2D(
            [], [], linestyle="", marker=style.marker, color=style.colour, markerfacecolor=style.fill, label=correction
        )
        for correction, style in styles.items()
    ]
    known = set(numbers.loc[numbers["mean"].notna(), "metric"])
    if f"{batch}_chance" in known:
        handles.append(Line2D([], [], color=GREY, lw=1, ls=":", label="a random neighbour"))
    if f"{batch}_permuted" in known:
        handles.append(Patch(color=BAND, lw=0, label="permuted batches,\nmiddle 95 %"))
    figure.legend(handles=handles, loc="outside right center", fontsize=8.5)


KIND = CorrectionKind()
