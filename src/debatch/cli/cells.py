"""Which runs a cell of a table was made from."""

from dataclasses import dataclass

from debatch.config.read import nearest
from debatch.config.tables import VARIED
from debatch.errors import ConfigError
from debatch.files import UNCORRECTED
from debatch.registry import Registry, Run
from debatch.registry.adaptation import ADAPTED
from debatch.registry.run import PROFILES
from debatch.report.kinds.tables import (
    adaptation,
    correction,
    cosine,
    differences,
    few_batches,
    generalization,
    label_shift,
    probe,
)

PROBES = ("probe", "probe_variations")
# columns that no model is asked for
COUNTED = {"adaptation": (adaptation.AVAILABLE,), "label_shift": (label_shift.CLASSES, label_shift.SHIFT)}


@dataclass(frozen=True)
class Origin:
    """What a cell stands on.

    Attributes:
        runs: of the registry; those that share their weights are several views of one training.
        splits: that it is computed on.
        words: what is special about it; empty where nothing is.
    """

    runs: list[Run]
    splits: list[str]
    words: str = ""


def origin_of(registry: Registry, table: str, row: str, column: str) -> Origin:
    """The runs behind a cell whose row and column are known to be there.

    Raises:
        ConfigError: the row is of no method or correction that the table has now.
    """
    kind = registry.tables[table].kind
    splits = _splits(registry, table, kind, column)
    runs = [run for run in registry.runs(table) if run.split in splits]
    if kind == "generalization" and row in generalization.GUESSES:
        return Origin([], splits, "a guess that uses no image: computed from the split and the index alone")
    if column in COUNTED.get(kind, ()):
        return Origin([], splits, "counted from the split and the index alone")
    views = _views(registry, table, kind, row, column)
    words = ""
    if kind == "few_batches" and column.endswith(few_batches.DRAWS):
        runs = [run for run in runs if run.seed == 0]
        words = "the first seed on each draw of training batches"
    if row in {probe.GUESS, correction.CHANCE}:
        words = "a null: computed from the batches of the first method's embeddings, not from the embeddings"
    chosen = [run for run in runs if (run.method, run.correction) in views]
    if not chosen:
        known = sorted({correction.row_key(run.method, run.correction) for run in runs})
        raise ConfigError(f"{table}: the row {row!r} is of no run that the table is made from now{nearest(row, known)}")
    told_by = column.split(".")[-1]
    is_unseen = kind in PROBES and told_by in probe.PROBES and probe.PROBES[told_by][1]
    if is_unseen and not words and any(run.inference not in {"train", PROFILES} for run in chosen):
        words = "probed under statistics from other wells of the batch (`half`)"
    if kind in ADAPTED:
        words = "of metrics/adaptation.csv, under the test-time statistics that row and column name"
    return Origin(chosen, splits, words)


def _views(registry: Registry, table: str, kind: str, row: str, column: str) -> set[tuple[str, str]]:
    """Method and correction of a row; two methods where it is their difference."""
    if kind in VARIED:
        variants = registry.variants.get(table, [])
        rows = variants[:1] if row == probe.GUESS else [variant for variant in variants if variant.key == row]
        named = (variant.methods.get(column.split(".")[0]) for variant in rows)
        return {(method, UNCORRECTED) for method in named if method is not None}
    methods = [*dict.fromkeys(run.method for run in registry.runs(table))]
    if kind == "correction":
        pairs = {(m, c) for m in methods for c in registry.corrections_of(table) if correction.row_key(m, c) == row}
        return pairs or {(methods[0], UNCORRECTED)} if row == correction.CHANCE or pairs else set()
    if kind == "differences":
        found = {method for a in methods for b in methods if differences.pair_key(a, b) == row for method in (a, b)}
    elif kind == "cosine":
        found = {method for method in methods if row in {method, method + cosine.OTHER_WELLS}}
    elif kind == "probe" and row == probe.GUESS:
        found = {methods[0]}
    elif kind in ADAPTED:  # a method and its test-time statistics, with a dot between
        found = {(row if kind == "adaptation" else column).split(".")[0]} & set(methods)
    else:
        found = {row} & set(methods)
    return {(method, UNCORRECTED) for method in found}


def _splits(registry: Registry, table: str, kind: str, column: str) -> list[str]:
    """The splits that a column is computed on."""
    splits = registry.splits(table)
    if kind in {"generalization", "differences"}:
        if column == generalization.GENERALIZATION[0]:
            return [split for split in ("separated", "stratified") if split in splits]
        if column == generalization.HEAD[0]:
            return [split for split in ("stratified",) if split in splits]
        return [split for split in splits if generalization.split_column(split)[0] == column]
    if kind == "few_batches":
        drawn = few_batches.splits_by_cell_type(splits).get(column.removesuffix(few_batches.DRAWS), [])
        return drawn if column.endswith(few_batches.DRAWS) else drawn[:1]
    if kind == "probe":
        unseen = column in probe.PROBES and probe.PROBES[column][1]
        return [split for split in splits if split.startswith("stratified") != unseen][:1]
    return splits[:1]
