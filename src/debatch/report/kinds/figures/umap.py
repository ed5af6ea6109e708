"""UMAP of test embeddings, coloured by batch and by perturbation: what does the network see first?"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.screen import NEGATIVE_CONTROL
from debatch.config.tables import Figure
from debatch.embedding_table import OPTIONAL, features_of, own_metadata
from debatch.evaluate.neighbors import as_it_is, nearest
from debatch.report.kinds.base import FigureKind
from debatch.report.results import Results
from debatch.report.style import FAINT, category_styles, figure_title, look, new_figure
from debatch.screen.metadata import natural_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.lines import Line2D


FEWEST_POINTS = 12
NEIGHBORS = 15
MOST_PERTURBATIONS = 6
MOST_MECHANISMS = 14
METADATA_MECHANISM = OPTIONAL["mechanism"]
DRAWING_ROUNDS = 20
# methods in a row
MOST_COLUMNS = 4
# of more points a picture in the SVG or PDF is smaller than their outlines, which programs open slowly
MOST_OUTLINES = 4000


class UmapFigure(Figure):
    """UMAP of test embeddings, by batch and by perturbation."""

    kind: Literal["umap"] = Field("umap", description="UMAP of test embeddings, by batch and by perturbation.")
    cell_type: str | None = Field(
        None, description="The one cell type that it shows; null: the one with most test batches."
    )


class Umap(FigureKind[UmapFigure]):
    """UMAP of test embeddings, by batch and by perturbation."""

    spec = UmapFigure
    needs = ("embeddings",)
    whole_screen = True
    caption = (
        f"UMAP (cosine distance, {NEIGHBORS} neighbours, fixed seed) of embeddings; a point is one image. Each method "
        "has two panels of the same points: one is coloured by batch; in the other some treatments, or their "
        "mechanisms, are in colour, and all others grey. Where colours separate in the first, the batch shows in the "
        "embedding; where they gather in the second, the perturbation does. Distances between clusters in a UMAP mean "
        "little."
    )

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """The figure of the registry's methods, of each its first seed."""
        registry = results.registry
        runs = [run for run in registry.runs(name) if run.seed == 0]
        read = {registry.title(run.method): results.of("embeddings", run) for run in runs}
        embeddings = {title: frame for title, frame in read.items() if frame is not None}
        return draw_umap(embeddings, figure_title(name, registry), self.spec_of(name, registry).cell_type)


def draw_umap(
    embeddings: dict[str, pd.DataFrame], title: str, cell_type: str | None = None
) -> tuple[Drawing, pd.DataFrame]:
    """Each method's test embeddings by batch, and by perturbation, or mechanism where that is known.

    Args:
        embeddings: by method title; `Metadata_*` columns and one column a feature.
        title: of the figure.
        cell_type: the one shown; null: the one with most test batches.

    Returns:
        The figure, and a row a point: image, method, x, y, batch, perturbation, and the user's own columns.

    Source: RxRx1 paper, Figure 6.
    """
    first = next(iter(embeddings.values()))
    chosen = cell_type or _cell_type(first)
    shown = {
        method: frame if chosen is None else frame[frame["Metadata_CellType"] == chosen]
        for method, frame in embeddings.items()
    }
    reference = pd.concat(shown.values(), ignore_index=True)
    batches = category_styles(sorted(reference["Metadata_Batch"].unique(), key=natural_key))
    column, kind = _what_to_tell(reference)
    told = category_styles(most_frequent(reference, column))
    records = []
    with look():
        figure, panels, ends = _panels(len(shown))
        for (method, frame), (above, below) in zip(shown.items(), panels, strict=True):
            points, left_out, name = project(features_of(frame))
            note = _left_out_note(frame, left_out)
            frame = frame[~left_out]
            scatter(above, points, frame["Metadata_Batch"], batches, f"{method}: by batch{note}", name)
            scatter(below, points, frame[column], told, f"{method}: by {kind}", name)
            records.append(
                pd.DataFrame(
                    {
                        "image": frame["Metadata_Image"].to_numpy(),
                        "method": method,
                        "x": points[:, 0],
                        "y": points[:, 1],
                        "batch": frame["Metadata_Batch"].to_numpy(),
                        "perturbation": frame["Metadata_Perturbation"].to_numpy(),
                        **{column: frame[column].array for column in own_metadata(frame)},
                    }
                )
            )
        others = others_of(reference, column, told)
        for above, below in ends:
            legend(above, batches, "batch")
            legend(below, told, kind, others)
        figure.suptitle(title + (f", cell type {chosen}" if chosen else ""))
    return figure, pd.concat(records, ignore_index=True)


