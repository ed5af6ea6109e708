"""A metric by the images that test-time statistics come from: how many, which, and of how many classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.statistics import DOMAINS, POOLS, Statistics
from debatch.config.tables import Figure
from debatch.registry.kinds import ManyStatistics
from debatch.report.cells import NOT_RUN, Cell, pooled
from debatch.report.kinds.base import ByMetric, FigureKind
from debatch.report.kinds.statistics import (
    ALL,
    ALONE,
    DOMAIN_WORDS,
    POOL_WORDS,
    WHOLE,
    ByClasses,
    ByImages,
    available_cell,
    cell_under,
    many_statistics,
    shift_cells,
    under,
)
from debatch.report.results import Results
from debatch.report.style import COLOURS, MARKERS, figure_title, look, new_figure
from debatch.screen.nouns import Noun, stored_noun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.lines import Line2D


COLUMNS = [
    "method", "panel", "chosen", "images", "available", "classes", "mean", "sd", "n", "low", "high", "note",
]  # fmt: skip
SHIFT, WITHOUT = "classes", "none"
INK = "#1b1f24"
GREY = "#8a9199"
STYLES = ("-", "--", ":", "-.")
# how far from the largest number "all" stands, which is another one for each batch and choice
BEYOND = 1.3
LOOKS: dict[str, tuple[str, str]] = dict(zip((*POOLS, ALONE), zip(COLOURS, MARKERS, strict=True), strict=False))
LOOKS |= {WHOLE: LOOKS["all"], WITHOUT: (GREY, "")}
WORDS = {**POOL_WORDS, ALONE: "only the classes left (right)"}


class AdaptationFigure(ByImages, ByClasses, ByMetric, Figure):
    """A metric by how many images give the batch-norm statistics, and which."""

    kind: Literal["adaptation"] = Field(
        "adaptation", description="A metric by how many images give the batch-norm statistics, and which."
    )


class Adaptation(FigureKind[AdaptationFigure]):
    """A metric by how many images give the batch-norm statistics, and which."""

    spec = AdaptationFigure
    needs = ("adaptation",)
    trains = True
    caption = (
        "{metric} over all classes, under batch-norm statistics from some images of a new batch: by how "
        "many of them (chosen by a hash of their names; all: as many as there are, another number for each choice), "
        "of the image's batch (left) or of its plate (middle), by which (colour) and by method (line style). A point "
        "is drawn where every batch or plate holds as many images. Right: a batch is treated as if it held the images "
        "of some of its classes alone; beside it are the same images under the statistics of the whole batch: the gap "
        "is what the missing classes cost. Of unseen batches the scored images are among those that give "
        "the statistics. Means over seeds; bars: how much the test batches differ, as in the tables."
    )

    def statistics(self, spec: Any, inference: str) -> ManyStatistics:
        """Each number of images, from each place; and those of some classes."""
        return many_statistics(inference, spec.images, spec.classes)

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """A panel each for images of the batch and of the plate, and one for batches that hold few of their classes.

        A colour a choice of images, a line style a method; level or dark: methods that take nothing from the new batch.

        Returns:
            The figure, and a row a point (`COLUMNS`): mean, sd, low, high in %, n seeds; available: the median of what
            there is to choose from; mean is NaN, and note says why, where a point is not drawn.
        """
        registry = results.registry
        spec, noun = self.spec_of(name, registry), stored_noun(registry.screen)
        points = pd.DataFrame(_points(name, results, spec), columns=COLUMNS)
        points = points.astype({"mean": float, "sd": float, "low": float, "high": float})
        adapting = [m for m in registry.rows(name) if registry.recipes[m].inference != "train"]
        styles = {registry.title(method): STYLES[at % len(STYLES)] for at, method in enumerate(adapting)}
        with look():
            figure = new_figure(12.0, 4.8)
            *axes, shifted = figure.subplots(1, len(DOMAINS) + 1, sharey=True)
            for domain, axis in zip(DOMAINS, axes, strict=True):
                _by_number(axis, points[points["panel"] == domain], styles, spec)
                for _, level in _lines(points[(points["chosen"] == WITHOUT) & (points["classes"] == ALL)]):
                    axis.axhline(level["mean"].iloc[0], color=GREY, lw=2.2, zorder=1)
                axis.set(xlabel=f"{noun.many} that give the statistics", title=f"{noun.many} {DOMAIN_WORDS[domain]}")
            _by_classes(shifted, points[points["panel"] == SHIFT], styles, spec)
            shifted.set(xlabel="classes that the batch holds (%)", title="few of the classes")
            axes[0].set_ylabel(spec.axis_label)
            shown = points["high"].fillna(points["mean"]).max()
            axes[0].set_ylim(0, min(100, 1.08 * shown) if np.isfinite(shown) and shown > 0 else 100)
            figure.legend(handles=_legend(points, styles, noun), loc="outside lower center", ncols=4)
            figure.suptitle(figure_title(name, registry))
        return figure, points


def _points(name: str, results: Results, spec: AdaptationFigure) -> Iterator[tuple[object, ...]]:
    registry = results.registry
    split = registry.splits(name)[0]
    shares = {ALL: ALL} | {Statistics(classes=percent).name: str(percent) for percent in spec.classes}
    for method in registry.rows(name):
        frames, title = results.by_seed("adaptation", name, method, split), registry.title(method)
        if registry.recipes[method].inference == "train":
            for subset, share in shares.items():
                cell = pooled(under(frames, "train", subset), spec.metric, NOT_RUN)
                yield (title, SHIFT, WITHOUT, "0", None, share, *_numbers(cell))
            continue
        for domain in DOMAINS:
            for pool in POOLS:
                there = available_cell(frames, Statistics(domain=domain, pool=pool).name).mean
                for images in (*spec.images, None):
                    cell = cell_under(frames, Statistics(domain=domain, pool=pool, images=images).name, spec.metric)
                    yield (title, domain, pool, str(images or ALL), there, ALL, *_numbers(cell))
        for subset, share in shares.items():
            cells = shift_cells(frames, subset, spec.metric)
            for chosen in (ALONE, WHOLE):
                cell = cells[chosen if subset != ALL else WHOLE]  # all classes alone are the whole batch
                yield (title, SHIFT, chosen, ALL, None, share, *_numbers(cell))


def _numbers(cell: Cell) -> tuple[object, ...]:
    return cell.mean, cell.sd, cell.n, cell.low, cell.high, cell.note


def _lines(points: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """The lines of a panel that have a point, by method and choice."""
    for (method, chosen), own in points[points["mean"].notna()].groupby(["method", "chosen"], sort=False):
        yield (str(method), str(chosen)), own


def _by_number(axis: Axes, points: pd.DataFrame, styles: dict[str, str], spec: AdaptationFigure) -> None:
    places = {str(images): float(np.log2(images)) for images in spec.images}
    places[ALL] = max(places.values()) + BEYOND
    lines = list(_lines(points))
    for at, ((method, chosen), own) in enumerate(lines):
        x = own["images"].map(places).to_numpy(float) + _aside(at, len(lines))
        numbers = (own["images"] != ALL).to_numpy()
        for part in (numbers, ~numbers):  # a line from a number to "all" would say how far it is
            _line(axis, x[part], own[part], chosen, styles[method])
    axis.axvline(places[ALL] - BEYOND / 2, color="#c8ccd0", lw=0.8)
    axis.set_xticks(list(places.values()), list(places))


def _by_classes(axis: Axes, points: pd.DataFrame, styles: dict[str, str], spec: AdaptationFigure) -> None:
    places = {share: at for at, share in enumerate((ALL, *map(str, spec.classes)))}
    lines = list(_lines(points))
    for at, ((method, chosen), own) in enumerate(lines):
        x = own["classes"].map(places).to_numpy(float) + _aside(at, len(lines))
        _line(axis, x, own, chosen, styles.get(method, "-"))
    axis.set_xticks(list(places.values()), list(places))


def _aside(at: int, lines: int) -> float:
    """Intervals of several lines stand beside one another."""
    return 0.07 * (at - (lines - 1) / 2)


def _line(axis: Axes, x: np.ndarray, own: pd.DataFrame, chosen: str, style: str) -> None:
    if not len(own):
        return
    (colour, marker), mean = LOOKS[chosen], own["mean"].to_numpy()
    axis.plot(x, mean, style, color=colour, marker=marker or None, ms=4.5, lw=1.4)
    axis.vlines(x, own["low"].fillna(own["mean"]), own["high"].fillna(own["mean"]), color=colour, lw=0.8, alpha=0.6)


def _legend(points: pd.DataFrame, styles: dict[str, str], noun: Noun) -> Sequence[Line2D]:
    from matplotlib.lines import Line2D

    drawn = points[points["mean"].notna()]
    # all images of the batch are one choice, in whichever panel
    choices = [choice for choice in LOOKS if choice in WORDS and (drawn["chosen"] == choice).any()]
    handles = [Line2D([], [], color=INK, ls=style, lw=1.4, label=method) for method, style in styles.items()]
    handles += [
        Line2D([], [], color=LOOKS[choice][0], marker=LOOKS[choice][1], ms=4.5, lw=0, label=noun.said(WORDS[choice]))
        for choice in choices
    ]
    still = drawn.loc[drawn["chosen"] == WITHOUT, "method"].unique()
    return [*handles, *(Line2D([], [], color=GREY, lw=2.2, label=f"{method}: no {noun.one}") for method in still)]


KIND = Adaptation()
