"""Training curves: small multiples of loss and accuracy by epoch."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from debatch.registry import Registry, Run
from debatch.report.style import COLOURS, look, new_figure


def draw_curves(registry: Registry, histories: dict[Run, pd.DataFrame]) -> Figure:
    """A column a split; loss above, training accuracy below; a line a run, a colour a method."""
    splits = list(dict.fromkeys(run.split for run in histories))
    methods = list(dict.fromkeys(run.method for run in histories))
    with look():
        figure = new_figure(max(4.2 * len(splits), 4.8), 4.6)
        axes = figure.subplots(2, len(splits), squeeze=False, sharex="col", sharey="row")
        for run, history in histories.items():
            column = splits.index(run.split)
            colour = COLOURS[methods.index(run.method) % len(COLOURS)]
            label = registry.title(run.method) if run.seed == 0 and column == 0 else None
            style = ["-", "--", ":", "-."][methods.index(run.method) % 4]
            axes[0, column].plot(history["epoch"], history["loss"], style, color=colour, lw=1.2, label=label)
            axes[1, column].plot(history["epoch"], 100 * history["accuracy"], style, color=colour, lw=1.2)
        for column, split in enumerate(splits):
            axes[0, column].set_title(split)
            axes[1, column].set_xlabel("epoch")
            axes[1, column].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0, 0].set_ylabel("training loss (nats)")
        axes[1, 0].set_ylabel("training accuracy (%)")
        figure.legend(loc="outside upper center", ncols=len(methods))
    return figure
