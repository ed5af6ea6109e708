"""UMAP of test embeddings by batch, and its densest part by treatment (Figure 2 of the CDCL paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.embedding_table import features_of
from debatch.report.kinds.base import FigureKind, OfCorrections
from debatch.report.kinds.figures.umap import legend, legend_handles, most_frequent, others_of, project, scatter
from debatch.report.results import Results
from debatch.report.style import category_styles, figure_title, look, new_figure
from debatch.screen.metadata import natural_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

# of the extent of all points
WINDOW = 0.25


class UmapZoomFigure(OfCorrections, Figure):
    """UMAP of test embeddings by batch, and its densest part by treatment."""

    kind: Literal["umap_zoom"] = Field(
        "umap_zoom", description="UMAP of test embeddings by batch, and its densest part by treatment."
    )


class UmapZoom(FigureKind[UmapZoomFigure]):
    """A row a method, two panels for each correction."""

    spec = UmapZoomFigure
    needs = ("embeddings",)
    trains = True
    caption = (
        "UMAP (cosine distance, fixed seed) of embeddings of test images, a row a method; beside it the square of "
        f"{100 * WINDOW:.0f} % of its width that holds most images, coloured by the treatments that are most frequent "
        "there. Where colours separate on the left, the batch shows in the embedding; where they gather in the square, "
        "the treatment does. Distances between clusters in a UMAP mean little."
    )

    def corrections(self, spec: Any) -> list[str]:
        """The figure's own."""
        return list(spec.corrections)

    def splits(self, spec: Any, screen: Any) -> list[str]:
        """The first that the screen has."""
        return [split for split in spec.splits if split in screen.splits.names][:1]

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """The figure of the registry's methods, of each its first seed."""
        registry = results.registry
        read: dict[str, dict[str, pd.DataFrame]] = {}
        for run in registry.runs(name):
            frame = results.of("embeddings", run) if run.seed == 0 else None
            if frame is not None:
                title = registry.correction_title(run.correction)
                read.setdefault(registry.title(run.method), {})[title] = frame
        return draw_umap_zoom(read, figure_title(name, registry))


def draw_umap_zoom(embeddings: dict[str, dict[str, pd.DataFrame]], title: str) -> tuple[Drawing, pd.DataFrame]:
    """Two panels for each correction of each method.

    Args:
        embeddings: by method title, by correction title; `Metadata_*` columns and one column a feature.
        title: of the figure.

    Returns:
        The figure, and a row a point: image, method, correction, x, y, batch, perturbation, and whether it is in the
        square.
    """
    every = pd.concat([frame for own in embeddings.values() for frame in own.values()], ignore_index=True)
    batches = category_styles(sorted(every["Metadata_Batch"].unique(), key=natural_key))
    corrections = list(dict.fromkeys(name for own in embeddings.values() for name in own))
    records = []
    with look():
        figure = new_figure(2 + 6.6 * len(corrections), 3.4 * len(embeddings) + 0.6)
        axes = figure.subplots(len(embeddings), 2 * len(corrections), squeeze=False)
        for row, (method, own) in zip(axes, embeddings.items(), strict=True):
            for at, correction in enumerate(corrections):
                whole, part = row[2 * at], row[2 * at + 1]
                if correction not in own:
                    whole.set_axis_off()
                    part.set_axis_off()
                    continue
                frame = own[correction]
                points, left_out, name = project(features_of(frame))
                frame = frame[~left_out]
                inside, corner, side = _densest(points)
                heading = f"{method}, {correction}" if len(corrections) > 1 else method
                scatter(whole, points, frame["Metadata_Batch"], batches, f"{heading}: by batch", name)
                whole.add_patch(_square(corner, side))
                _equal_axes(whole, points)
                near = frame[inside]
                told = category_styles(most_frequent(near, "Metadata_Perturbation"))
                scatter(part, points[inside], near["Metadata_Perturbation"], told, "the square: by treatment", name)
                part.set(xlim=(corner[0], corner[0] + side), ylim=(corner[1], corner[1] + side))
                legend(part, told, "treatment", others_of(near, "Metadata_Perturbation", told))
                records.append(_rows(frame, points, inside, method, correction))
        handles = legend_handles(batches)
        columns = min(len(handles), 10)
        figure.legend(handles=handles, title="batch", loc="outside lower center", ncols=columns, fontsize=8)
        figure.suptitle(title)
    return figure, pd.concat(records, ignore_index=True)


def _densest(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """(n,) which points are in the square that holds most, its lower left corner, its side."""
    extent = float(np.ptp(points, axis=0).max()) if len(points) else 0.0
    side = WINDOW * extent or 1.0
    # squares around some of the points: the fullest of all is hardly fuller
    asked = points[np.linspace(0, len(points) - 1, min(len(points), 400)).astype(int)] if len(points) else points
    counts = [int((np.abs(points - centre) <= side / 2).all(axis=1).sum()) for centre in asked]
    centre = asked[int(np.argmax(counts))] if counts else np.zeros(2)
    inside = np.asarray(np.all(np.abs(points - centre) <= side / 2, axis=1))
    return inside, np.asarray(centre - side / 2), side


def _equal_axes(axis: Axes, points: np.ndarray) -> None:
    """One scale for both axes, so that a square is one."""
    if len(points):
        middle, half = (points.max(axis=0) + points.min(axis=0)) / 2, 0.53 * float(np.ptp(points, axis=0).max()) or 1.0
        axis.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))


def _square(corner: np.ndarray, side: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((corner[0], corner[1]), side, side, fill=False, edgecolor="black", linewidth=1.2)


def _rows(frame: pd.DataFrame, points: np.ndarray, inside: np.ndarray, method: str, correction: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image": frame["Metadata_Image"].to_numpy(),
            "method": method,
            "correction": correction,
            "x": points[:, 0],
            "y": points[:, 1],
            "batch": frame["Metadata_Batch"].to_numpy(),
            "perturbation": frame["Metadata_Perturbation"].to_numpy(),
            "in_square": inside,
        }
    )


KIND = UmapZoom()
