"""One metric of classifiers of embeddings under changes of the methods' recipes (Table 2b of the CDCL paper)."""

from typing import Literal

from pydantic import Field, field_validator

from debatch.config.tables import Table
from debatch.evaluate.metrics import METRICS, OF_READOUTS
from debatch.report.cells import NOT_RUN, Draft
from debatch.report.kinds.base import OfVariations, TableKind, Varied, same_rows
from debatch.report.kinds.readouts import (
    ReadoutsKind,
    check_readout,
    collapsed,
    over_splits,
    readout_cell,
    repeats_of,
    training_notes,
)
from debatch.report.results import Results


class ReadoutVariationsTable(OfVariations, Table):
    """A metric of readouts of each method under changes of its recipe."""

    kind: Literal["readout_variations"] = Field(
        "readout_variations", description="A classifier of embeddings of each method under changes of its recipe."
    )
    metric: str = Field(
        "znorm_knn_accuracy", description=f"Metric of readouts that it shows: {', '.join(OF_READOUTS)}."
    )

    @field_validator("metric")
    @classmethod
    def _known(cls, value: str) -> str:
        return check_readout(value)


class ReadoutVariations(Varied, ReadoutsKind, TableKind[ReadoutVariationsTable]):
    """A row a method, a column a change."""

    spec = ReadoutVariationsTable

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, variants, methods = self.spec_of(name, registry), registry.variants[name], registry.rows(name)
        keys = {row.key: f"{spec.metric}_{row.key}" for row in variants}
        frames = {
            (method, keys[row.key]): over_splits(results, name, row.methods[method])
            for method in methods
            for row in variants
        }
        metric = METRICS[spec.metric]
        return Draft(
            {method: registry.title(method) for method in methods},
            {keys[row.key]: row.title for row in variants},
            {place: readout_cell(own, spec.metric, NOT_RUN) for place, own in frames.items()},
            unit=metric.unit,
            decimals=metric.decimals,
            repeats=repeats_of(registry, name),
            warnings=collapsed(results, [run for own in frames.values() for run in own.runs]),
            notes=[
                f"{metric.title}; neighbours are all training images of the split, whatever the network learnt from; "
                "as many epochs in each column, so that fewer images make fewer steps",
                *same_rows(variants),
                *training_notes(
                    results,
                    [run for own in frames.values() for run in own.runs],
                    {trained: row.title for row in variants for trained in row.methods.values()},
                ),
                f"split: {', '.join(registry.splits(name))}",
            ],
        )


KIND = ReadoutVariations()
