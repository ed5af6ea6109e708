"""Batch effect removed against biology kept: every method and correction as a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

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
        "A point is one method's embeddings under one correction; large with a black rim: as they are, and a thin line "
        "leads from there to each correction. Dotted: a random neighbour. Grey band: what permuted batches give, their "
        "middle 95 % from the lowest to the highest of the methods. Within it this metric alone does not tell the "
        "batch (others may: see the table), and beyond it wells of one batch are pushed apart; at the top biology is "
        "kept. Means; intervals are in the table."
    )

    def corrections(self, spec: Any) -> list[str]:
        """The figure's own."""
        return list(spec.corrections)

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """Two panels, for what is kept and for what over-correction would cost; best is at the top of the dotted line.

        Returns:
            The figure, and a row a point: method, correction, metric, mean, low, high.
        """
        numbers = correction_points(name, results)
        defined = set(numbers.loc[numbers["mean"].notna(), "metric"])
        kept = next((metric for metric in BIOLOGY if metric in defined), None)
        several = len(set(numbers["method"])) > 1
        costs = [m for m in (AMONG_METHODS if several else COST) if m in defined and m != kept]
        panels = [metric for metric in (kept, *costs[:1]) if metric is not None]
        with look():
            named = len(set(numbers["method"])) == 1
            figure = new_figure(4.9 * max(len(panels), 1) + (0.4 if named else 1.9), 4.9 if named else 5.3)
            if BATCH not in defined or not panels:
                figure.text(0.5, 0.5, "No batch or no biology metric is defined on this screen.", ha="center")
                return figure, numbers
            axes = figure.subplots(1, len(panels), squeeze=False)[0]
            for axis, metric in zip(axes, panels, strict=True):
                _scatter(axis, numbers, metric)
                _mark_chance(axis, numbers)
            figure.suptitle(figure_title(name, results.registry))
            _legends(figure, numbers)
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


def _scatter(axis: Axes, numbers: pd.DataFrame, metric: str) -> None:
    """A point each; from a method's own embeddings a thin line leads to each correction of them.

    Colours tell methods apart and markers corrections; a single method's corrections are named beside their points.
    """
    table = numbers.pivot(index=["method", "correction"], columns="metric", values="mean")
    corrections = list(dict.fromkeys(numbers["correction"]))
    methods = list(dict.fromkeys(numbers["method"]))
    for at, method in enumerate(methods):
        own = table.loc[method].reindex(corrections)[[BATCH, metric]].dropna()
        points = list(own.itertuples(name=None))
        for correction, x, y in points:
            number = corrections.index(correction)
            plain = number == 0
            colour = COLOURS[(at if len(methods) > 1 else number) % len(COLOURS)]
            if not plain and points[0][0] == corrections[0]:
                axis.plot([points[0][1], x], [points[0][2], y], color=colour, lw=0.6, alpha=0.35, zorder=1)
            axis.scatter(
                x,
                y,
                s=130 if plain else 52,
                c=colour,
                marker=MARKERS[number % len(MARKERS)],
                edgecolors="black" if plain else "white",
                linewidths=1.2 if plain else 0.5,
                zorder=2 if plain else 3,  # a large one would hide what did not move
            )
        if len(methods) == 1:
            _name_points(axis, points)
    axis.set(xlabel=_label(BATCH), ylabel=_label(metric), box_aspect=1)
    axis.margins(0.12)


def _name_points(axis: Axes, points: list[tuple[str, float, float]]) -> None:
    """Each point's correction above it, or where no other point is near."""
    heights = [y for *_, y in points]
    near = 0.12 * ((max(heights) - min(heights)) or 1) if heights else 0
    for correction, x, y in points:
        others = [other - y for name, at, other in points if name != correction and abs(at - x) < 12]
        above, below = (any(0 <= sign * other < near for other in others) for sign in (1, -1))
        offset, side = ((-9, 0), "right") if above and below else ((0, -12 if above else 11), "center")
        axis.annotate(correction, (x, y), offset, textcoords="offset points", fontsize=8, ha=side, va="center")


def _mark_chance(axis: Axes, numbers: pd.DataFrame) -> None:
    """Turn the batch axis round, so that the batch effect shrinks to the right, and mark what chance gives."""
    band = numbers[numbers["metric"] == OF_PERMUTED].dropna()
    if len(band):
        low, high = band["low"].min(), band["high"].max()
        axis.axvspan(low, high, color="#d0d7de", lw=0, zorder=0)
        axis.annotate(
            "permuted batches, middle 95 %", (high, 0.02), xycoords=("data", "axes fraction"), fontsize=8,
            color="#57606a", rotation=90, ha="right", va="bottom",
        )  # fmt: skip
    chance = numbers.loc[numbers["metric"] == OF_CHANCE, "mean"].dropna()
    if len(chance):
        axis.axvline(chance.iloc[0], color="#57606a", lw=1, ls=":", zorder=0)
        axis.annotate(
            "a random neighbour", (chance.iloc[0], 0.02), xycoords=("data", "axes fraction"), fontsize=8,
            color="#57606a", rotation=90, ha="right", va="bottom",
        )  # fmt: skip
        axis.annotate(
            "best", (chance.iloc[0], 1.0), xycoords=("data", "axes fraction"), fontsize=8.5, color="#57606a",
            ha="center", va="bottom",
        )  # fmt: skip
    axis.invert_xaxis()


def _label(metric: str) -> str:
    shown = METRICS[metric]
    return shown.title + (f" ({shown.unit})" if shown.unit else "")


def _legends(figure: Drawing, numbers: pd.DataFrame) -> None:
    from matplotlib.lines import Line2D

    methods = list(dict.fromkeys(numbers["method"]))
    if len(methods) == 1:
        return  # the points are named
    colours = [
        Line2D([], [], linestyle="", marker="o", color=COLOURS[at % len(COLOURS)], label=method)
        for at, method in enumerate(methods)
    ]
    markers = [
        Line2D([], [], linestyle="", marker=MARKERS[at % len(MARKERS)], color="#57606a", label=correction)
        for at, correction in enumerate(dict.fromkeys(numbers["correction"]))
    ]
    figure.legend(handles=colours, loc="outside lower center", ncols=4, fontsize=8.5)
    figure.legend(handles=markers, loc="outside right center", fontsize=8.5)


KIND = CorrectionKind()