def _panels(methods: int) -> tuple[Drawing, list[tuple[Axes, Axes]], list[tuple[Axes, Axes]]]:
    """Two panels a method, and those of the last method of each row, which have the legends of all in that row.

    One method has them side by side; of several each is a column, four to a row.
    """
    if methods == 1:
        figure = new_figure(9.4, 4.0)
        pair = tuple(figure.subplots(1, 2))
        return figure, [pair], [pair]
    wide = min(methods, MOST_COLUMNS)
    blocks = -(-methods // wide)
    figure = new_figure(2.75 * wide + 1.3, 5.9 * blocks + 0.4)
    grid = figure.subplots(2 * blocks, wide, squeeze=False)
    panels = [(grid[2 * (at // wide), at % wide], grid[2 * (at // wide) + 1, at % wide]) for at in range(blocks * wide)]
    for axis in (axis for pair in panels[methods:] for axis in pair):
        axis.set_axis_off()
    panels = panels[:methods]
    return figure, panels, [panels[min(first + wide, methods) - 1] for first in range(0, methods, wide)]


def _cell_type(frame: pd.DataFrame) -> str | None:
    """The cell type with most batches; None (all) where there is one, or where each batch holds one class only."""
    batches = frame.groupby("Metadata_CellType")["Metadata_Batch"].nunique()
    confounded = frame.groupby("Metadata_Batch")["Metadata_Perturbation"].nunique().max() <= 1
    if len(batches) == 1 or confounded:
        return None
    return str(min(batches.index, key=lambda name: (-batches[name], natural_key(str(name)))))


def _what_to_tell(frame: pd.DataFrame) -> tuple[str, str]:
    """The column whose values the right side shows, and its name: mechanisms where they are known."""
    mechanism = METADATA_MECHANISM in frame and frame.loc[_treatments(frame), METADATA_MECHANISM].notna().any()
    return (METADATA_MECHANISM, "mechanism") if mechanism else ("Metadata_Perturbation", "perturbation")


def _treatments(frame: pd.DataFrame) -> pd.Series:
    """Which rows are of treatments; all of them where none is."""
    treatments = frame["Metadata_WellType"] == "treatment"
    return treatments if treatments.any() else ~treatments


def most_frequent(frame: pd.DataFrame, column: str) -> list[str]:
    """The treatments, or their mechanisms, that most rows are of, in natural order."""
    counts = frame.loc[_treatments(frame), column].value_counts()
    names = sorted(counts.index, key=lambda name: (-counts[name], natural_key(str(name))))
    most = MOST_MECHANISMS if column == METADATA_MECHANISM else MOST_PERTURBATIONS
    return sorted(names[:most], key=natural_key)


def _left_out_note(frame: pd.DataFrame, left_out: np.ndarray) -> str:
    """How many embeddings have no direction, and why: a NaN is a fault, a zero need not be one."""
    zero = int((features_of(frame) == 0).all(axis=1).sum())
    counts = {"all-zero": zero, "non-finite": int(left_out.sum()) - zero}
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items() if count)
    return f"\n({reasons} embeddings left out)" if reasons else ""


def project(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Points (n, 2) of those of (N, D) embeddings that have a direction, which were left out, the projection's name."""
    lengths = np.linalg.norm(features, axis=1)
    left_out = ~np.isfinite(lengths) | (lengths == 0)
    unit = features[~left_out] / lengths[~left_out, None]
    if len(unit) < FEWEST_POINTS or np.allclose(unit, unit[:1]):
        centred = unit - unit.mean(axis=0) if len(unit) else unit
        left, scale, _ = np.linalg.svd(centred, full_matrices=False)
        points = np.zeros((len(unit), 2))
        points[:, : min(2, left.shape[1])] = (left * scale)[:, :2]
        return points, left_out, "PCA"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap

        neighbors = min(NEIGHBORS, len(unit) - 1)
        known = _neighbors(unit, neighbors)
        options: dict[str, Any] = {"metric": "cosine", "precomputed_knn": known, "random_state": 0, "n_jobs": 1}
        reducer = umap.UMAP(n_neighbors=neighbors, **options)
        return np.asarray(reducer.fit_transform(unit)), left_out, "UMAP"


def _neighbors(unit: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, count) each one's nearest by cosine, itself among them, and how far: umap compiles its own search first."""
    found = list(nearest(as_it_is, unit, unit, count))
    similarity = np.concatenate([own for _, _, own in found])
    return np.concatenate([own for _, own, _ in found]).astype(np.int32), np.clip(1 - similarity, 0, None)


def scatter(
    axis: Axes, points: np.ndarray, groups: pd.Series, styles: dict[str, tuple[str, str]], title: str, name: str
) -> None:
    """Points (n, 2), each in the colour and the marker of its group; those of other groups in grey below."""
    values = groups.to_numpy()
    size = float(np.clip(9000 / max(len(points), 1), 4, 30))
    pixels = len(points) > MOST_OUTLINES
    grey = ~np.isin(values.astype(str), list(styles))
    axis.scatter(points[grey, 0], points[grey, 1], s=size, c=FAINT, linewidths=0, rasterized=pixels)
    # in shuffled rounds: drawn whole, the last group would hide the others just where they mix
    order = np.random.default_rng(0).permutation(np.flatnonzero(~grey))
    colours, markers = (np.array([styles[str(value)][part] for value in values[order]], object) for part in (0, 1))
    kinds = list(dict.fromkeys(marker for _, marker in styles.values()))
    for turn in np.array_split(np.arange(len(order)), DRAWING_ROUNDS if len(kinds) > 1 else 1):
        for marker in kinds:
            own = turn[markers[turn] == marker]
            if len(own):
                x, y = points[order[own]].T
                looks: dict[str, Any] = {"c": list(colours[own]), "marker": marker, "rasterized": pixels}
                axis.scatter(x, y, s=size, linewidths=0, alpha=0.85, **looks)
    axis.set_title(title, fontsize=9)
    axis.set(xlabel=f"{name} 1", ylabel=f"{name} 2", xticks=[], yticks=[], box_aspect=1)


def legend_handles(styles: dict[str, tuple[str, str]]) -> list[Line2D]:
    """What each colour and marker is."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], linestyle="", marker=marker, color=colour, markersize=5, label=name)
        for name, (colour, marker) in styles.items()
    ]


def others_of(frame: pd.DataFrame, column: str, told: Iterable[str]) -> str:
    """What rows are that a column's chosen values leave grey; empty where none is."""
    kinds = frame.loc[~frame[column].isin(list(told)), "Metadata_WellType"]
    controls = (kinds == NEGATIVE_CONTROL).sum()
    if not controls:
        return "others" if len(kinds) else ""
    return "negative controls" if controls == len(kinds) else "others, and negative controls"


def legend(axis: Axes, styles: dict[str, tuple[str, str]], title: str, others: str = "") -> None:
    """Beside an axis, what its colours and markers are."""
    handles = legend_handles({**styles, others: (FAINT, "o")} if others else styles)
    columns = 1 if len(handles) <= 14 else 2
    axis.legend(
        handles=handles, title=title, loc="upper left", bbox_to_anchor=(1.02, 1), fontsize=8, ncols=columns,
        handletextpad=0.2, borderaxespad=0,
    )  # fmt: skip


KIND = Umap()
