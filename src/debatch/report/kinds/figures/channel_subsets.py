"""A metric of models that were trained on each subset of the channels (Figure 9 of the RxRx1 paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.report.cells import NOT_RUN, pooled
from debatch.report.kinds.base import ByMetric, FigureKind
from debatch.report.kinds.channels import lacking_subsets, subset_variants
from debatch.report.results import Results
from debatch.report.style import COLOURS, FAINT, figure_title, look, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


COLUMNS = ["method", "channels", "number", "mean", "sd", "n", "low", "high"]
INK = "#1b1f24"


class ChannelSubsetsFigure(ByMetric, Figure):
    """A metric of models trained on each subset of the channels."""

    kind: Literal["channel_subsets"] = Field(
        "channel_subsets", description="A metric of models trained on each subset of the channels."
    )


class ChannelSubsets(FigureKind[ChannelSubsetsFigure]):
    """A metric of models trained on each subset of the channels."""

    spec = ChannelSubsetsFigure
    needs = ("metrics",)
    trains = True
    lacking = lacking_subsets
    variants = subset_variants
    caption = (
        "{metric} on unseen batches of models, each trained on one subset of the channels with the same "
        "recipe: a column a subset, its channels as black dots below; grouped by how many they are, the best of "
        "each first. Dashed: all channels, the method's own run. Every subset has the same seeds; intervals over test "
        "batches are in the file of numbers."
    )

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """A column a subset, its metric above and its channels as dots below; by their number, the best of each first.

        Source: RxRx1 paper, Figure 9.

        Returns:
            The figure, and a row a method and subset: method, channels, number of them, mean, sd, n (seeds), low, high
            (in %; over test batches).
        """
        registry = results.registry
        spec = self.spec_of(name, registry)
        numbers = subset_metrics(name, results, spec.metric)
        methods = list(dict.fromkeys(numbers["method"]))
        subsets = {row.title: row.channels for row in registry.variants[name]}
        channels = [only for only, *others in subsets.values() if not others]
        with look():
            wide = max(4.6, 0.165 * len(registry.variants[name]) + 1.6)
            heights = [3.2, 0.17 * len(channels) + 0.25]
            figure = new_figure(wide, len(methods) * (sum(heights) + 0.4) + 0.5)
            axes = figure.subplots(
                2 * len(methods), 1, squeeze=False, height_ratios=heights * len(methods), sharex=False
            )
            for at, method in enumerate(methods):
                own = ordered(numbers[numbers["method"] == method], len(channels))
                above, below = axes[2 * at, 0], axes[2 * at + 1, 0]
                _bars(above, own, len(channels), method if len(methods) > 1 else "", spec.axis_label)
                _dots(below, [subsets[title] for title in own["channels"]], channels)
            figure.suptitle(figure_title(name, registry))
        return figure, numbers


def subset_metrics(name: str, results: Results, metric: str) -> pd.DataFrame:
    """A row a method and subset of channels (`COLUMNS`); mean is NaN where it was not run."""
    registry = results.registry
    split = registry.splits(name)[0]
    rows = []
    for method in registry.rows(name):
        for variant in registry.variants[name]:
            frames = results.by_seed("metrics", name, variant.methods[method], split)
            cell = pooled(frames, metric, NOT_RUN)
            rows.append(
                (
                    registry.title(method),
                    variant.title,
                    len(variant.channels),
                    cell.mean,
                    cell.sd,
                    cell.n,
                    cell.low,
                    cell.high,
                )
            )
    return pd.DataFrame(rows, columns=COLUMNS).astype({"mean": float, "sd": float, "low": float, "high": float})


def ordered(numbers: pd.DataFrame, channels: int) -> pd.DataFrame:
    """The subsets by their number of channels, the best of each first."""
    return numbers.sort_values(["number", "mean"], ascending=[True, False], kind="stable").reset_index(drop=True)


def _bars(axis: Axes, own: pd.DataFrame, channels: int, method: str, label: str) -> None:
    whole = own["number"] == channels
    at = np.arange(len(own))
    axis.bar(at, own["mean"], width=0.72, color=np.where(whole, COLOURS[1], COLOURS[0]), linewidth=0)
    reference = own.loc[whole, "mean"].iloc[0]
    if np.isfinite(reference):
        axis.axhline(reference, color=COLOURS[1], lw=1.2, ls="--")
        # beside the bars, not on them
        axis.annotate(f"all: {reference:.1f} %", (1, reference), (3, 0), xycoords=("axes fraction", "data"),
                      textcoords="offset points", va="center", fontsize=8.5, color=INK)  # fmt: skip
    top = float(np.nanmax([*own["mean"], reference, 1.0]))
    axis.set(xlim=(-0.8, len(own) - 0.2), ylim=(0, top * 1.24), xticks=[], ylabel=label, title=method)
    # higher up stand the numbers of channels
    axis.set_yticks([tick for tick in axis.get_yticks() if 0 <= tick <= 1.1 * top])
    for number, group in own.groupby("number"):
        first, last = group.index.min(), group.index.max()
        if first:
            axis.axvline(first - 0.5, color=FAINT, lw=0.8)
        axis.text((first + last) / 2, top * 1.2, str(number), ha="center", va="top", fontsize=8.5, color=INK)
    axis.annotate("channels", (0, 1), (-4, -5), xycoords="axes fraction", textcoords="offset points", ha="right",
                  va="top", fontsize=8.5, color=INK)  # fmt: skip
    axis.spines["bottom"].set_visible(False)


def _dots(axis: Axes, subsets: list[tuple[str, ...]], channels: list[str]) -> None:
    chosen = np.array([[channel in subset for channel in channels] for subset in subsets])
    columns, rows = np.meshgrid(np.arange(len(subsets)), np.arange(len(channels)), indexing="ij")
    size = 16
    axis.scatter(columns[~chosen], rows[~chosen], s=size, c=FAINT, linewidths=0)
    axis.scatter(columns[chosen], rows[chosen], s=size, c=INK, linewidths=0)
    axis.set(xlim=(-0.8, len(subsets) - 0.2), ylim=(len(channels) - 0.5, -0.5), xticks=[])
    axis.set_yticks(np.arange(len(channels)), channels, fontsize=8.5)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    for first in np.flatnonzero(np.diff([len(subset) for subset in subsets])) + 1:
        axis.axvline(first - 0.5, color=FAINT, lw=0.8)


KIND = ChannelSubsets()
