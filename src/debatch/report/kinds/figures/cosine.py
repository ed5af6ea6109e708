"""Distributions of cosine similarities within and across batches (Figure 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.evaluate.cosine import BINS, kolmogorov_smirnov, wasserstein
from debatch.report.kinds.base import FigureKind
from debatch.report.results import Results
from debatch.report.style import COLOURS, figure_title, look, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


SHOWN_BINS = 128
PERTURBATIONS = {"same": "same perturbation", "different": "different perturbations"}


class CosineFigure(Figure):
    """Distributions of cosine similarities within and across batches."""

    kind: Literal["cosine"] = Field(
        "cosine", description="Distributions of cosine similarities within and across batches."
    )


class Cosine(FigureKind[CosineFigure]):
    """Distributions of cosine similarities within and across batches."""

    spec = CosineFigure
    needs = ("cosine",)
    whole_screen = True
    caption = (
        "Cosine similarities of embeddings, of every pair of images of one cell type: of the same perturbation "
        "(left) and of different ones (right), within one batch (solid) and across two (dashed). Where the two lines "
        "of a panel agree, similarity does not depend on the batch. KS: largest difference of the two distribution "
        "functions; Wasserstein: the area between them. Exact, from all pairs; drawn in 128 bins."
    )

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """A row a method; pairs of the same perturbation on the left, of different ones on the right.

        Source: RxRx1 paper, Figure 7.

        Returns:
            The figure, and a row a bin: method, cosine (middle), pairs of each kind.
        """
        registry = results.registry
        runs = {run.method: run for run in registry.runs(name) if run.seed == 0}
        histograms = {method: results.histograms(run) for method, run in runs.items()}
        shown = {registry.title(method): frame for method, frame in histograms.items() if frame is not None}
        low, high = _range(shown)
        records = []
        with look():
            figure = new_figure(8.6, 2.5 * len(shown) + 0.7)
            axes = figure.subplots(len(shown), 2, squeeze=False, sharex=True, sharey="col")
            for (method, frame), row in zip(shown.items(), axes, strict=True):
                for axis, (kind, words) in zip(row, PERTURBATIONS.items(), strict=True):
                    within, across = frame[f"{kind}_within"].to_numpy(), frame[f"{kind}_across"].to_numpy()
                    _densities(axis, within, across)
                    axis.set_title(f"{method}: {words}", loc="left")
                    # like perturbations gather at the right, different ones at the left
                    at, side = (0.02, "left") if kind == "same" else (0.98, "right")
                    axis.annotate(
                        _distances(within, across),
                        (at, 0.95),
                        xycoords="axes fraction",
                        va="top",
                        ha=side,
                        fontsize=8.5,
                    )
                    axis.set_xlim(low, high)
                    axis.set_ylabel("density")
                records.append(frame.assign(method=method))
            for axis in axes[-1]:
                axis.set_xlabel("cosine similarity")
            handles, labels = axes[0, 0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=2)
            figure.suptitle(figure_title(name, registry))
        numbers = pd.concat(records, ignore_index=True)
        return figure, numbers[["method", *(column for column in numbers if column != "method")]]


def _densities(axis: Axes, within: np.ndarray, across: np.ndarray) -> None:
    for counts, label, colour, style in (
        (within, "within a batch", COLOURS[0], "-"),
        (across, "across batches", COLOURS[1], "--"),
    ):
        if not counts.sum():
            continue
        density = counts.reshape(SHOWN_BINS, -1).sum(axis=1) / counts.sum() * SHOWN_BINS / 2
        edges = np.linspace(-1, 1, SHOWN_BINS + 1)
        axis.stairs(density, edges, color=colour, linestyle=style, lw=1.6, label=label)
        axis.stairs(density, edges, color=colour, alpha=0.12, fill=True)


def _distances(within: np.ndarray, across: np.ndarray) -> str:
    if not within.sum() or not across.sum():
        missing = "within a batch" if across.sum() else "across batches" if within.sum() else "within or across batches"
        return f"no pair {missing}\n(a cell type counts from\ntwo test batches on)"
    return f"KS {kolmogorov_smirnov(within, across):.3f}\nWasserstein {wasserstein(within, across):.3f}"


def _range(shown: dict[str, pd.DataFrame]) -> tuple[float, float]:
    """The part of [-1, 1] that holds pairs: embeddings that end in a ReLU have no negative cosines."""
    total = sum(
        frame.loc[:, frame.columns.str.contains("within|across")].sum(axis=1).to_numpy() for frame in shown.values()
    )
    filled = np.flatnonzero(total)
    first = filled[0] if len(filled) else 0
    return max(-1.0, np.floor((first * 2 / BINS - 1) * 10) / 10), 1.0


KIND = Cosine()
