"""Validation accuracy and the strongest probe of the batch against the settings of gradient reversal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import Field

from debatch.config.tables import Figure
from debatch.evaluate.metrics import METRICS
from debatch.report.kinds.base import FigureKind
from debatch.report.kinds.reversal import PROBES, SCHEDULE_WORDS, OfReversal, Reversal, Swept, choose, sweep
from debatch.report.results import Results
from debatch.report.style import COLOURS, MARKERS, figure_title, look, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

INK, GREY = "#1b1f24", "#57606a"
ACCURACY, READ = "accuracy", "strongest_within"
LABELS = {
    ACCURACY: "validation accuracy (%)",
    READ: "batch told by the strongest\nprobe, within a cell type (%)",
}


class ReversalFigure(OfReversal, Figure):
    """Gradient reversal under many settings."""

    kind: Literal["reversal"] = Field(
        "reversal", description="Validation accuracy and probes of the batch by settings of gradient reversal."
    )


class ReversalDrawing(Reversal, FigureKind[ReversalFigure]):
    """Gradient reversal under many settings."""

    spec = ReversalFigure
    caption = (
        "Gradient reversal under each setting on validation batches, a column a schedule of the reversal. Above: "
        "accuracy of validation images; below: how well the strongest of three probes (LDA, k-NN, MLP) tells the batch "
        "within a cell type from frozen embeddings of training and validation batches, fitted on half of each batch's "
        "wells and scored on the other. Lambda is the largest strength of the reversal; a colour and marker a learning "
        "rate of the adversary's head, as a multiple of the network's. Dashed: without an adversary; the band reaches "
        "down to the accuracy that a chosen setting must keep; dotted: always answering with the most frequent batch. "
        "Circled: the chosen setting, of those that keep the accuracy the one whose strongest probe reads least, if "
        "that is far enough below the dashed line (`probe_margin`); without a circle no setting helps. Means over "
        "seeds. No test image is looked at."
    )

    def draw(self, name: str, results: Results) -> tuple[Drawing, pd.DataFrame]:
        """Two rows of panels, a column a schedule; a line a head rate.

        Returns:
            The figure, and a row a setting (the first without an adversary): setting, strength, head_rate, schedule,
            accuracy, accuracy_sd, head, each probe and each within a cell type, strongest_within, strongest_within_sd,
            strongest (which probe), guess_within (all in %), seeds, chosen.
        """
        registry = results.registry
        spec = self.spec_of(name, registry)
        found = sweep(name, spec, results)
        chosen = choose(found, spec).chosen
        numbers = pd.DataFrame([_record(swept, swept is chosen) for swept in found])
        with look():
            figure = new_figure(max(3.7 * len(spec.schedules), 5.2), 6.2)
            axes = figure.subplots(2, len(spec.schedules), squeeze=False, sharex=True, sharey="row")
            for column, schedule in enumerate(spec.schedules):
                own = numbers[numbers["schedule"] == schedule]
                for axis, shown in zip(axes[:, column], (ACCURACY, READ), strict=True):
                    _lines(axis, own, shown, spec.head_rates)
                    _references(axis, numbers.iloc[0], shown, spec.accuracy_margin)
                    axis.set_xscale("log")
                    axis.set_xticks(spec.strengths, [f"{strength:g}" for strength in spec.strengths])
                    axis.minorticks_off()
                axes[0, column].set_title(f"reversal: {SCHEDULE_WORDS[schedule]}")
                axes[1, column].set_xlabel("lambda, largest strength of the reversal")
            for axis, shown in zip(axes[:, 0], (ACCURACY, READ), strict=True):
                axis.set_ylabel(LABELS[shown])
                axis.set_ylim(0, 100)
            figure.legend(handles=_legend(spec, chosen, found[0].title), loc="outside lower center", ncols=3)
            figure.suptitle(figure_title(name, registry))
        return figure, numbers


def _record(swept: Swept, is_chosen: bool) -> dict[str, object]:
    setting = swept.setting
    record: dict[str, object] = {
        "setting": swept.title,
        "strength": setting.strength if setting else 0.0,
        "head_rate": setting.head_rate if setting else float("nan"),
        "schedule": setting.schedule if setting else "",
        ACCURACY: _number(swept.accuracy.mean),
        "accuracy_sd": _number(swept.accuracy.sd),
        "head": _number(swept.head.mean),
    }
    for within in (False, True):
        record |= {probe + "_within" * within: _number(swept.probes[probe, within].mean) for probe in PROBES}
    return record | {
        READ: _number(swept.read.mean),
        "strongest_within_sd": _number(swept.read.sd),
        "strongest": METRICS[swept.strongest].title if swept.is_whole else "",
        "guess_within": _number(swept.guesses[True].mean),
        "seeds": swept.accuracy.n,
        "chosen": is_chosen,
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _lines(axis: Axes, own: pd.DataFrame, shown: str, rates: list[float]) -> None:
    for at, rate in enumerate(rates):
        line = own[own["head_rate"] == rate].sort_values("strength")
        axis.plot(
            line["strength"], line[shown], color=COLOURS[at % len(COLOURS)], marker=MARKERS[at % len(MARKERS)], ms=5,
            lw=1.4,
        )  # fmt: skip
    picked = own[own["chosen"]]
    axis.plot(picked["strength"], picked[shown], "o", ms=14, mfc="none", mec=INK, mew=1.4)


def _references(axis: Axes, without: pd.Series, shown: str, margin: float) -> None:
    axis.axhline(without[shown], color=INK, lw=1.1, ls="--", zorder=1)
    if shown == ACCURACY:
        axis.axhspan(without[shown] - margin, without[shown], color=GREY, alpha=0.25, lw=0, zorder=0)
    else:
        axis.axhline(without["guess_within"], color=GREY, lw=1.3, ls=":", zorder=1)


def _legend(spec: ReversalFigure, chosen: Swept | None, without: str) -> list[object]:
    from matplotlib.lines import Line2D

    handles: list[object] = [
        Line2D([], [], color=COLOURS[at % len(COLOURS)], marker=MARKERS[at % len(MARKERS)], ms=5, lw=1.4,
               label=f"head rate {rate:g}")
        for at, rate in enumerate(spec.head_rates)
    ]  # fmt: skip
    handles += [
        Line2D([], [], color=INK, lw=1.1, ls="--", label=f"{without} (no adversary)"),
        Line2D([], [], color=GREY, lw=1.3, ls=":", label="most frequent batch"),
    ]
    if chosen is not None:
        handles.append(Line2D([], [], color=INK, marker="o", mfc="none", ms=10, lw=0, label="chosen"))
    return handles


KIND = ReversalDrawing()
