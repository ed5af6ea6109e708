"""What a table of predictions says in sentences: which method reads unseen batches best, and how sure that is."""

from collections.abc import Iterable, Sequence

from debatch.config import Recipe
from debatch.evaluate.metrics import METRICS
from debatch.evaluate.uncertainty import holm, p_value
from debatch.registry import Registry
from debatch.report.cells import Cell, Draft, pooled
from debatch.report.kinds.base import ByMetric
from debatch.report.kinds.positions import scored_wells
from debatch.report.kinds.tables import draft_table
from debatch.report.kinds.tables.differences import paired
from debatch.report.kinds.tables.generalization import SAME
from debatch.report.nulls import above_chance, alarms
from debatch.report.page.facts import SEES, seen_of_a_batch
from debatch.report.page.findings import Findings
from debatch.report.published import MARGIN_POINTS
from debatch.report.results import Results
from debatch.screen.layout import layout
from debatch.screen.nouns import stored_noun

LEVEL = 0.05


def prediction_findings(name: str, results: Results, test_batches: int) -> Findings:
    """Whether unseen batches are read worse, which method does best on them, at what price, and how sure that is.

    Args:
        name: of a table of kind `generalization`.
        results: of the screen.
        test_batches: how many batches `separated` tests on.
    """
    registry = results.registry
    metric, noun = metric_of(name, registry), stored_noun(registry.screen)
    methods = _of_the_same_images(registry.rows(name), registry.recipes)
    frames = {method: results.by_seed("metrics", name, method, "separated") for method in methods}
    cells = {method: pooled(own, metric, "") for method, own in frames.items() if own}
    if not cells:
        return Findings(effect=["No run on unseen batches has been made."])

    def less(method: str, other: str) -> Cell:
        return paired(*results.pair("metrics", name, (method, other), "separated"), metric)

    first, best = next(iter(cells)), max(cells, key=lambda method: cells[method].mean or 0.0)
    below = _worse(best, {method: less(best, method) for method in cells if method != best})
    # of those that are not clearly worse than the best the one that stands first: the simplest
    leader = next(method for method in cells if method not in below)
    share = f"{cells[leader].mean:.1f} % of {noun.many}"
    finding = f"{registry.title(leader)} recognises {share} from batches that it was not trained on"
    finding += "" if metric == "accuracy" else f" ({METRICS[metric].title.lower()})"
    if leader != first:
        gain = less(leader, first)
        finding += f", {gain.mean:.1f} points more than the {_lower(registry.title(first))} ({_range(gain)})"
    elif len(cells) > 1:
        finding += ", and no other method is clearly better"
    loses = "adabn" in cells and "baseline" in cells and _is_ahead(less("baseline", "adabn"))
    draft = draft_table(name, results)
    seeds = min(cell.n for cell in cells.values())
    sure = f"{_count(seeds, 'training seed')} a method" + (
        "; one seed says nothing of other seeds" if seeds == 1 else ""
    )
    if cells[leader].is_range:
        sure += (
            f"; only {_count(test_batches, 'test batch', 'test batches')}: ranges go from the worst to the best of "
            "each cell type, since they are too few for an interval"
        )
    return Findings(
        effect=_effect(name, first, cells[first], draft, results),
        removes=[finding + ".", *_compared(leader, below, cells, results), *_batch_sentence(results)],
        costs=[
            *(["AdaBN loses to the baseline here; see the section on the test batches' classes."] if loses else []),
            *_seen(leader, first, registry),
            *_on_seen_batches(name, leader, first, results),
        ],
        sure=[
            sure[0].upper() + sure[1:] + ".",
            *_position_sentence(name, results),
            *(f"Look at this first: {line}." for line in alarms(draft, above_chance(draft))),
        ],
        is_there=_is_there(first, draft),
        best=f"Of the methods compared: {registry.title(leader)}." if leader != first else "",
    )


def _effect(name: str, first: str, unseen: Cell, draft: Draft, results: Results) -> list[str]:
    """How much worse the first method reads batches that it was not trained on."""
    registry, noun = results.registry, stored_noun(results.registry.screen)
    seen = pooled(results.by_seed("metrics", name, first, "stratified"), metric_of(name, registry), "").mean
    title = registry.title(first)
    text = f"{title} recognises {unseen.mean:.1f} % of {noun.many} from batches that it was not trained on"
    if seen:
        share = 100 * (unseen.mean or 0.0) / seen
        text += (
            f"; trained on other wells of all batches, it recognises {seen:.1f}\u00a0%. So unseen batches come to "
            f"{share:.0f}\u00a0% of seen ones"
        )
    same = draft.cells.get((first, SAME[0]), Cell())
    if same.mean is not None and same.low is not None:
        how = ", the range of single batches" if same.is_range else ", a 95 % interval over batches"
        text += f" ({same.mean:.0f}\u00a0% on the same test batches: {same.low:.0f} to {same.high:.0f}{how})"
    return [text + "."]


def _is_there(first: str, draft: Draft) -> bool | None:
    """Whether the same batches are read worse where they are unseen, by more than the test batches leave open.

    None where there is no interval: a range of a few batches is no test.
    """
    same = draft.cells.get((first, SAME[0]), Cell())
    return None if same.high is None or same.is_range else same.high < 100


