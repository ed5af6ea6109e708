"""Gradient reversal under many settings on validation batches, and which of them is chosen."""

from typing import Literal

from pydantic import Field

from debatch.config.tables import Table
from debatch.evaluate.metrics import METRICS
from debatch.report.cells import Cell, Draft
from debatch.report.kinds.base import TableKind, same_rows, split_column
from debatch.report.kinds.reversal import PROBES, OfReversal, Reversal, choose, sweep
from debatch.report.results import Results

HEAD, STRONGEST, GUESS = "head_training", "strongest_within", "guess"


class ReversalTable(OfReversal, Table):
    """Gradient reversal under many settings."""

    kind: Literal["reversal"] = Field(
        "reversal", description="Gradient reversal under many settings on validation batches, and the chosen one."
    )


class ReversalKind(Reversal, TableKind[ReversalTable]):
    """A row a setting: validation accuracy, and how well the head and probes tell the batch."""

    spec = ReversalTable

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, split = self.spec_of(name, registry), registry.splits(name)[0]
        found = sweep(name, spec, results)
        choice = choose(found, spec)
        accuracy, heading = split_column(split, "accuracy")
        columns = {accuracy: heading, HEAD: "Head, training images"}
        columns |= {probe: METRICS[probe].title for probe in PROBES}
        columns |= {f"{probe}_within": f"{METRICS[probe].title}, within a cell type" for probe in PROBES}
        columns |= {STRONGEST: "Strongest probe, within a cell type"}
        cells: dict[tuple[str, str], Cell] = {}
        for swept in found:
            cells |= {(swept.key, accuracy): swept.accuracy, (swept.key, HEAD): swept.head}
            cells |= {
                (swept.key, f"{probe}_within" if within else probe): cell
                for (probe, within), cell in swept.probes.items()
            }
            cells[swept.key, STRONGEST] = swept.read
        for column in columns:
            if column not in (accuracy, HEAD):
                within = column.endswith("_within")
                cells[GUESS, column] = found[0].guesses[within]
        rows = {swept.key: swept.title + (" (chosen)" if swept is choice.chosen else "") for swept in found}
        notes = [
            choice.words,
            f"split {split}: no test image is looked at; lambda is the largest strength of the reversal, the head rate "
            "the learning rate of the batch head as a multiple of the network's, the DANN ramp grows from 0 to lambda "
            "over training",
            "probes: standardised shrinkage LDA, 10 nearest neighbours and an MLP of one hidden layer on frozen "
            "embeddings of training and validation batches together, fitted on half of each batch's wells and scored "
            "on the other half, both ways; lower is better",
            "the network was trained on the wells of all but the validation batches, the same ones in every row: an "
            "adversary that hides the batch of images that it saw may hide less of others",
        ]
        return Draft(rows | {GUESS: "Most frequent batch (null)"}, columns, cells, nulls=(GUESS,),
                     notes=[*notes, *same_rows(registry.variants[name])])  # fmt: skip


KIND = ReversalKind()
