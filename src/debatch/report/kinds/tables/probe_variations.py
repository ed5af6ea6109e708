"""What still tells unseen batches under changes of the methods' recipes."""

from typing import Literal

from pydantic import Field

from debatch.config.tables import Table
from debatch.report.cells import NOT_RUN, Cell, Draft, pooled
from debatch.report.kinds.base import OfVariations, TableKind, Varied, same_rows
from debatch.report.kinds.tables.probe import (
    GUESS,
    PERMUTED,
    PERMUTED_NOTE,
    PROBES,
    guess_origin,
    permuted_cell,
    probed_origin,
)
from debatch.report.nulls import NULL
from debatch.report.results import Results

LACKING = "too few batches or wells"


class ProbeVariationsTable(OfVariations, Table):
    """Batch accuracies of probes under changes of the methods' recipes."""

    kind: Literal["probe_variations"] = Field(
        "probe_variations", description="What still tells the batch under each of some changes of the recipes."
    )


class ProbeVariations(Varied, TableKind[ProbeVariationsTable]):
    """A row a change, columns of each method: batch accuracies of probes on unseen batches, and that of a guess."""

    spec = ProbeVariationsTable
    needs = ("probe",)

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        split, variants = registry.splits(name)[0], registry.variants[name]
        probes = [probe for probe in PROBES if probe.unseen]
        rows = {row.key: row.title for row in variants} | {GUESS: "Most frequent batch (null)"}
        columns: dict[str, str] = {}
        cells: dict[tuple[str, str], Cell] = {}
        for method in registry.rows(name):
            for probe in probes:
                column = f"{method}.{probe.column}"
                columns[column] = f"{registry.title(method)}: {probe.short}"
                for row in variants:
                    frames = results.by_seed("probe", name, row.methods[method], split)
                    lacking = LACKING if frames else NOT_RUN
                    cells[row.key, column] = pooled(
                        frames, probe.metric, lacking, probe.subset, origin=probed_origin(frames, probe)
                    )
                    if frames and (GUESS, column) not in cells:
                        first = frames.first()
                        cells[GUESS, column] = pooled(
                            first, "probe_guess", LACKING, probe.subset, origin=guess_origin(first)
                        )
        notes = [
            f"share of test images whose batch a probe tells, split {split}: standardised shrinkage LDA, 10 nearest "
            "neighbours and an MLP of one hidden layer on frozen embeddings, fitted on some wells of unseen batches "
            "and scored on others; lower is better",
            "pixels are normalized by statistics of all wells of the plate, experiment or screen, the scored ones "
            "included",
            "what normalization leaves of the batch, and what AdaBN leaves of that; accuracy under the same runs is in "
            "the tables of normalization",
        ]
        nulls = [GUESS]
        for row in variants:
            for method in registry.rows(name):
                frames = results.by_seed("probe", name, row.methods[method], split)
                for probe in probes:
                    cell = permuted_cell(frames, probe)
                    if cell.mean is not None:
                        rows[row.key + PERMUTED] = f"{row.title}, batches permuted {NULL}"
                        cells[row.key + PERMUTED, f"{method}.{probe.column}"] = cell
        nulls += [key for key in rows if key.endswith(PERMUTED)]
        notes += [PERMUTED_NOTE] if len(nulls) > 1 else []
        return Draft(rows, columns, cells, nulls=tuple(nulls), notes=[*notes, *same_rows(variants)])


KIND = ProbeVariations()
