"""Accuracy on unseen and on seen batches, what is kept of it, and how well a head still tells the batch (Table 1)."""

import numpy as np
import pandas as pd

from debatch.evaluate.uncertainty import ratio_interval
from debatch.registry import Registry
from debatch.report.cells import NOT_RUN, Cell, Draft, by_batch, by_seed, pooled
from debatch.report.results import Results

SPLIT_COLUMNS = {
    "separated": ("accuracy_batch_separated", "Accuracy, unseen batches"),
    "stratified": ("accuracy_batch_stratified", "Accuracy, seen batches"),
    "stratified_site": ("accuracy_batch_stratified_site", "Accuracy, seen wells (another site)"),
    "separated_val": ("accuracy_batch_separated_val", "Accuracy, validation batches"),
}
GENERALIZATION = ("batch_generalization", "Batch generalization")
HEAD = ("batch_classification_accuracy", "Batch accuracy of the trained head")
GUESSES = {"position_only": "Position only (null)", "majority_class": "Majority class (null)"}


def draft(name: str, results: Results) -> Draft:
    """Table 1 of the RxRx1 paper for the registry's methods, and the nulls below them.

    Batch generalization is accuracy on unseen over accuracy on seen batches, a ratio of means (section 3.2.2). The head
    is scored where all batches were trained on.
    """
    registry = results.registry
    spec, methods = registry.tables[name], registry.rows(name)
    nulls = [] if registry.externals else spec.nulls
    # the sensitivity is a column only where it was drawn; the paper's own columns are always there
    splits = [s for s in spec.splits if s in registry.screen.splits.names or s in ("separated", "stratified")]
    columns = dict(split_column(split) for split in splits)
    if {"separated", "stratified"} <= set(splits):
        columns |= dict([GENERALIZATION])
    if "stratified" in splits:
        columns |= dict([HEAD])
    rows, cells = {}, {}
    for method in [*methods, *nulls]:
        rows[method] = registry.title(method) + (" (null)" if method in nulls else "")
        own_splits = splits if method in methods else splits[:1]
        frames = {split: results.by_seed("metrics", name, method, split) for split in own_splits}
        for split in own_splits:
            cells[method, split_column(split)[0]] = pooled(frames[split], "accuracy", _lacking(registry, split))
        if method in methods and GENERALIZATION[0] in columns:
            cells[method, GENERALIZATION[0]] = _generalization(frames["separated"], frames["stratified"], registry)
        if method in methods and HEAD[0] in columns:
            cells[method, HEAD[0]] = pooled(frames["stratified"], "batch_accuracy", _lacking(registry, "stratified"))
    for split in splits:
        scores = results.nulls(split)
        for guess, title in GUESSES.items():
            if scores is not None:
                rows[guess] = title
                cells[guess, split_column(split)[0]] = pooled([scores[scores["null"] == guess]], "accuracy", "")
    notes = ["the head's batch accuracy is of the stratified split: it is not defined for batches that it never saw"]
    if registry.screen.published == spec.paper and "gradient_reversal" in methods:
        notes.append(
            "the paper's Tables 1 and 3 disagree on gradient reversal: 71.2 % against 73.8 %, when the cell types of "
            "Table 3 are weighted by their images; no run can reproduce both"
        )
    null_rows = (*nulls, *(guess for guess in GUESSES if guess in rows))
    return Draft(rows, columns, cells, nulls=null_rows, notes=notes)


def split_column(split: str) -> tuple[str, str]:
    """A split's column and its heading."""
    return SPLIT_COLUMNS.get(split, (f"accuracy_{split}", f"Accuracy, {split}"))


def _lacking(registry: Registry, split: str) -> str:
    return NOT_RUN if split in registry.screen.splits.names else f"the screen has no {split} split"


def _generalization(separated: list[pd.DataFrame], stratified: list[pd.DataFrame], registry: Registry) -> Cell:
    above, below = by_seed(separated, "accuracy"), by_seed(stratified, "accuracy")
    if not above or not below:
        return Cell(note=_lacking(registry, "separated" if not above else "stratified"))
    batches, batches_below = by_batch(separated, "accuracy"), by_batch(stratified, "accuracy")
    low, high = ratio_interval(
        batches["value"].tolist(),
        batches["n"].tolist(),
        batches_below["value"].tolist(),
        batches_below["n"].tolist(),
    )
    mean = 100 * float(np.mean(above) / np.mean(below))
    return Cell(mean, None, min(len(above), len(below)), 100 * low, 100 * high)
