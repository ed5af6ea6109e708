"""The result in a few sentences, computed from the runs: which method generalizes, and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from debatch.config import Recipe
from debatch.evaluate.metrics import METRICS
from debatch.registry import Registry
from debatch.report.cells import Cell, pooled
from debatch.report.kinds.base import ByMetric
from debatch.report.kinds.tables.differences import paired
from debatch.report.results import Results

FEW_BATCHES = 5


@dataclass(frozen=True)
class Headline:
    """What a reader takes home in a minute."""

    finding: str
    details: list[str] = field(default_factory=list)


def headline(name: str, results: Results, test_batches: int) -> Headline:
    """Which method of a table does best on unseen batches, which are level with it, and what speaks for caution.

    Args:
        name: of a table of kind `generalization`.
        results: of the screen.
        test_batches: how many batches `separated` tests on.
    """
    registry = results.registry
    metric = metric_of(name, registry)
    methods = _of_the_same_images(registry.rows(name), registry.recipes)
    frames = {method: results.by_seed("metrics", name, method, "separated") for method in methods}
    cells = {method: pooled(own, metric, "") for method, own in frames.items() if own}
    if not cells:
        return Headline("No run on unseen batches has been made.")

    def less(method: str, other: str) -> Cell:
        return paired(*results.pair("metrics", name, (method, other), "separated"), metric)

    best = max(cells, key=lambda method: cells[method].mean or 0.0)
    first = next(iter(cells))
    finding = f"{registry.title(best)} recognises {cells[best].mean:.1f} % of images from batches it never saw"
    finding += "" if metric == "accuracy" else f" ({METRICS[metric].title.lower()})"
    if best != first:
        gain = less(best, first)
        finding += (
            f", {gain.mean:.1f} points more than the {_lower(registry.title(first))} ({_range(gain, test_batches)})"
        )
    details = [*_compared(best, cells, less, results, test_batches), *_kept(name, best, first, results)]
    if "adabn" in cells and "baseline" in cells and (less("baseline", "adabn").low or 0.0) > 0:
        details.insert(0, "AdaBN loses to the baseline here; see the section on the test batches' classes.")
    details += _batch_sentence(results)
    seeds = min(cell.n for cell in cells.values())
    sure = f"{_count(seeds, 'training seed')} a method" + ("; one seed has no spread" if seeds == 1 else "")
    if test_batches < FEW_BATCHES:
        sure += (
            f"; only {_count(test_batches, 'test batch', 'test batches')}: ranges go from the worst to the best of "
            "them, since they are too few for an interval"
        )
    return Headline(finding + ".", [*details, sure[0].upper() + sure[1:] + "."])


def metric_of(name: str, registry: Registry) -> str:
    """The metric that a table shows; accuracy where its kind shows no such."""
    spec = registry.tables[name]
    return spec.metric if isinstance(spec, ByMetric) else "accuracy"


def _of_the_same_images(methods: list[str], recipes: dict[str, Recipe]) -> list[str]:
    """The methods that are trained on the parts of the screen that the first one is."""
    parts = {method: recipes[method].parts if method in recipes else None for method in methods}
    return [method for method in methods if parts[method] == parts[methods[0]]]


def _compared(
    best: str, cells: dict[str, Cell], less: Callable[[str, str], Cell], results: Results, test_batches: int
) -> list[str]:
    """The other methods, by whether the test batches tell them from the best."""
    level: list[str] = []
    below: list[str] = []
    for method in sorted((other for other in cells if other != best), key=lambda other: -(cells[other].mean or 0.0)):
        difference = less(best, method)
        words = f"{results.registry.title(method)} ({cells[method].mean:.1f} %)"
        (below if (difference.low or 0.0) > 0 else level).append(words)
    lines = []
    if level:
        lines.append(f"Not told apart from it by the test batches: {_listed(level)}.")
    if below:
        how = "on every test batch" if test_batches < FEW_BATCHES else "by a 95 % bootstrap over test batches"
        lines.append(f"Worse {how}: {_listed(below)}.")
    return lines


def _kept(name: str, best: str, first: str, results: Results) -> list[str]:
    """How much of the accuracy on seen batches is kept on unseen ones."""
    shares, registry = {}, results.registry
    for method in dict.fromkeys((best, first)):
        unseen, seen = (
            pooled(results.by_seed("metrics", name, method, split), metric_of(name, registry), "").mean
            for split in ("separated", "stratified")
        )
        if unseen is None or not seen:
            return []
        shares[method] = 100 * unseen / seen
    words = [f"{results.registry.title(method)} keeps {share:.0f}\u00a0%" for method, share in shares.items()]
    return [f"Of its accuracy on batches that it was trained on, {', '.join(words)}."]


def _batch_sentence(results: Results) -> list[str]:
    """What an adversary's own head says of the batch, and what a probe says that is fitted afterwards."""
    registry = results.registry
    name = next((table for table in registry.targets("tables") if registry.tables[table].kind == "probe"), None)
    if name is None:
        return []
    methods = registry.rows(name)
    recipes = registry.recipes
    reversing = [m for m in methods if m in recipes and recipes[m].has_adversary and recipes[m].inference == "train"]
    if not reversing:
        return []
    numbers = []
    for method in (methods[0], reversing[0]):
        head = pooled(results.by_seed("metrics", name, method, "stratified"), "batch_accuracy", "").mean
        probe = pooled(results.by_seed("probe", name, method, "stratified"), "probe_lda", "").mean
        if head is None or probe is None:
            return []
        numbers.append((head, probe))
    (head, probe), (own, left) = numbers
    return [
        f"{registry.title(reversing[0])} brings the batch accuracy of its own head from {head:.1f} to {own:.1f} %; a "
        f"probe fitted afterwards tells {left:.1f} % ({registry.title(methods[0])}: {probe:.1f} %)."
    ]


def _range(cell: Cell, test_batches: int) -> str:
    how = "on the single test batches" if test_batches < FEW_BATCHES else "95 % bootstrap over test batches"
    return f"{cell.low:+.1f} to {cell.high:+.1f}, {how}"


def _lower(title: str) -> str:
    """A title within a sentence: Baseline becomes baseline, AdaBN stays."""
    return title[0].lower() + title[1:] if title[1:2].islower() and not any(c.isupper() for c in title[1:]) else title


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _count(n: int, noun: str, plural: str | None = None) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {plural or noun + 's'}"
