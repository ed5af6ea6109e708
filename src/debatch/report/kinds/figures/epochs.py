"""Test accuracy while training (Figure 10)."""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from debatch.report.results import Results
from debatch.report.style import COLOURS, LOOK, MARKERS, figure_title, new_figure


def draw(name: str, results: Results) -> tuple[Figure, pd.DataFrame]:
    """A line a method: mean over seeds, a band of one sd on either side.

    Source: RxRx1 paper, Figure 10.

    Returns:
        The figure, and a row a point: method, split, epoch, mean, sd (in %), n (seeds).
    """
    registry = results.registry
    splits = registry.splits(name)
    records = []
    with mpl.rc_context(LOOK):
        figure = new_figure(max(5.6 * len(splits), 6.4), 3.9)
        axes = figure.subplots(1, len(splits), squeeze=False, sharey=True)
        for split, axis in zip(splits, axes[0], strict=True):
            for at, method in enumerate(registry.rows(name)):
                frames = results.by_seed("epochs", name, method, split)
                if not frames:
                    continue
                by_epoch = pd.concat(frames).groupby("epoch")["accuracy"].agg(["mean", "std", "count"])
                mean, sd = 100 * by_epoch["mean"], 100 * by_epoch["std"]
                colour, title = COLOURS[at % len(COLOURS)], registry.title(method)
                style = ["-", "--", ":", "-."][at % 4]
                axis.plot(mean.index, mean, style, color=colour, marker=MARKERS[at], ms=4, lw=1.5, label=title)
                axis.fill_between(mean.index, mean - sd, mean + sd, color=colour, alpha=0.15, lw=0)
                made = {"method": title, "split": split, "epoch": mean.index, "mean": mean, "sd": sd}
                records.append(pd.DataFrame({**made, "n": by_epoch["count"]}))
            axis.set(xlabel="epoch", title=split if len(splits) > 1 else "", ylim=(0, 100))
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0, 0].set_ylabel("test accuracy (%)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        figure.suptitle(figure_title(name, registry))
    columns = ["method", "split", "epoch", "mean", "sd", "n"]
    return figure, pd.concat(records, ignore_index=True) if records else pd.DataFrame(columns=columns)
