"""A metric on unseen and on seen batches, what is kept of it, and how well a head still tells the batch (Table 1)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Table
from debatch.evaluate.uncertainty import batch_spread, extremes, stratified_mean
from debatch.registry import Registry
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin, pooled, spread_cell
from debatch.report.frames import by_batch, by_seed
from debatch.report.kinds.base import ByMetric, TableKind, split_column
from debatch.report.kinds.luck import GUESSES, chances_of_nulls, guess_cell
from debatch.report.nulls import NULL
from debatch.report.results import Results

# the two that batch generalization is a ratio of
UNSEEN, SEEN = "separated", "stratified"
GENERALIZATION = ("batch_generalization", "Batch generalization")
# seen and unseen are of other batches, which may be harder or easier; this is of the same
SAME = ("batch_generalization_same_batches", "Batch generalization, same test batches")
HEAD = ("batch_classification_accuracy", "Batch accuracy of the trained head")
HEAD_OF_OTHERS = "not defined: the head learnt from embeddings under other test-time statistics"


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
            columns |= dict([GENERALIZATION, SAME])
        if SEEN in splits:
            columns |= dict([HEAD])
        rows, cells = {}, {}
        for method in [*methods, *nulls]:
            rows[method] = registry.title(method) + (f" {NULL}" if method in nulls else "")
            own_splits = splits if method in methods else splits[:1]
            frames = {split: results.by_seed("metrics", name, method, split) for split in own_splits}
            for split in own_splits:
                column, _ = split_column(split, spec.metric)
                cells[method, column] = pooled(frames[split], spec.metric, _lacking(registry, split))
            if method in methods and GENERALIZATION[0] in columns:
                for (column, _), same in ((GENERALIZATION, False), (SAME, True)):
                    cells[method, column] = _kept(frames[UNSEEN], frames[SEEN], spec.metric, registry, same)
            if method in methods and HEAD[0] in columns:
                cells[method, HEAD[0]] = head_cell(registry, method, frames[SEEN], _lacking(registry, SEEN))
        for split in splits:
            for guess, title in GUESSES.items():
                if (cell := guess_cell(results, split, guess, spec.metric)) is not None:
                    rows[guess] = title
                    cells[guess, split_column(split, spec.metric)[0]] = cell
        notes = []
        if HEAD[0] in columns:
            notes.append(
                "the head's batch accuracy is of the stratified split: it is not defined for batches that it never saw"
            )
        if SAME[0] in columns:
            notes.append(
                "batch generalization: unseen over seen batches; seen ones are all batches, or those "
                "test batches alone that the unseen accuracy is of, which may be harder or easier than the others"
            )
        if registry.screen.published == spec.paper and "gradient_reversal" in methods:
            notes.append(
                "the paper's Tables 1 and 3 disagree on gradient reversal: 71.2 % against 73.8 %, when the cell types "
                "of Table 3 are weighted by their images; no run can reproduce both"
            )
        null_rows = (*nulls, *(guess for guess in GUESSES if guess in rows))
        of_split = {split_column(split, spec.metric)[0]: split for split in splits}
        chances, poor = chances_of_nulls(cells, of_split, list(GUESSES), nulls, spec.metric, results)
        return Draft(
            rows, columns, cells, nulls=null_rows, chances=chances, poor_nulls=poor, notes=notes, **spec.format
        )


def head_cell(registry: Registry, method: str, frames: Sequence[pd.DataFrame], lacking: str) -> Cell:
    """Batch accuracy of the head beside the network, of a method that looks at embeddings as that head learnt them."""
    if method in registry.methods and registry.methods[method].weights_of is not None:
        return Cell(note=HEAD_OF_OTHERS, origin=Origin.of(frames))
    return pooled(frames, "batch_accuracy", lacking)


def _lacking(registry: Registry, split: str) -> str:
    return NOT_RUN if split in registry.screen.splits.names else f"the screen has no {split} split"


def _kept(
    unseen: Sequence[pd.DataFrame], seen: Sequence[pd.DataFrame], metric: str, registry: Registry, same: bool
) -> Cell:
    """A metric on unseen batches in % of that on seen ones, or on the same batches where those are seen.

    A draw of batches serves both: the unseen ones are among the seen.
    """
    origin = Origin.of(unseen, seen)
    above, below = by_seed(unseen, metric), by_seed(seen, metric)
    if not above or not below:
        return Cell(note=_lacking(registry, SEEN if above else UNSEEN), origin=origin)
    both = by_batch(seen, metric).join(by_batch(unseen, metric).add_suffix("_unseen"), how="outer")
    both["stratum"] = both["stratum"].fillna(both["stratum_unseen"])
    both = both[both["n"].notna() & both["n_unseen"].notna()] if same else both
    if both.empty:
        return Cell(note="no batch in common", origin=origin)
    side = both["n_unseen"].notna().map({True: "unseen", False: "seen"})
    both = both.fillna({"value": 0.0, "n": 0.0, "value_unseen": 0.0, "n_unseen": 0.0})
    cell_types = both["stratum"].to_numpy(str)
    top = stratified_mean(both["value_unseen"].to_numpy(), cell_types, both["n_unseen"].to_numpy())
    bottom = stratified_mean(both["value"].to_numpy(), cell_types, both["n"].to_numpy())
    every = np.ones((1, len(both)))
    line = float(bottom(every)[0])
    ratio = float(top(every)[0]) / line if same else float(np.mean(above) / np.mean(below))
    # seed by seed, where both were trained with as many
    seeds = [a / b for a, b in zip(above, below, strict=True)] if len(above) == len(below) else []

    def alone() -> tuple[float, float]:
        own = both[both["n_unseen"] > 0]
        columns = (own[name].to_numpy() for name in ("value_unseen", "stratum", "n_unseen"))
        low, high = extremes(*columns)
        return low / line, high / line

    spread = batch_spread(
        lambda counts: top(counts) / bottom(counts),
        (both["stratum"] + " " + side).to_numpy(str),
        both[["n", "n_unseen"]].max(axis=1).to_numpy(),
        seeds,
        alone=alone,
        value=ratio,
    )
    cell = spread_cell(100.0, seeds or [ratio], spread, "", origin)
    return replace(cell, mean=100 * ratio, n=min(len(above), len(below)))


KIND = Generalization()
