"""What each channel adds to accuracy: Shapley values over models trained on every subset of the channels (Figure 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.errors import DataError
from debatch.evaluate.shapley import shapley_values
from debatch.report.frames import by_seed
from debatch.report.kinds.base import ByMetric, FigureKind
from debatch.report.kinds.channels import lacking_subsets, subset_variants
from debatch.report.results import Results
from debatch.report.style import COLOURS, figure_title, look, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


GUESS = "majority_class"


class ShapleyFigure(ByMetric, Figure):
    """What each channel adds to a metric, from models trained on every subset of the channels."""

    kind: Literal["shapley"] = Field(
        "shapley",
        description="What each channel adds to a metric, from models trained on every subset of the channels.",
    )


class Shapley(FigureKind[ShapleyFigure]):
    """What each channel adds to a metric, from models trained on every subset of the channels."""

    spec = ShapleyFigure
    needs = ("metrics", "nulls")
    trains = True
    lacking = lacking_subsets
    variants = subset_variants
    caption = (
        "The Shapley value of a channel: what it adds to {metric}, averaged over all orders in which channels may "
        "be added, from models trained on every subset of them (those of the figure of subsets). The values sum to the "
        "metric of all channels less that of none, which is taken as that of always answering the training images' "
        "most frequent class."
    )

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """A bar a channel, in channel order; several seeds give an error bar of one sd.

        Source: RxRx1 paper, Figure 8.

        Returns:
            The figure, and a row a method and channel: method, channel, shapley (points), sd, n (seeds), accuracy_all,
            accuracy_none (in %): the values of a method sum to the first less the second.

        Raises:
            DataError: a subset has no run.
        """
        registry = results.registry
        spec = self.spec_of(name, registry)
        numbers = pd.concat(
            [_of_method(name, results, method, spec.metric) for method in registry.rows(name)], ignore_index=True
        )
        methods, channels = (list(dict.fromkeys(numbers[column])) for column in ("method", "channel"))
        with look():
            figure = new_figure(max(4.6, 0.9 * len(channels) + 1.6), 3.9)
            axis = figure.subplots()
            width = 0.72 / len(methods)
            for at, method in enumerate(methods):
                own = numbers[numbers["method"] == method]
                places = np.arange(len(own)) + (at - (len(methods) - 1) / 2) * width
                spread = own["sd"] if own["sd"].notna().all() else None
                bars = axis.bar(
                    places, own["shapley"], width * 0.94, yerr=spread, color=COLOURS[at % len(COLOURS)], label=method
                )
                axis.bar_label(bars, fmt="%.1f", padding=2, fontsize=8.5)
            axis.set_xticks(np.arange(len(channels)), channels)
            axis.axhline(0, color="#57606a", lw=0.8)
            axis.set(ylabel=f"Shapley value (points of test {spec.label})")
            axis.margins(y=0.12)
            if len(methods) > 1:
                figure.legend(loc="outside lower center", ncols=4)
            figure.suptitle("\n".join(filter(None, [figure_title(name, registry), _sum(numbers, methods)])))
        return figure, numbers


def _of_method(name: str, results: Results, method: str, metric: str) -> pd.DataFrame:
    registry = results.registry
    split = registry.splits(name)[0]
    guess = results.nulls(split, GUESS)
    if guess is None:
        raise DataError(f"{results.files.nulls(split)} is not there: what no channel at all is worth is not known")
    nothing = 100 * by_seed(guess, metric)[0]
    accuracies = {
        frozenset(row.channels): [
            100 * value for value in by_seed(results.by_seed("metrics", name, row.methods[method], split), metric)
        ]
        for row in registry.variants[name]
    }
    lacking = [subset for subset, values in accuracies.items() if not values]
    if lacking:
        raise DataError(f"{len(lacking)} of {len(accuracies)} subsets of channels have no run, as {sorted(lacking[0])}")
    seeds = min(len(values) for values in accuracies.values())
    by_channel = pd.DataFrame(
        [
            shapley_values({frozenset(): nothing, **{subset: values[seed] for subset, values in accuracies.items()}})
            for seed in range(seeds)
        ]
    )
    channels = [row.channels[0] for row in registry.variants[name] if len(row.channels) == 1]
    whole = float(np.mean(accuracies[frozenset(channels)][:seeds]))
    return pd.DataFrame(
        {
            "method": registry.title(method),
            "channel": channels,
            "shapley": by_channel[channels].mean().to_numpy(),
            "sd": by_channel[channels].std(ddof=1).to_numpy(),
            "n": seeds,
            "accuracy_all": whole,
            "accuracy_none": nothing,
        }
    )


def _sum(numbers: pd.DataFrame, methods: list[str]) -> str:
    """The sum that the values come to, in words."""
    if len(methods) > 1:
        return ""
    whole, nothing = numbers.loc[0, ["accuracy_all", "accuracy_none"]]
    total = numbers["shapley"].sum()
    return f"sum {total:.1f} = {whole:.1f} % (all channels) − {nothing:.1f} % (none)"


KIND = Shapley()
