"""Methods under changes of their recipes: accuracy on unseen batches (Tables 2, 5 and 6), and what still tells them."""

from debatch.report.cells import NOT_RUN, Cell, Draft, pooled
from debatch.report.kinds.tables.probe import GUESS, PROBES
from debatch.report.results import Results


def draft(name: str, results: Results) -> Draft:
    """A row a change, a column a method. Source: RxRx1 paper, sections 5.3 and 5.7."""
    registry = results.registry
    split = registry.splits(name)[0]
    variants, methods = registry.variants[name], registry.rows(name)
    cells = {
        (row.key, method): pooled(results.by_seed("metrics", name, row.methods[method], split), "accuracy", NOT_RUN)
        for row in variants
        for method in methods
    }
    notes = [f"accuracy per image, split {split}; each row changes nothing else of the screen's own training"]
    notes += same_rows(name, results)
    rows = {row.key: row.title for row in variants}
    return Draft(rows, {method: registry.title(method) for method in methods}, cells, notes=notes)


def draft_probes(name: str, results: Results) -> Draft:
    """A row a change, three columns a method: batch accuracies of probes on unseen batches, and that of a guess."""
    registry = results.registry
    split = registry.splits(name)[0]
    probes = {column: about for column, about in PROBES.items() if about[1]}
    lacking = "too few batches or wells"
    rows = {row.key: row.title for row in registry.variants[name]} | {GUESS: "Most frequent batch (null)"}
    columns: dict[str, str] = {}
    cells: dict[tuple[str, str], Cell] = {}
    for method in registry.rows(name):
        for column, (title, _, metric, subset) in probes.items():
            own = f"{method}.{column}"
            columns[own] = f"{registry.title(method)}: {title.removesuffix(', unseen batches').replace(', unseen', '')}"
            for row in registry.variants[name]:
                frames = results.by_seed("probe", name, row.methods[method], split)
                cells[row.key, own] = pooled(frames, metric, lacking if frames else NOT_RUN, subset)
                if frames and (GUESS, own) not in cells:
                    cells[GUESS, own] = pooled(frames[:1], "probe_guess", lacking, subset)
    notes = [
        f"share of test images whose batch a probe tells, split {split}: standardised shrinkage LDA and 10 nearest "
        "neighbours on frozen embeddings, fitted on some wells of unseen batches and scored on others; lower is better",
        "pixels are normalized by statistics of all wells of the plate, experiment or screen, the scored ones included",
        "what normalization leaves of the batch, and what AdaBN leaves of that; accuracy under the same runs is in the "
        "tables of normalization",
    ]
    return Draft(rows, columns, cells, nulls=(GUESS,), notes=[*notes, *same_rows(name, results)])


def same_rows(name: str, results: Results) -> list[str]:
    """Notes of the changes that come to the same on this screen."""
    return [f"{row.title} is also: {', '.join(row.also)}" for row in results.registry.variants[name] if row.also]
