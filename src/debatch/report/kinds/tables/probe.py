"""What still tells the batch: the head that was trained beside the network, and probes fitted afterwards."""

from typing import Literal, NamedTuple

import pandas as pd
from pydantic import Field

from debatch.config.splits import Split
from debatch.config.tables import Table
from debatch.evaluate.batch_effect.permuted import PROBE_DRAWS
from debatch.evaluate.tidy import WITHIN
from debatch.registry.run import PROFILES
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin, pooled
from debatch.report.kinds.base import TableKind
from debatch.report.kinds.tables.generalization import head_cell
from debatch.report.nulls import NULL
from debatch.report.results import ByRun, Results

HEAD = "batch_classification_accuracy"
GUESS, PERMUTED, CONTROLS = "guess", "_permuted", "_controls"
PERMUTED_NOTE = (
    "batches permuted: what no batch effect would give the same embeddings: the batches of each perturbation's wells "
    f"are dealt anew among those wells, {PROBE_DRAWS} times (of the MLP once); in brackets the smallest and the "
    "largest, which so few make no interval; over all cell types it holds what telling the cell type gives"
)


class Probe(NamedTuple):
    """One way of telling the batch from embeddings.

    Attributes:
        column: of tables.
        heading: of that column.
        short: the same where all are of unseen batches.
        unseen: whether it tells batches that were not trained on.
        metric: among a run's probes.
        subset: of its rows there.
    """

    column: str
    heading: str
    short: str
    unseen: bool
    metric: str
    subset: str


PROBES = (
    Probe("probe_seen", "LDA probe, seen batches", "LDA probe", False, "probe_lda", "all"),
    Probe("probe_seen_within", "LDA, seen, within a cell type", "LDA, within a cell type", False, "probe_lda", WITHIN),
    Probe("knn_seen", "k-NN, seen batches", "k-NN", False, "probe_knn", "all"),
    Probe("mlp_seen", "MLP, seen batches", "MLP", False, "probe_mlp", "all"),
    Probe("mlp_seen_within", "MLP, seen, within a cell type", "MLP, within a cell type", False, "probe_mlp", WITHIN),
    Probe("probe_unseen", "LDA probe, unseen batches", "LDA probe", True, "probe_lda", "all"),
    Probe(
        "probe_unseen_within", "LDA, unseen, within a cell type", "LDA, within a cell type", True, "probe_lda", WITHIN
    ),
    Probe("knn_unseen", "k-NN, unseen batches", "k-NN", True, "probe_knn", "all"),
    Probe("mlp_unseen", "MLP, unseen batches", "MLP", True, "probe_mlp", "all"),
    Probe("mlp_unseen_within", "MLP, unseen, within a cell type", "MLP, within a cell type", True, "probe_mlp", WITHIN),
)


class ProbeTable(Table):
    """Batch accuracies of the head and of probes."""

    kind: Literal["probe"] = Field("probe", description="What still tells the batch: the trained head, and probes.")


