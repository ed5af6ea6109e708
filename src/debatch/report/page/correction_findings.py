"""What a table of corrections says in words, computed from it: one sentence for each purpose of the embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from debatch.evaluate.metrics import METRICS
from debatch.evaluate.replicates.wells import ELSEWHERE
from debatch.evaluate.tidy import of_all
from debatch.evaluate.uncertainty import Scale, Spread, holm, p_value, seeds_spread
from debatch.files import UNCORRECTED
from debatch.report.cells import Cell, Draft, brackets
from debatch.report.kinds.positions import positions
from debatch.report.kinds.tables import draft_table
from debatch.report.kinds.tables.correction import BATCH, CHANCE, PERMUTED, SHOWN, row_key
from debatch.report.page.findings import Findings
from debatch.report.page.prediction_findings import LEVEL
from debatch.report.results import Results
from debatch.screen.nouns import stored_noun

OF_CONTROLS = f"{BATCH}_controls"
NOTHING_TELLS = "Nothing tells here how strong the batch effect is: there is one batch, or too few wells."
# below chance by more than this many points, batches are pushed apart
APART = 3.0


class Words(NamedTuple):
    """Of a metric, within sentences.

    Attributes:
        metric: what it is.
        counted: what its n counts.
    """

    metric: str
    counted: str


WORDS = {
    "kbet": Words("k-BET acceptance", "images, one a well"),
    "kbet_controls": Words("k-BET acceptance of negative controls", "control images"),
    BATCH: Words("nearest neighbours from the same batch", "treated images"),
    "neighbor_same_batch_controls": Words("controls' nearest neighbours from the same batch", "control images"),
    "replicate_across_batches": Words("wells whose nearest one of another batch is a replicate", "wells"),
    "replicate_map": Words("replicate mAP", "wells"),
    "grit": Words("mean grit", "wells"),
    "nscb": Words(
        "treatments whose nearest one of another compound and batch shares the mechanism (NSCB)",
        "profiles of a treatment in a batch",
    ),
    "nsc": Words("treatments whose nearest one of another compound shares the mechanism (NSC)", "treatments"),
    "separability": Words("treatments that stand out from controls (AUROC)", "wells"),
    "weak_separability": Words(
        "the weakest quarter of treatments stands out from controls (AUROC)", "pairs of treatment and cell type"
    ),
}
# what embeddings are for -> the metrics of it; the first that the screen defines speaks for it
PURPOSES = {
    "Replicates": ("replicate_across_batches", "replicate_map"),
    "Mechanism": ("nscb", "nsc"),
    "Weak phenotypes": ("weak_separability",),
}


class Change(NamedTuple):
    """What a correction changes of a metric, on the metric's own scale.

    Attributes:
        value: after less before.
        sure: how far other draws may be from that.
        p: how often chance alone gives as much, for all comparisons of the table at once.
    """

    value: float
    sure: Spread
    p: float = 1.0

    @property
    def is_judged(self) -> bool:
        """Whether there is an error to judge it by: not with too few batches or perturbations."""
        return bool(np.isfinite(self.sure.error))

    @property
    def is_told(self) -> bool:
        """Whether it is told from no change."""
        return self.p < LEVEL


@dataclass(frozen=True)
class _Table:
    """A drafted table of corrections, and what they change of the first method's embeddings."""

    name: str
    results: Results
    draft: Draft

    @property
    def method(self) -> str:
        """The first method."""
        return self.results.registry.rows(self.name)[0]

    @property
    def corrections(self) -> list[str]:
        """All but none."""
        return [c for c in self.results.registry.corrections_of(self.name) if c != UNCORRECTED]

    def band(self, metric: str) -> Cell:
        """What permuted batches give of a metric of the first method's embeddings."""
        return self.draft.cells.get((f"{self.method}.{PERMUTED}", metric), Cell())

    def counted(self, metric: str) -> str:
        """What a metric's n counts."""
        return stored_noun(self.results.registry.screen).said(WORDS[metric].counted)

    def mean(self, correction: str, metric: str) -> float | None:
        return self.draft.cells.get((row_key(self.method, correction), metric), Cell()).mean

    def shown(self, value: float, metric: str, *, sign: bool = False) -> str:
        """A number on the metric's own scale, for people."""
        text = f"{METRICS[metric].factor * value:{'+' if sign else ''}.{METRICS[metric].decimals}f}"
        return text + (METRICS[metric].unit and f" {METRICS[metric].unit}" if not sign else "")

    def bounds(self, sure: Spread, metric: str, *, sign: bool = False) -> str:
        """An interval for people; empty where there is none."""
        if not np.isfinite(sure.low):
            return ""
        unit = METRICS[metric].unit and f" {METRICS[metric].unit}"
        ends = (self.shown(end, metric, sign=sign).removesuffix(unit) for end in (sure.low, sure.high))
        return " to ".join(ends)

    @cached_property
    def scores(self) -> dict[str, pd.DataFrame]:
        """By correction: every metric of all cell types and batches, a row a metric and seed."""
        split = self.results.registry.splits(self.name)[0]
        frames = {
            correction: self.results.by_seed("scores", self.name, self.method, split, correction)
            for correction in (UNCORRECTED, *self.corrections)
        }
        return {correction: pd.concat(map(of_all, own)) for correction, own in frames.items() if own}

    def rows(self, metric: str, correction: str = UNCORRECTED) -> pd.DataFrame:
        """Value, low, high, error, freedom, n, a row a seed in which it is defined."""
        if correction not in self.scores:
            return pd.DataFrame({"value": []})
        found = self.scores[correction]
        return found[(found["metric"] == metric) & np.isfinite(found["value"])]

    def over_seeds(self, rows: pd.DataFrame, scale: Scale) -> Spread:
        """How sure the mean over seeds is."""
        return seeds_spread(rows["value"].tolist(), rows["error"].tolist(), rows["freedom"].tolist(), scale)

    @cached_property
    def changes(self) -> dict[tuple[str, str], Change]:
        """By metric and correction, with p-values that hold for all of them at once."""
        found = {}
        for metric in WORDS:
            for correction in self.corrections:
                rows = self.rows(f"{metric}_change", correction)
                if len(rows):
                    found[metric, correction] = Change(float(rows["value"].mean()), self.over_seeds(rows, "plain"))
        known = {key: change for key, change in found.items() if change.is_judged}
        adjusted = holm([p_value(change.value, change.sure.error, change.sure.freedom) for change in known.values()])
        judged = {key: change._replace(p=p) for (key, change), p in zip(known.items(), adjusted.tolist(), strict=True)}
        return {**found, **judged}

    def changed(self, metric: str, *, told: bool, up: bool | None = None) -> list[str]:
        """Corrections that change a metric, or are not told from not doing so."""
        own = {c: change for (of, c), change in self.changes.items() if of == metric and change.is_judged}
        return [c for c, change in own.items() if change.is_told == told and up in (None, change.value > 0)]

    def unjudged(self, metric: str) -> list[str]:
        """Corrections whose change of a metric has no error."""
        return [c for (of, c), change in self.changes.items() if of == metric and not change.is_judged]

    def listed(self, metric: str, corrections: Sequence[str]) -> str:
        """Corrections, each with what it makes of the metric and by how much that is more or less."""
        said = []
        for correction in corrections:
            change, mean = self.changes[metric, correction], self.mean(correction, metric)
            value = "" if mean is None else self.draft.text(mean, metric)
            bounds = self.bounds(change.sure, metric, sign=True)
            said.append(
                f"{self.results.registry.correction_title(correction)} ({value}: "
                f"{self.shown(change.value, metric, sign=True)}{bounds and f' [{bounds}]'})"
            )
        return ", ".join(said)


