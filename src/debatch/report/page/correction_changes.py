"""What corrections change of a method's embeddings, judged for all of a table's comparisons at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from debatch.evaluate.metrics import METRICS
from debatch.evaluate.tidy import of_all
from debatch.evaluate.uncertainty import Spread, holm, p_value, seeds_spread
from debatch.files import UNCORRECTED
from debatch.report.cells import Cell, Draft, brackets
from debatch.report.kinds.positions import scored_wells
from debatch.report.kinds.tables.correction import BATCH, CHANCE, OF_CONTROLS, PERMUTED, deciding, row_key
from debatch.report.page.prediction_findings import LEVEL
from debatch.report.results import Results
from debatch.screen.nouns import stored_noun
from debatch.screen.shared import Shared, shared

KBET_OF_CONTROLS = "kbet_controls"
# of treated wells, which cannot tell batch from treatment where no treatment is in several batches
OF_TREATED = (BATCH, "kbet")
# below chance by more than this many points, batches are pushed apart
APART = 3.0


class Words(NamedTuple):
    """Of a metric, within sentences.

    Attributes:
        metric: what it is.
        counted: what its n counts.
        short: in a few words.
    """

    metric: str
    counted: str
    short: str


WORDS = {
    "kbet": Words("k-BET acceptance", "images, one a well", "k-BET"),
    KBET_OF_CONTROLS: Words("k-BET acceptance of negative controls", "control images", "k-BET of controls"),
    BATCH: Words("nearest neighbours from the same batch", "treated images", "same-batch neighbours"),
    OF_CONTROLS: Words("nearest neighbours from the same batch", "control images", "same-batch controls"),
    "replicate_across_batches": Words(
        "wells whose nearest one of another batch is a replicate", "wells", "replicates across batches"
    ),
    "replicate_map": Words("replicate mAP", "wells", "replicate mAP"),
    "grit": Words("mean grit", "wells", "grit"),
    "nscb": Words(
        "treatments whose nearest one of another compound and batch shares the mechanism (NSCB)",
        "profiles of a treatment in a batch",
        "mechanism across batches (NSCB)",
    ),
    "nsc": Words(
        "treatments whose nearest one of another compound shares the mechanism (NSC)", "treatments", "mechanism (NSC)"
    ),
    "separability": Words(
        "treatments that stand out from controls (AUROC)", "wells", "treatments against controls (AUROC)"
    ),
    "weak_separability": Words(
        "the weakest quarter of treatments stands out from controls (AUROC)",
        "pairs of treatment and cell type",
        "weak treatments (AUROC)",
    ),
}
# what embeddings are for -> the metrics of it: of each pair or more the first that the screen defines speaks
PURPOSES = {
    "Replicates": (("replicate_across_batches", "replicate_map"),),
    "Mechanism": (("nscb",), ("nsc",)),
    "Weak phenotypes": (("weak_separability",),),
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

    @property
    def is_lucky(self) -> bool:
        """Whether its interval leaves 0 out, and it may be luck for all that: one of many comparisons."""
        return not self.is_told and (self.sure.low > 0 or self.sure.high < 0)


@dataclass(frozen=True)
class Compared:
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

    def chance(self, metric: str) -> float | None:
        """What a random neighbour gives of it."""
        return self.draft.cells.get((CHANCE, metric), Cell()).mean

    @cached_property
    def wells(self) -> pd.DataFrame:
        """The index's rows that are scored."""
        return scored_wells(self.results, self.results.registry.splits(self.name)[0])

    @cached_property
    def shared(self) -> Shared:
        """How many treatments are in several batches."""
        return shared(self.wells)

    @cached_property
    def deciding(self) -> str:
        """The metric by which a correction removes the batch effect."""
        return deciding(self.results, self.name, has_controls=self.mean(UNCORRECTED, OF_CONTROLS) is not None)

    @property
    def controls_decide(self) -> bool:
        """Whether negative controls alone tell the batch."""
        return self.deciding == OF_CONTROLS

    @cached_property
    def purposes(self) -> dict[str, list[str]]:
        """What embeddings are for -> the metrics that speak for it on this screen."""
        found = {
            purpose: [
                next(m for m in group if self.mean(UNCORRECTED, m) is not None)
                for group in groups
                if any(self.mean(UNCORRECTED, m) is not None for m in group)
            ]
            for purpose, groups in PURPOSES.items()
        }
        return {purpose: metrics for purpose, metrics in found.items() if metrics}

    @property
    def judged(self) -> int:
        """How many comparisons are judged."""
        return sum(change.is_judged for change in self.changes.values())

    def counted(self, metric: str) -> str:
        """What a metric's n counts."""
        return stored_noun(self.results.registry.screen).said(WORDS[metric].counted)

    def mean(self, correction: str, metric: str) -> float | None:
        """What the table shows of a metric under a correction."""
        return self.draft.cells.get((row_key(self.method, correction), metric), Cell()).mean

    def shown(self, value: float, metric: str, *, sign: bool = False) -> str:
        """A number on the metric's own scale, for people."""
        text = f"{METRICS[metric].factor * value:{'+' if sign else ''}.{METRICS[metric].decimals}f}"
        return text + (METRICS[metric].unit and f" {METRICS[metric].unit}" if not sign else "")

    def interval(self, metric: str) -> str:
        """That of uncorrected embeddings, as the table shows it, after a space; empty where there is none."""
        cell = self.draft.cells.get((self.method, metric), Cell())
        text = "" if cell.is_range else brackets(self.draft, cell, metric)
        return text and f" {text}"

    def titles(self, corrections: Sequence[str]) -> str:
        """Of corrections, in a row."""
        return ", ".join(map(self.results.registry.correction_title, corrections))

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

    @cached_property
    def changes(self) -> dict[tuple[str, str], Change]:
        """By metric and correction, with p-values that hold for all of them at once."""
        found = {}
        for metric in WORDS:
            if self.controls_decide and metric in OF_TREATED:
                continue
            for correction in self.corrections:
                rows = self.rows(f"{metric}_change", correction)
                if len(rows):
                    value, errors, freedoms = (rows[name].tolist() for name in ("value", "error", "freedom"))
                    sure = seeds_spread(value, errors, freedoms)
                    found[metric, correction] = Change(float(rows["value"].mean()), sure)
        known = {key: change for key, change in found.items() if change.is_judged}
        adjusted = holm([p_value(change.value, change.sure.error, change.sure.freedom) for change in known.values()])
        judged = {key: change._replace(p=p) for (key, change), p in zip(known.items(), adjusted.tolist(), strict=True)}
        return {**found, **judged}

    def changed(self, metric: str, *, told: bool, up: bool | None = None) -> list[str]:
        """Corrections that change a metric, or are not told from not doing so."""
        own = {c: change for (of, c), change in self.changes.items() if of == metric and change.is_judged}
        return [c for c, change in own.items() if change.is_told == told and up in (None, change.value > 0)]

    def judged_by(self, metric: str) -> list[str]:
        """Corrections whose change of a metric has an error."""
        return [c for (of, c), change in self.changes.items() if of == metric and change.is_judged]

    def unjudged(self, metric: str) -> list[str]:
        """Corrections whose change of a metric has no error."""
        return [c for (of, c), change in self.changes.items() if of == metric and not change.is_judged]

    def gained(self, metric: str, *, better: bool) -> list[str]:
        """Corrections under which a metric is clearly better, or clearly worse."""
        higher = METRICS[metric].better == "higher"
        return self.changed(metric, told=True, up=better if higher else not better)

    def listed(self, metric: str, corrections: Sequence[str]) -> str:
        """Corrections, each with what it makes of the metric and by how much that is more or less.

        Where the brackets of one leave 0 out, and it is not clear for all that, the adjusted p stands beside them.
        """
        said = []
        for correction in corrections:
            change, mean = self.changes[metric, correction], self.mean(correction, metric)
            value = "" if mean is None else self.draft.text(mean, metric)
            ends = [self.shown(end, metric, sign=True) for end in (change.sure.low, change.sure.high)]
            bounds = f" [{' to '.join(ends)}]" if np.isfinite(change.sure.low) else ""
            luck = f"; p = {_p(change.p)}" if change.is_lucky else ""
            title = self.results.registry.correction_title(correction)
            said.append(f"{title} ({value}: {self.shown(change.value, metric, sign=True)}{bounds}{luck})")
        return ", ".join(said)

    def luck(self, metric: str) -> str:
        """Why a change is unclear whose brackets leave 0 out, as a sentence after a space; empty where none is."""
        lucky = [change for (of, _), change in self.changes.items() if of == metric and change.is_lucky]
        if not lucky:
            return ""
        return (
            f" Where p stands beside brackets that leave 0 out: {self.judged} changes are compared, and after allowing "
            "for that it could be luck."
        )


def _p(value: float) -> str:
    """Never as small as the level that it did not reach."""
    return f"{value:.2f}" if value >= LEVEL + 0.005 else f"{value:.3f}"
