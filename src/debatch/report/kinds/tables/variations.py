"""Methods under changes of their recipes: a metric on unseen batches (Tables 2, 5 and 6)."""

from typing import Literal

from pydantic import Field

from debatch.config.tables import Table
from debatch.evaluate.tidy import ALL
from debatch.report.cells import NOT_RUN, Draft, pooled
from debatch.report.kinds.base import ByMetric, OfVariations, TableKind, Varied, same_rows
from debatch.report.kinds.luck import add_position_row
from debatch.report.results import Results


class VariationsTable(OfVariations, ByMetric, Table):
    """A metric of each method under changes of its recipe."""

    kind: Literal["variations"] = Field(
        "variations", description="A metric of each method under each of some changes of its recipe."
    )


class Variations(Varied, TableKind[VariationsTable]):
    """A row a change, a column a method. Source: RxRx1 paper, sections 5.3 and 5.7."""

    spec = VariationsTable
    needs = ("metrics", "nulls")

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, split = self.spec_of(name, registry), registry.splits(name)[0]
        variants, methods = registry.variants[name], registry.rows(name)
        cells = {
            (row.key, method): pooled(
                results.by_seed("metrics", name, row.methods[method], split), spec.metric, NOT_RUN
            )
            for row in variants
            for method in methods
        }
        notes = [f"{spec.shown.words}, split {split}; each row changes nothing else of the screen's own training"]
        draft = Draft(
            rows={row.key: row.title for row in variants},
            columns={method: registry.title(method) for method in methods},
            cells=cells,
            unchanged=tuple(key for key, change in spec.variations.items() if change.changes_nothing()),
            notes=[*notes, *same_rows(variants)],
            **spec.format,
        )
        return add_position_row(draft, dict.fromkeys(methods, (split, ALL)), spec.metric, results)


KIND = Variations()
