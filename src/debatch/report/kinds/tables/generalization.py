"""A metric on unseen and on seen batches, what is kept of it, and how well a head still tells the batch (Table 1)."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Table
from debatch.evaluate.uncertainty import ratio_interval
from debatch.registry import Registry
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin, by_batch, by_seed, pooled
from debatch.report.kinds.base import ByMetric, TableKind, split_column
from debatch.report.results import Results

# the two that batch generalization is a ratio of
UNSEEN, SEEN = "separated", "stratified"
GENERALIZATION = ("batch_generalization", "Batch generalization")
HEAD = ("batch_classification_accuracy", "Batch accuracy of the trained head")
GUESSES = {"position_only": "Position only (null)", "majority_class": "Majority class (null)"}


class GeneralizationTable(ByMetric, Table):
    """A metric on each split, and unseen over seen batches."""

    kind: Literal["generalization"] = Field(
        "generalization", description="A metric on each split, unseen over seen batches, batch accuracy of the head."
    )
    nulls: list[str] = Field(
        default=[], description="Methods that can only score at chance: one seed, on the first split alone."
    )


class Generalization(TableKind[GeneralizationTable]):
    """Table 1 of the RxRx1 paper for the registry's methods, and the nulls below them.

    Batch generalization is the metric on unseen over that on seen batches, a ratio of means (section 3.2.2). The head
    is scored where all batches were trained on.
    """

    spec = GeneralizationTable
    needs = ("metrics", "nulls")

    def nulls(self, spec: Any) -> list[str]:
        """The table's own."""
        return list(spec.nulls)

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, methods = self.spec_of(name, registry), registry.rows(name)
        nulls = [] if registry.externals else spec.nulls
        # the sensitivity is a column only where it was drawn; the paper's own columns are always there
        splits = [s for s in spec.splits if s in registry.screen.splits.names or s in (UNSEEN, SEEN)]
        columns = dict(split_column(split, spec.metric) for split in splits)
        if {UNSEEN, SEEN} <= set(splits):
            columns |= dict([GENERALIZATION])
        if SEEN in splits:
            columns |= dict([HEAD])
        rows, cells = {}, {}
        for method in [*methods, *nulls]:
            rows[method] = registry.title(method) + (" (null)" if method in nulls else "")
            own_splits = splits if method in methods else splits[:1]
            frames = {split: results.by_seed("metrics", name, method, split) for split in own_splits}
            for split in own_splits:
                column, _ = split_column(split, spec.metric)
                cells[method, column] = pooled(frames[split], spec.metric, _lacking(registry, split))
            if method in methods and GENERALIZATION[0] in columns:
                cells[method, GENERALIZATION[0]] = _kept(frames[UNSEEN], frames[SEEN], spec.metric, registry)
            if method in methods and HEAD[0] in columns:
                cells[method, HEAD[0]] = pooled(frames[SEEN], "batch_accuracy", _lacking(registry, SEEN))
        for split in splits:
            for guess, title in GUESSES.items():
                scores = results.nulls(split, guess)
                if scores is not None:
                    rows[guess] = title
                    counted = Origin(splits=(split,), words="a guess from the split and the index, without a model")
                    column, _ = split_column(split, spec.metric)
                    cells[guess, column] = pooled(scores, spec.metric, "", origin=counted)
        notes = [
            "the head's batch accuracy is of the stratified split: it is not defined for batches that it never saw"
        ]
        if registry.screen.published == spec.paper and "gradient_reversal" in methods:
            notes.append(
                "the paper's Tables 1 and 3 disagree on gradient reversal: 71.2 % against 73.8 %, when the cell types "
                "of Table 3 are weighted by their images; no run can reproduce both"
            )
        null_rows = (*nulls, *(guess for guess in GUESSES if guess in rows))
        return Draft(rows, columns, cells, nulls=null_rows, notes=notes, **spec.format)


def _lacking(registry: Registry, split: str) -> str:
    return NOT_RUN if split in registry.screen.splits.names else f"the screen has no {split} split"


def _kept(unseen: Sequence[pd.DataFrame], seen: Sequence[pd.DataFrame], metric: str, registry: Registry) -> Cell:
    """A metric on unseen batches in % of that on seen ones."""
    origin = Origin.of(unseen, seen)
    above, below = by_seed(unseen, metric), by_seed(seen, metric)
    if not above or not below:
        return Cell(note=_lacking(registry, SEEN if above else UNSEEN), origin=origin)
    batches, batches_below = by_batch(unseen, metric), by_batch(seen, metric)
    low, high = ratio_interval(
        batches["value"].tolist(),
        batches["n"].tolist(),
        batches_below["value"].tolist(),
        batches_below["n"].tolist(),
    )
    mean = 100 * float(np.mean(above) / np.mean(below))
    return Cell(mean, None, min(len(above), len(below)), 100 * low, 100 * high, origin=origin)


KIND = Generalization()
