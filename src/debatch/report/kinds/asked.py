"""Of how many treatments and profiles the metrics of mechanisms are."""

from collections.abc import Iterable

from debatch.evaluate.metrics import METRICS
from debatch.evaluate.tidy import ALL
from debatch.report.frames import chosen
from debatch.report.results import Results

# metrics of mechanisms -> what they are shares of
OF_MECHANISMS = {"nsc": "treatments", "nscb": "profiles of a treatment in a batch"}


def asked_of(results: Results, name: str, metrics: Iterable[str]) -> dict[str, str]:
    """Of how many each metric of mechanisms is: from fewest to most, where rows of a table of scores differ in that.

    Args:
        results: of the screen.
        name: of the table.
        metrics: that it shows; others than those of mechanisms, and those that no row has, are left out.
    """
    counts: dict[str, set[int]] = {metric: set() for metric in OF_MECHANISMS if metric in metrics}
    if not counts:
        return {}
    for run in results.registry.runs(name):
        frame = results.of("scores", run)
        for metric, found in counts.items():
            own = chosen(frame, metric) if frame is not None else None
            if own is not None:
                found |= {int(n) for n in own.loc[(own.index == ALL) & own["value"].notna(), "n"]}
    return {metric: _span(found) for metric, found in counts.items() if found}


def asked_note(asked: dict[str, str]) -> list[str]:
    """The same in words; nothing where no metric is of mechanisms."""
    if not asked:
        return []
    counted = [f"{METRICS[metric].title.split(', ')[-1]} of {n} {OF_MECHANISMS[metric]}" for metric, n in asked.items()]
    return [
        f"counted: {', '.join(counted)}; of treatments whose mechanism is known, positive controls "
        "among them and negative ones not"
    ]


def _span(counts: set[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
