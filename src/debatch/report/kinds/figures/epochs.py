"""A metric of test images while training (Figure 10 of the RxRx1 paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.report.kinds.base import ByMetric, FigureKind
from debatch.report.results import Results
from debatch.report.style import COLOURS, MARKERS, figure_title, look, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


class EpochsFigure(ByMetric, Figure):
    """A metric of test images while training."""

    kind: Literal["epochs"] = Field("epochs", description="A metric of test images while training.")


class Epochs(FigureKind[EpochsFigure]):
    """A metric of test images while training."""

    spec = EpochsFigure
    needs = ("epochs",)
    trains = True
    caption = (
        "{metric} on unseen batches after some epochs of training, computed afterwards from weights that "
        "were kept on the way, under each method's own test-time statistics; of several seeds their mean, and a band "
        "of one sd to either side. No checkpoint was chosen by it; the last epoch counts."
    )

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """A line a method: mean over seeds, a band of one sd on either side.

        Source: RxRx1 paper, Figure 10.

        Returns:
            The figure, and a row a point: method, split, epoch, mean, sd (in %), n (seeds).
        """
        from matplotlib.ticker import MaxNLocator

        registry = results.registry
        spec, splits = self.spec_of(name, registry), registry.splits(name)
        records = []
        with look():
            figure = new_figure(max(5.6 * len(splits), 6.4), 3.9)
            axes = figure.subplots(1, len(splits), squeeze=False, sharey=True)
            for split, axis in zip(splits, axes[0], strict=True):
                for at, method in enumerate(registry.rows(name)):
                    frames = results.by_seed("epochs", name, method, split)
                    if not frames:
                        continue
                    rows = pd.concat(frames)
                    shown = rows[rows["metric"] == spec.metric]
                    by_epoch = shown.groupby("epoch")["value"].agg(["mean", "std", "count"])
                    mean, sd = spec.shown.factor * by_epoch["mean"], spec.shown.factor * by_epoch["std"]
                    colour, title = COLOURS[at % len(COLOURS)], registry.title(method)
                    style = ["-", "--", ":", "-."][at % 4]
                    axis.plot(mean.index, mean, style, color=colour, marker=MARKERS[at], ms=4, lw=1.5, label=title)
                    axis.fill_between(mean.index, mean - sd, mean + sd, color=colour, alpha=0.15, lw=0)
                    made = {"method": title, "split": split, "epoch": mean.index, "mean": mean, "sd": sd}
                    records.append(pd.DataFrame({**made, "n": by_epoch["count"]}))
                axis.set(xlabel="epoch", title=split if len(splits) > 1 else "", ylim=(0, 100))
                axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes[0, 0].set_ylabel(spec.axis_label)
            figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
            figure.suptitle(figure_title(name, registry))
        columns = ["method", "split", "epoch", "mean", "sd", "n"]
        return figure, pd.concat(records, ignore_index=True) if records else pd.DataFrame(columns=columns)


KIND = Epochs()