def correction_findings(name: str, results: Results) -> Findings:
    """How strong the batch effect is, and for each purpose what corrections gain and lose, and how sure that is.

    It speaks of the first method's embeddings. No correction is chosen by its score: all are said.

    Args:
        name: of a table of kind `correction`.
        results: of the screen.
    """
    table = _Table(name, results, draft_table(name, results))
    chance = table.draft.cells.get((CHANCE, BATCH), Cell()).mean
    if table.mean(UNCORRECTED, BATCH) is None or chance is None:
        return Findings(
            effect=["Nothing tells here how strong the batch effect is: there is one batch, or too few wells."]
        )
    purposes = {
        purpose: metric
        for purpose, metrics in PURPOSES.items()
        if (metric := next((m for m in metrics if table.mean(UNCORRECTED, m) is not None), None))
    }
    removes = [_by_method(table, chance)] if len(results.registry.rows(name)) > 1 else []
    removes += [_batch(table, chance)] if table.corrections else []
    costs = [_purpose(table, purpose, metric) for purpose, metric in purposes.items()]
    costs += _besides(table, [BATCH, *purposes.values()])
    sure = []
    judged = sum(change.is_judged for change in table.changes.values())
    if judged:
        sure.append(
            f"In square brackets 95 % intervals over {_drawn(results)}, each for that comparison alone; better, worse, "
            f"more and less are said where p < {LEVEL} after correction for {judged} "
            f"comparison{'s' if judged > 1 else ''}. So an interval may leave 0 out, and its change still count as "
            "unclear."
        )
    if judged < len(table.changes):
        sure.append(
            "A change without brackets cannot be judged: it is over fewer than four batches, one batch of a cell type, "
            "or one perturbation."
        )
    effect = [_finding(table, chance), *_of_controls(table)]
    return Findings(effect, removes, costs, [*sure, *_positions(table)], _is_there(table), _best(table, chance))


