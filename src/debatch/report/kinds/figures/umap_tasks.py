"""UMAP of training images' embeddings with each task's images projected on it (Figure 9 of the CHAMMI paper)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.embedding_table import features_of, with_direction
from debatch.report.kinds.base import FigureKind
from debatch.report.kinds.figures.umap import FEWEST_POINTS, NEIGHBORS, legend_handles, scatter
from debatch.report.results import Results
from debatch.report.style import category_styles, figure_title, look, new_figure
from debatch.screen.metadata import natural_key
from debatch.screen.subsets import images_in
from debatch.tabular import read_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


class UmapTasksFigure(Figure):
    """UMAP of training images with tasks projected on it."""

    kind: Literal["umap_tasks"] = Field(
        "umap_tasks", description="UMAP of training images, with the images of each named task projected on it."
    )
    part: str | None = Field(None, description="The part of the screen that it shows; null: the one with most tasks.")


class UmapTasks(FigureKind[UmapTasksFigure]):
    """A row a method; a panel for the training images, and one for each task of a part."""

    spec = UmapTasksFigure
    needs = ("embeddings", "training")
    trains = True
    caption = (
        f"UMAP (cosine distance, {NEIGHBORS} neighbours, fixed seed) that was fitted on training images alone, on "
        "which the images of each task were projected: a row a method, colours are classes. Classes of a task that no "
        "training image has have colours of their own. Distances between clusters in a UMAP mean little."
    )

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """The figure of the registry's methods, of each its first seed."""
        registry = results.registry
        split = read_frame(results.files.split(registry.splits(name)[0]))
        parts = read_frame(results.files.index()).set_index("image_id")["part"]
        wanted = self.spec_of(name, registry).part
        shown: dict[str, dict[str, pd.DataFrame]] = {}
        for run in registry.runs(name):
            training, scored = results.of("training", run), results.of("embeddings", run)
            if run.seed or training is None or scored is None:
                continue
            part = wanted or _richest(split, parts, list(registry.screen.splits.tasks))
            panels = {"training": training[parts[training["Metadata_Image"]].to_numpy() == part]}
            own = scored[parts[scored["Metadata_Image"]].to_numpy() == part]
            for task in registry.screen.splits.tasks:
                of_task = own[own["Metadata_Image"].isin(images_in(split, task))]
                panels |= {task: of_task} if len(of_task) else {}
            shown[f"{registry.title(run.method)}, {part}"] = panels
        return draw_umap_tasks(shown, figure_title(name, registry))


def _richest(split: pd.DataFrame, parts: pd.Series, tasks: list[str]) -> str:
    """The part with most tasks; of those the one with most images."""
    asked = split[split["subset"].isin(tasks)]
    counts = asked.groupby(parts[asked["image_id"]].to_numpy())["subset"].agg(["nunique", "size"])
    return str(counts.sort_values(["nunique", "size"]).index[-1])


def draw_umap_tasks(embeddings: dict[str, dict[str, pd.DataFrame]], title: str) -> tuple[Drawing, pd.DataFrame]:
    """A row a method, a panel a task.

    Args:
        embeddings: by row title, by panel, the training images first; `Metadata_*` columns and one column a feature.
        title: of the figure.

    Returns:
        The figure, and a row a point: row, panel, image, class, x, y.
    """
    panels = list(dict.fromkeys(panel for own in embeddings.values() for panel in own))
    every = pd.concat([frame for own in embeddings.values() for frame in own.values()], ignore_index=True)
    classes = category_styles(sorted(every["Metadata_Perturbation"].dropna().unique(), key=natural_key))
    records = []
    with look():
        figure = new_figure(3.6 * len(panels) + 0.4, 3.7 * len(embeddings) + 1.0)
        axes = figure.subplots(len(embeddings), len(panels), squeeze=False)
        for row, (heading, own) in zip(axes, embeddings.items(), strict=True):
            usable = {panel: with_direction(frame) for panel, frame in own.items()}
            points, name = projected([_unit(frame) for frame in usable.values()])
            places = np.concatenate(points)
            for axis, panel, at in zip(row, usable, points, strict=False):
                frame = usable[panel]
                scatter(
                    axis, at, frame["Metadata_Perturbation"], classes, f"{heading}: {panel.replace('_', ' ')}", name
                )
                axis.set(xlim=_span(places[:, 0]), ylim=_span(places[:, 1]))
                records.append(
                    pd.DataFrame(
                        {
                            "row": heading,
                            "panel": panel,
                            "image": frame["Metadata_Image"].to_numpy(),
                            "class": frame["Metadata_Perturbation"].to_numpy(),
                            "x": at[:, 0],
                            "y": at[:, 1],
                        }
                    )
                )
            for axis in row[len(usable) :]:
                axis.set_axis_off()
        handles = legend_handles(classes)
        figure.legend(
            handles=handles, title="class", loc="outside lower center", ncols=min(len(handles), 8), fontsize=8
        )
        figure.suptitle(title)
    return figure, pd.concat(records, ignore_index=True)


def projected(parts: list[np.ndarray]) -> tuple[list[np.ndarray], str]:
    """Points (n, 2) of each of some unit embeddings (n, D), by a projection that is fitted on the first of them alone.

    Returns:
        The points, and the projection's name.
    """
    fitted, *others = parts
    if len(fitted) < FEWEST_POINTS:
        mean = fitted.mean(axis=0)
        axes = np.linalg.svd(fitted - mean, full_matrices=False)[2][:2]
        flat = [(own - mean) @ axes.T for own in parts]
        return [np.pad(own, ((0, 0), (0, 2 - own.shape[1]))) for own in flat], "PCA"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap

        reducer = umap.UMAP(n_neighbors=min(NEIGHBORS, len(fitted) - 1), metric="cosine", random_state=0, n_jobs=1)
        first = np.asarray(reducer.fit_transform(fitted))
        return [first, *(np.asarray(reducer.transform(own)) for own in others)], "UMAP"


def _unit(frame: pd.DataFrame) -> np.ndarray:
    features = features_of(frame)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def _span(values: np.ndarray) -> tuple[float, float]:
    room = 0.05 * float(np.ptp(values)) or 1.0
    return float(values.min()) - room, float(values.max()) + room


KIND = UmapTasks()