class ProbeKind(TableKind[ProbeTable]):
    """Batch accuracies of all methods; below them that of always answering with the most frequent batch."""

    spec = ProbeTable
    needs = ("metrics", "probe")

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        splits, methods = registry.splits(name), registry.rows(name)
        of_probe = {
            unseen: next((split for split in splits if Split.named(split).has_unseen_batches == unseen), None)
            for unseen in (False, True)
        }
        rows, cells = {}, {}
        for method in methods:
            rows[method] = registry.title(method)
            seen = of_probe[False]
            heads = results.by_seed("metrics", name, method, seen) if seen else ByRun((), ())
            lacking = NOT_RUN if seen else "the screen has no stratified split"
            if registry.externals:
                lacking = "profiles come without a head"
            cells[method, HEAD] = head_cell(registry, method, heads, lacking)
            for probe in PROBES:
                split = of_probe[probe.unseen]
                frames = results.by_seed("probe", name, method, split) if split else ByRun((), ())
                lacking = "too few batches or wells" if frames else NOT_RUN if split else "the screen has no such split"
                origin = probed_origin(frames, probe)
                cells[method, probe.column] = pooled(frames, probe.metric, lacking, probe.subset, origin=origin)
        for method in methods:
            own = {probe.column: _probed(name, method, results, of_probe[probe.unseen], probe) for probe in PROBES}
            alone = {column: cell for column, cell in own.items() if cell.mean is not None}
            if alone:
                rows[method + CONTROLS] = f"{registry.title(method)}, controls alone"
                cells |= {(method + CONTROLS, column): cell for column, cell in alone.items()}
        nulls = [GUESS]
        rows[GUESS] = f"Most frequent batch {NULL}"
        for probe in PROBES:
            split = of_probe[probe.unseen]
            first = results.by_seed("probe", name, methods[0], split).first() if split else ByRun((), ())
            lacking = "too few batches or wells"
            cells[GUESS, probe.column] = pooled(first, "probe_guess", lacking, probe.subset, origin=guess_origin(first))
            of_controls = pooled(first, "probe_guess_controls", "", probe.subset, origin=guess_origin(first))
            if of_controls.mean is not None:
                rows[GUESS + CONTROLS] = f"Most frequent batch, controls alone {NULL}"
                cells[GUESS + CONTROLS, probe.column] = of_controls
        for method in methods:
            for probe in PROBES:
                split = of_probe[probe.unseen]
                frames = results.by_seed("probe", name, method, split) if split else ByRun((), ())
                cell = permuted_cell(frames, probe)
                if cell.mean is not None:
                    rows[method + PERMUTED] = f"{registry.title(method)}, batches permuted {NULL}"
                    cells[method + PERMUTED, probe.column] = cell
        nulls += [row for row in rows if row == GUESS + CONTROLS or row.endswith(PERMUTED)]
        columns = {HEAD: "Head trained beside the network", **{probe.column: probe.heading for probe in PROBES}}
        notes = [
            "probes: standardised shrinkage LDA, 10 nearest neighbours and an MLP of one hidden layer on frozen "
            "embeddings, the same for all methods; a head that was fooled in training proves nothing, and what LDA "
            "does not read may still be there for an MLP",
            "seen batches: fitted on training images, scored on test images; unseen: fitted on one quarter of a "
            "batch's wells, scored on another, both ways; under a batch's own statistics each of the two has its own, "
            "from the quarters that are left",
            "seen batches under a batch's own statistics: images that a probe is fitted on and those that it is scored "
            "on share them, and what the sample that they come from has by chance may mark the batch, or the batch may "
            "be left in what only an MLP reads: this column cannot tell; of unseen ones statistics are not shared",
            "within a cell type: knowing the cell type alone tells much of the batch; of its own null, see the last "
            "rows",
            "controls alone: control wells, positive and negative, which all batches have alike; fewer are fitted on "
            "than of all wells, and they have a guess of their own to beat",
        ]
        if len(nulls) > 1:
            notes.append(PERMUTED_NOTE)
        return Draft(rows, columns, cells, nulls=tuple(nulls), notes=notes)


def _probed(name: str, method: str, results: Results, split: str | None, probe: Probe) -> Cell:
    """A probe of control wells alone."""
    frames = results.by_seed("probe", name, method, split) if split else ByRun((), ())
    return pooled(frames, f"{probe.metric}_controls", "", probe.subset, origin=probed_origin(frames, probe))


def permuted_cell(frames: ByRun, probe: Probe) -> Cell:
    """What a probe reads of permuted batches: mean, smallest and largest."""
    own = [f[(f["metric"] == f"{probe.metric}_permuted") & (f["subset"] == probe.subset)] for f in frames]
    found = pd.concat(own).dropna(subset="value") if own else pd.DataFrame()
    if found.empty:
        return Cell()
    mean, low, high = (100 * found[["value", "low", "high"]].mean()).tolist()
    bounds: tuple[float | None, float | None] = (low, high) if low < high else (None, None)
    origin = Origin.of(frames, words="a null, of these embeddings")
    return Cell(mean, None, len(found), *bounds, origin=origin, bounds_of="the smallest and the largest permutation")


def probed_origin(frames: ByRun, probe: Probe) -> Origin:
    """Of what a probe looked at."""
    halves = probe.unseen and any(run.inference not in {"train", PROFILES} for run in frames.runs)
    return Origin.of(frames, words="probed under statistics from other wells of the batch (`half`)" if halves else "")


def guess_origin(frames: ByRun) -> Origin:
    """Of the null of probes."""
    return Origin.of(frames, words="a null: how frequent the batches of the first method's embeddings are")


KIND = ProbeKind()
