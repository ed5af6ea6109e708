"""What a table of corrections says in words, computed from it."""

from debatch.config import UNCORRECTED
from debatch.evaluate.scores import SCORES
from debatch.report.headline import Headline
from debatch.report.results import Results
from debatch.report.tables.cells import Cell, Draft
from debatch.report.tables.correction import CHANCE, COLUMNS, draft, row_key

BATCH = "neighbor_same_batch"
BIOLOGY = ("replicate_across_batches", "nscb", "nsc", "replicate_map", "grit")
COST = ("separability", "positive_control_retention")
WORDS = {
    BATCH: "nearest neighbours from the same batch",
    "replicate_across_batches": "wells whose nearest one of another batch is a replicate",
    "nscb": "treatments whose nearest one of another compound and batch shares the mechanism (NSCB)",
    "nsc": "treatments whose nearest one of another compound shares the mechanism (NSC)",
    "replicate_map": "replicate mAP",
    "grit": "median grit",
    "separability": "how surely treatments stand out from negative controls (AUROC)",
    "positive_control_retention": "what is kept of the positive controls",
}


def correction_headline(name: str, results: Results) -> Headline:
    """How strong the batch effect is, which correction removes most of it, which keeps most, and what it costs.

    Args:
        name: of a table of kind `correction`.
        results: of the screen.
    """
    table = draft(name, results)
    registry = results.registry
    first = registry.rows(name)[0]
    strength = _mean(table, first, UNCORRECTED, BATCH)
    if strength is None:
        return Headline("Nothing tells here how strong the batch effect is: there is one batch, or too few wells.")
    chance = table.cells.get((CHANCE, BATCH), Cell()).mean or 0.0
    finding = (
        f"{registry.title(first)}, uncorrected: the nearest neighbour among other perturbations is of the same batch "
        f"in {strength:.0f} % of cases, where chance is {chance:.0f} %."
    )
    named = {c: registry.correction_title(c) for c in registry.corrections_of(name) if c != UNCORRECTED}
    named = {c: title for c, title in named.items() if _mean(table, first, c, BATCH) is not None}
    if not named:
        return Headline(finding)
    biology, cost = (_first(table, first, metrics) for metrics in (BIOLOGY, COST))
    most = _best(table, first, list(named), BATCH)
    details = [f"{named[most]} removes most: {_change(table, first, most, BATCH)}{_and(table, first, most, biology)}."]
    if biology is not None:
        kept = _best(table, first, list(named), biology)
        also = _and(table, first, kept, BATCH) if kept != most else ""
        details.append(f"{named[kept]} does best on biology: {_change(table, first, kept, biology)}{also}.")
        lost = _lost(table, first, named, biology)
        if lost:
            details.append(f"Biology goes with the batch effect under {lost} ({WORDS[biology]}).")
    if cost is not None:
        lost = _lost(table, first, named, cost)
        if lost:
            details.append(f"Over-corrected: {WORDS[cost]} falls under {lost}.")
    return Headline(finding, details)


def _mean(table: Draft, method: str, correction: str, metric: str) -> float | None:
    return table.cells.get((row_key(method, correction), metric), Cell()).mean


def _first(table: Draft, method: str, metrics: tuple[str, ...]) -> str | None:
    return next((metric for metric in metrics if _mean(table, method, UNCORRECTED, metric) is not None), None)


def _best(table: Draft, method: str, corrections: list[str], metric: str) -> str:
    sign = 1 if SCORES[metric].better == "higher" else -1
    values = {c: _mean(table, method, c, metric) for c in corrections}
    return max(corrections, key=lambda c: float("-inf") if (value := values[c]) is None else sign * value)


def _shown(table: Draft, value: float | None, metric: str) -> str:
    unit = COLUMNS[metric][1]
    return "—" if value is None else table.text(value, metric) + ({"%": " %", "sd": " sd"}.get(unit, ""))


def _change(table: Draft, method: str, correction: str, metric: str) -> str:
    before, after = (_mean(table, method, which, metric) for which in (UNCORRECTED, correction))
    return f"{WORDS[metric]} {_shown(table, after, metric)} (uncorrected {_shown(table, before, metric)})"


def _and(table: Draft, method: str, correction: str, metric: str | None) -> str:
    return "" if metric is None else f"; {_change(table, method, correction, metric)}"


def _lost(table: Draft, method: str, named: dict[str, str], metric: str) -> str:
    """Corrections under which a metric falls by more than a twentieth of its scale."""
    before = _mean(table, method, UNCORRECTED, metric)
    scale = 100 if COLUMNS[metric][1] == "%" else abs(before or 1) if metric == "grit" else 1
    lost = []
    for correction, title in named.items():
        after = _mean(table, method, correction, metric)
        if before is not None and after is not None and after < before - 0.05 * scale:
            lost.append(f"{title} ({_shown(table, after, metric)})")
    return ", ".join(lost)