def metric_of(name: str, registry: Registry) -> str:
    """The metric that a table shows; accuracy where its kind shows no such."""
    spec = registry.tables[name]
    return spec.metric if isinstance(spec, ByMetric) else "accuracy"


def _of_the_same_images(methods: list[str], recipes: dict[str, Recipe]) -> list[str]:
    """The methods that are trained on the parts of the screen that the first one is."""
    parts = {method: recipes[method].parts if method in recipes else None for method in methods}
    return [method for method in methods if parts[method] == parts[methods[0]]]


def _worse(best: str, differences: dict[str, Cell]) -> dict[str, Cell]:
    """The methods that the best one is surely ahead of, and by how much.

    It is the best because it was chosen among all, so that every pair of them counts as compared. Where batches are too
    few for a test, it is ahead on each of them by more than what counts as the same number.
    """
    methods = list(differences)
    cells = [differences[method] for method in methods]
    of_pair = [p_value(cell.mean or 0.0, cell.error, cell.freedom) for cell in cells]
    adjusted = holm(of_pair, comparisons=len(methods) * (len(methods) + 1) // 2)
    return {
        method: cell
        for method, cell, p in zip(methods, cells, adjusted, strict=True)
        if cell.low is not None and ((cell.low > MARGIN_POINTS) if cell.is_range else p < LEVEL)
    }


def _is_ahead(cell: Cell) -> bool:
    """By more than the test batches leave open; where they leave nothing to say of that, by its number."""
    return ((cell.mean if cell.low is None else cell.low) or 0.0) > 0


def _seen(leader: str, first: str, registry: Registry) -> list[str]:
    """What inference looks at of a test batch, where that is more than the image itself."""
    if leader not in registry.recipes or first not in registry.recipes:
        return []
    seen, of_first = (seen_of_a_batch(registry.recipes[method].inference) for method in (leader, first))
    if seen == SEES["train"]:
        return []
    noun = stored_noun(registry.screen)
    text = f"Of such a batch {registry.title(leader)} looks at {noun.said(seen)}, without labels"
    if of_first != seen:
        text += f"; the {_lower(registry.title(first))} at {noun.said(of_first)}"
    return [text + "."]


def _compared(leader: str, below: dict[str, Cell], cells: dict[str, Cell], results: Results) -> list[str]:
    """The other methods, by whether they are clearly worse on the test batches."""

    def listed(methods: Iterable[str]) -> str:
        ordered = sorted(methods, key=lambda method: -(cells[method].mean or 0.0))
        return _listed([f"{results.registry.title(method)} ({cells[method].mean:.1f} %)" for method in ordered])

    lines = []
    if level := [method for method in cells if method != leader and method not in below]:
        lines.append(f"No clear difference from it on these test batches: {listed(level)}.")
    if below:
        few = any(cell.is_range for cell in below.values())
        how = "with p < 0.05 over test batches, corrected for the number of comparisons"
        if few:
            how = "even on the test batches that favour them most (too few batches for a test)"
        lines.append(f"Worse, {how}: {listed(below)}.")
    return lines


def _on_seen_batches(name: str, leader: str, first: str, results: Results) -> list[str]:
    """What the best method gains or loses where batches were trained on."""
    registry, metric = results.registry, metric_of(name, results.registry)
    seen = {method: results.by_seed("metrics", name, method, "stratified") for method in (leader, first)}
    means = {method: pooled(own, metric, "").mean for method, own in seen.items() if own}
    if leader == first or leader not in means or first not in means:
        return []
    difference = paired(*results.pair("metrics", name, (leader, first), "stratified"), metric)
    return [
        f"Of batches that were trained on, {registry.title(leader)} recognises {means[leader]:.1f} % and the "
        f"{_lower(registry.title(first))} {means[first]:.1f} % (difference {difference.mean:+.1f} points: "
        f"{_range(difference)})."
    ]


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
    guess = pooled(results.by_seed("probe", name, methods[0], "stratified").first(), "probe_guess", "").mean
    chance = "" if guess is None else f", always the most frequent batch {guess:.1f} %"
    return [
        f"With {_lower(registry.title(reversing[0]))} the head that is trained beside the network names the right "
        f"batch in {own:.1f} % of cases (without it {head:.1f} %). An LDA probe, fitted afterwards on embeddings of "
        f"the same seen batches, names it in {left:.1f} % ({registry.title(methods[0])} {probe:.1f} %{chance})."
    ]


def _position_sentence(name: str, results: Results) -> list[str]:
    """Where a well's position gives its class away: what a guess from it alone scores."""
    place = layout(scored_wells(results, "separated"))
    guess = results.nulls("separated", "position_only")
    if not place.matters or guess is None:
        return []
    scored = pooled(guess, metric_of(name, results.registry), "").mean
    return [f"Positions: {place}; a guess from the position alone scores {scored:.1f} %."] if scored else []


def _range(cell: Cell) -> str:
    how = (
        "by the worst and the best test batch of each cell type" if cell.is_range else "95 % interval over test batches"
    )
    return f"{cell.low:+.1f} to {cell.high:+.1f}, {how}" if cell.low is not None else "one batch a cell type"


def _lower(title: str) -> str:
    """A title within a sentence: Baseline becomes baseline, AdaBN stays."""
    return title[0].lower() + title[1:] if title[1:2].islower() and not any(c.isupper() for c in title[1:]) else title


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _count(n: int, noun: str, plural: str | None = None) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {plural or noun + 's'}"