def brief(found: Findings) -> Findings:
    """The same beside what a table of predictions says: how strong the batch effect is, method by method."""
    stand = "Corrections after training: see their table below for what each removes and costs."
    return replace(found, removes=[*found.removes[:1], stand] if found.removes else [], costs=[], sure=[], best="")


def _finding(table: _Table, chance: float) -> str:
    registry, rows = table.results.registry, table.rows(BATCH)
    value, sure = float(rows["value"].mean()), table.over_seeds(rows, "share")
    text = (
        f"In the uncorrected embeddings of {registry.title(table.method)} the nearest neighbour among other "
        f"perturbations is of the same batch in {100 * value:.0f} % of cases{_brackets(table.bounds(sure, BATCH))} "
        f"(n = {int(rows['n'].mean()):,} {table.counted(BATCH)}), where chance is {chance:.0f} %"
    )
    band = table.band(BATCH)
    if band.low is not None and band.high is not None:
        text += f" and permuted batches give {band.low:.1f} to {band.high:.1f} %"
        if band.low <= 100 * value <= band.high:
            text += ": this metric finds no batch effect"
    return text + "."


def _of_controls(table: _Table) -> list[str]:
    """The same of negative controls, which every batch has alike: nothing where they are too few."""
    mean, chance = table.mean(UNCORRECTED, OF_CONTROLS), table.draft.cells.get((CHANCE, OF_CONTROLS), Cell()).mean
    rows, cell = table.rows(OF_CONTROLS), table.draft.cells.get((table.method, OF_CONTROLS), Cell())
    if mean is None or chance is None or not len(rows):
        return []
    bounds = brackets(table.draft, cell, OF_CONTROLS)
    text = (
        f"Among negative controls, which every batch has alike, it is {mean:.0f} %{bounds and f' {bounds}'} "
        f"(n = {int(rows['n'].mean()):,} {table.counted(OF_CONTROLS)}), where chance is {chance:.0f} %"
    )
    band = table.band(OF_CONTROLS)
    if band.low is not None and band.high is not None:
        text += f" and permuted batches give {band.low:.1f} to {band.high:.1f} %"
    return [text + "."]


def _is_there(table: _Table) -> bool | None:
    """Whether neighbours are of the same batch more often than permuted batches explain; None: not known of either."""
    told = []
    for metric in (BATCH, OF_CONTROLS):
        value, band = table.mean(UNCORRECTED, metric), table.band(metric)
        told += [] if value is None or band.high is None else [value > band.high]
    return any(told) if told else None


def _best(table: _Table, chance: float) -> str:
    """The corrections that clearly remove some of the batch effect, in a few words; empty where none was judged."""
    less = [c for c in table.changed(BATCH, told=True, up=False) if (table.mean(c, BATCH) or 0.0) >= chance - APART]
    if less:
        return f"Clearly less of it under {', '.join(map(table.results.registry.correction_title, less))}."
    judged = any(change.is_judged for (metric, _), change in table.changes.items() if metric == BATCH)
    return "No correction clearly does." if judged else ""


