"""Distributions of cosine similarities within and across batches (Figure 7 of the RxRx1 paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.evaluate.replicates.cosine import BINS, kolmogorov_smirnov, wasserstein
from debatch.report.kinds.base import FigureKind
from debatch.report.results import Results
from debatch.report.style import COLOURS, figure_title, look, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


SHOWN_BINS = 128
WHERE = {"within": "within a batch", "across": "across batches"}
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
        "Cosine similarities of embeddings, of every pair of images (within a cell type, where there are several): "
        "within one batch (left) and across two (right), of the same perturbation (solid) and of different ones "
        "(dashed). Where the two panels of a row agree, similarity does not depend on the batch: the table beside them "
        "says by how much each line differs between them (KS: largest difference of the two distribution functions; W: "
        "Wasserstein distance, the area between them). Exact, from all pairs; drawn in 128 bins."
    )

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """A row a method; pairs within a batch on the left, across batches in the middle, their distances on the right.

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
            figure = new_figure(10.4, 2.5 * len(shown) + 0.7)
            axes = figure.subplots(len(shown), 3, squeeze=False, sharey="row", width_ratios=[4, 4, 2.3])
            for (method, frame), (*panels, beside) in zip(shown.items(), axes, strict=True):
                for axis, (where, words) in zip(panels, WHERE.items(), strict=True):
                    _densities(axis, {kind: frame[f"{kind}_{where}"].to_numpy() for kind in PERTURBATIONS}, words)
                    axis.set_title(f"{method}: {words}", loc="left")
                    axis.set_xlim(low, high)
                panels[0].set_ylabel("density")
                _distances(beside, frame)
                records.append(frame.assign(method=method))
            for axis in axes[-1, :2]:
                axis.set_xlabel("cosine similarity")
            handles, labels = axes[0, 0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=2)
            figure.suptitle(figure_title(name, registry))
        numbers = pd.concat(records, ignore_index=True)
        return figure, numbers[["method", *(column for column in numbers if column != "method")]]


def _densities(axis: Axes, pairs: dict[str, np.ndarray], words: str) -> None:
    """A line for pairs of the same perturbation, another for those of different ones."""
    for (kind, counts), colour, style in zip(pairs.items(), COLOURS, ("-", "--"), strict=False):
        if not counts.sum():
            axis.annotate(
                f"no pair of {PERTURBATIONS[kind]}\n{words} (a cell type\ncounts from two test batches on)",
                (0.03, 0.95 if kind == "same" else 0.6), xycoords="axes fraction", va="top", fontsize=8.5,
            )  # fmt: skip
            continue
        density = counts.reshape(SHOWN_BINS, -1).sum(axis=1) / counts.sum() * SHOWN_BINS / 2
        edges = np.linspace(-1, 1, SHOWN_BINS + 1)
        axis.stairs(density, edges, color=colour, linestyle=style, lw=1.6, label=PERTURBATIONS[kind])
        axis.stairs(density, edges, color=colour, alpha=0.12, fill=True)


def _distances(axis: Axes, frame: pd.DataFrame) -> None:
    """How far each line of the one panel is from that of the other, as a small table."""
    from matplotlib.transforms import Bbox

    axis.axis("off")
    rows = []
    for kind in PERTURBATIONS:
        pair = [frame[f"{kind}_{where}"].to_numpy() for where in WHERE]
        known = all(counts.sum() for counts in pair)
        rows.append([f"{distance(*pair):.3f}" if known else "—" for distance in (kolmogorov_smirnov, wasserstein)])
    table = axis.table(
        rows, rowLabels=list(PERTURBATIONS), colLabels=["KS", "W"], bbox=Bbox.from_bounds(0.42, 0.42, 0.58, 0.4)
    )
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    for cell in table.get_celld().values():
        cell.set_linewidth(0.4)
    axis.set_title("within against across", loc="left")


def _range(shown: dict[str, pd.DataFrame]) -> tuple[float, float]:
    """The part of [-1, 1] that holds pairs: embeddings that end in a ReLU have no negative cosines."""
    total = sum(
        frame.loc[:, frame.columns.str.contains("within|across")].sum(axis=1).to_numpy() for frame in shown.values()
    )
    filled = np.flatnonzero(total)
    first = filled[0] if len(filled) else 0
    return max(-1.0, np.floor((first * 2 / BINS - 1) * 10) / 10), 1.0


KIND = Cosine()
