"""What a table of corrections says in words, computed from it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from debatch.evaluate.metrics import METRICS
from debatch.evaluate.tidy import of_all
from debatch.evaluate.uncertainty import holm, p_value, seeds_spread
from debatch.files import UNCORRECTED
from debatch.report.cells import Cell, Draft
from debatch.report.kinds.tables import draft_table
from debatch.report.kinds.tables.correction import BATCH, BIOLOGY, CHANCE, row_key
from debatch.report.page.headline import LEVEL, Headline
from debatch.report.results import Results

# below chance by more than this many points, batches are pushed apart
APART = 3.0
WORDS = {
    BATCH: "nearest neighbours from the same batch",
    "replicate_across_batches": "wells whose nearest one of another batch is a replicate",
    "nscb": "treatments whose nearest one of another compound and batch shares the mechanism (NSCB)",
    "nsc": "treatments whose nearest one of another compound shares the mechanism (NSC)",
    "replicate_map": "replicate mAP",
    "grit": "mean grit",
}


class Change(NamedTuple):
    """What a correction changes of a metric.

    Attributes:
        value: after less before.
        error: its standard error; NaN where it is not known.
        freedom: degrees of freedom of that.
        p: how often chance alone gives as much, for all comparisons of the table at once.
    """

    value: float = np.nan
    error: float = np.nan
    freedom: float = np.nan
    p: float = 1.0


@dataclass(frozen=True)
class _Table:
    """A drafted table, and the results that it was made from."""

    name: str
    results: Results
    draft: Draft

    def mean(self, method: str, correction: str, metric: str) -> float | None:
        return self.draft.cells.get((row_key(method, correction), metric), Cell()).mean

    def title(self, method: str, correction: str) -> str:
        return self.draft.rows[row_key(method, correction)]

    def drawn(self, metric: str) -> str:
        """What the interval of a change draws."""
        units = "compounds" if self.results.registry.screen.columns.compound else "perturbations"
        return f"{units} alone" if metric == "nsc" else f"{units} and batches"

    def shown(self, value: float | None, metric: str) -> str:
        unit = METRICS[metric].unit and f" {METRICS[metric].unit}"
        return "—" if value is None else self.draft.text(value, metric) + unit

    def change(self, method: str, correction: str, metric: str) -> Change:
        """What a correction changes, mean over seeds."""
        split = self.results.registry.splits(self.name)[0]
        frames = self.results.by_seed("scores", self.name, method, split, correction)
        rows = [of_all(frame[frame["metric"] == f"{metric}_change"]) for frame in frames]
        found = [row[["value", "error", "freedom"]].iloc[0].to_numpy(float) for row in rows if len(row)]
        if not found:
            return Change()
        values, errors, freedoms = np.transpose(found)
        spread = seeds_spread(values.tolist(), errors, freedoms)
        return Change(float(values.mean()), spread.error, spread.freedom)

    def changes(self, method: str, corrections: list[str]) -> dict[tuple[str, str], Change]:
        """Every change of biology, with p-values that hold for all of them at once."""
        found = {(c, metric): self.change(method, c, metric) for c in corrections for metric in BIOLOGY}
        known = {key: change for key, change in found.items() if np.isfinite(change.error)}
        adjusted = holm([p_value(*change[:3]) for change in known.values()])
        return {key: change._replace(p=p) for (key, change), p in zip(known.items(), adjusted.tolist(), strict=True)}


def correction_headline(name: str, results: Results) -> Headline:
    """How strong the batch effect is, what brings it to chance, what that does to biology, and how sure that is.

    It speaks of the first method's embeddings, and of the best row of all where that is another method's.

    Args:
        name: of a table of kind `correction`.
        results: of the screen.
    """
    table = _Table(name, results, draft_table(name, results))
    registry = results.registry
    first = registry.rows(name)[0]
    before = table.mean(first, UNCORRECTED, BATCH)
    chance = table.draft.cells.get((CHANCE, BATCH), Cell()).mean
    if before is None or chance is None:
        return Headline("Nothing tells here how strong the batch effect is: there is one batch, or too few wells.")
    finding = (
        f"{registry.title(first)}, uncorrected: the nearest neighbour among other perturbations is of the same batch "
        f"in {before:.0f} % of cases, where chance is {chance:.0f} %."
    )
    corrections = [c for c in registry.corrections_of(name) if c != UNCORRECTED]
    details = []
    removed = [c for c in corrections if table.mean(first, c, BATCH) is not None]
    if removed:
        details.append(_removal(table, first, removed, before, chance))
    metric = next((metric for metric in BIOLOGY if table.mean(first, UNCORRECTED, metric) is not None), None)
    kept = [c for c in corrections if metric is not None and table.mean(first, c, metric) is not None]
    if metric is not None and kept:
        changes = table.changes(first, kept)
        details += [_biology(table, first, kept, metric, changes), *_losses(table, first, changes)]
    if metric is not None:
        details += _best_of_all(table, first, metric)
    return Headline(finding, details)


def _removal(table: _Table, method: str, corrections: list[str], before: float, chance: float) -> str:
    values = {c: table.mean(method, c, BATCH) or 0.0 for c in corrections}
    apart = [c for c in corrections if values[c] < chance - APART]
    level = [c for c in corrections if c not in apart]
    nearest = min(level, key=lambda c: abs(values[c] - chance), default=None)
    if nearest is None or abs(values[nearest] - chance) >= abs(before - chance):
        text = "No correction brings that nearer to chance" + (" without going below it" if apart else "")
    else:
        text = f"{table.title(method, nearest)} brings that nearest to chance: {values[nearest]:.1f} %"
        text += f" (uncorrected {before:.1f} %)"
    if apart:
        text += f"; below chance, where wells of one batch are pushed apart: {_listed(table, method, apart, BATCH)}"
    return text + "."


def _biology(
    table: _Table, method: str, corrections: list[str], metric: str, changes: dict[tuple[str, str], Change]
) -> str:
    before = table.mean(method, UNCORRECTED, metric) or 0.0
    best = max(corrections, key=lambda c: table.mean(method, c, metric) or 0.0)
    value = table.mean(method, best, metric) or 0.0
    said = f"{WORDS[metric]} {table.shown(value, metric)} (uncorrected {table.shown(before, metric)})"
    if value <= before:
        return f"No correction improves biology; the best, {table.title(method, best)}: {said}."
    p = changes.get((best, metric), Change()).p
    sure = f"p = {p:.2g}" if p < LEVEL else "not told from no change"
    return f"{table.title(method, best)} does best on biology: {said}; {sure}, {_over(table, metric)}."


def _losses(table: _Table, method: str, changes: dict[tuple[str, str], Change]) -> list[str]:
    lost: dict[str, list[str]] = {}
    for (correction, metric), change in changes.items():
        if change.value < 0 and change.p < LEVEL:
            lost.setdefault(metric, []).append(correction)
    return [
        f"Lost (p < {LEVEL}, {_over(table, metric)}): {WORDS[metric]} under "
        f"{_listed(table, method, corrections, metric)}."
        for metric, corrections in lost.items()
    ]


def _over(table: _Table, metric: str) -> str:
    return f"over {table.drawn(metric)}, corrected for the number of corrections and metrics"


def _best_of_all(table: _Table, first: str, metric: str) -> list[str]:
    """The best row of the table, where it is of another method than the first."""
    registry = table.results.registry
    values = {
        (method, correction): value
        for method in registry.rows(table.name)
        for correction in registry.corrections_of(table.name)
        if (value := table.mean(method, correction, metric)) is not None
    }
    best = max(values, key=values.__getitem__, default=None)
    if best is None or best[0] == first:
        return []
    return [
        f"Best of all rows on biology: {table.title(*best)}, {table.shown(values[best], metric)} ({WORDS[metric]})."
    ]


def _listed(table: _Table, method: str, corrections: list[str], metric: str) -> str:
    registry = table.results.registry
    return ", ".join(
        f"{registry.correction_title(c)} ({table.shown(table.mean(method, c, metric), metric)})" for c in corrections
    )