def _by_method(table: _Table, chance: float) -> str:
    """How often neighbours are of the same batch in each method's own embeddings."""
    registry, draft = table.results.registry, table.draft
    cells = {method: draft.cells.get((method, BATCH), Cell()) for method in registry.rows(table.name)}
    said = [f"{registry.title(m)} {cell.mean:.1f} %" for m, cell in cells.items() if cell.mean is not None]
    return f"Nearest neighbours of the same batch, uncorrected: {', '.join(said)} (chance {chance:.1f} %)."


def _batch(table: _Table, chance: float) -> str:
    """What corrections do to the batch effect."""
    less = table.changed(BATCH, told=True, up=False)
    apart = [c for c in less if (table.mean(c, BATCH) or 0.0) < chance - APART]
    parts = {
        "less under": [c for c in less if c not in apart],
        "below chance, where wells of one batch are pushed apart, under": apart,
        "more under": table.changed(BATCH, told=True, up=True),
        "no clear change under": table.changed(BATCH, told=False),
        "too few batches to judge:": table.unjudged(BATCH),
    }
    said = [f"{words} {table.listed(BATCH, own)}" for words, own in parts.items() if own]
    return f"Batch ({WORDS[BATCH].metric}, chance {chance:.1f} %): {'; '.join(said) or 'no correction was made'}."


def _purpose(table: _Table, purpose: str, metric: str) -> str:
    """What corrections gain and lose for a purpose; where none gains, uncorrected embeddings lead."""
    rows = table.rows(metric)
    sure = table.over_seeds(rows, "share" if METRICS[metric].is_share else "plain")
    text = (
        f"{purpose} ({WORDS[metric].metric}): uncorrected {table.shown(float(rows['value'].mean()), metric)}"
        f"{_brackets(table.bounds(sure, metric))}, n = {int(rows['n'].mean()):,} {table.counted(metric)}"
    )
    better, worse = (table.changed(metric, told=True, up=up) for up in (True, False))
    level = table.changed(metric, told=False)
    unjudged = table.unjudged(metric)
    if table.corrections and not better and not unjudged:
        text += "; no correction is clearly better"
    said = (("better", better), ("no clear change", level), ("worse", worse), ("too few batches to judge", unjudged))
    for words, own in said:
        text += f"; {words}: {table.listed(metric, own)}" if own else ""
    return text + "."


def _besides(table: _Table, said: Sequence[str]) -> list[str]:
    """Gains and losses of the metrics that no other sentence is of."""
    lines = []
    for words, gained in (("Better besides", True), ("Worse besides", False)):
        found = []
        for metric in SHOWN:
            if metric in WORDS and metric not in said:
                up = gained if METRICS[metric].better == "higher" else not gained
                own = table.changed(metric, told=True, up=up)
                found += [f"{WORDS[metric].metric} under {table.listed(metric, own)}"] if own else []
        lines += [f"{words}: {'; '.join(found)}."] if found else []
    return lines


def _positions(table: _Table) -> list[str]:
    """Whether replicates may be alike for their position alone."""
    place = positions(table.name, table.results)
    if not place.layout.matters:
        return []
    lines = [f"Positions: {place.sentence}."]
    for metric in ("replicate_across_batches", "replicate_map"):
        whole, other = table.rows(metric), table.rows(ELSEWHERE.format(metric))
        if len(whole) and len(other):
            lines[0] += (
                f" Without those in the same position {WORDS[metric].metric}: "
                f"{table.shown(float(other['value'].mean()), metric)} "
                f"(with them {table.shown(float(whole['value'].mean()), metric)})."
            )
            break
        if len(whole):
            lines[0] += " Without replicates in the same position there are none left."
            break
    return lines


def _drawn(results: Results) -> str:
    """What the intervals draw."""
    units = "compounds" if results.registry.screen.columns.compound else "perturbations"
    return f"{units} and batches (of NSC and weak phenotypes {units} alone)"


def _brackets(bounds: str) -> str:
    return bounds and f" [{bounds}]"
