"""Accuracy on unseen batches of methods under changes of their recipes (Tables 2, 5 and 6)."""

from debatch.report.results import Results
from debatch.report.tables.cells import Draft, pooled


def draft(name: str, results: Results) -> Draft:
    """A row a change, a column a method. Source: RxRx1 paper, sections 5.3 and 5.7."""
    registry = results.registry
    split = registry.splits(name)[0]
    variants, methods = registry.variants[name], registry.rows(name)
    cells = {
        (row.key, method): pooled(results.by_seed("metrics", name, row.methods[method], split), "accuracy", "not run")
        for row in variants
        for method in methods
    }
    notes = [f"accuracy per image, split {split}; each row changes nothing else of the screen's own training"]
    notes += [f"{row.title} is also: {', '.join(row.also)}" for row in variants if row.also]
    rows = {row.key: row.title for row in variants}
    return Draft(rows, {method: registry.title(method) for method in methods}, cells, notes=notes)
