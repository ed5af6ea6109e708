"""What still tells the batch: the head that was trained beside the network, and probes fitted afterwards."""

from debatch.evaluate.tidy import WITHIN
from debatch.report.cells import NOT_RUN, Draft, pooled
from debatch.report.results import Results

HEAD = "batch_classification_accuracy"
# column -> heading, whether its batches are unseen, metric and subset there
PROBES = {
    "probe_seen": ("LDA probe, seen batches", False, "probe_lda", "all"),
    "probe_seen_within": ("LDA, seen, within a cell type", False, "probe_lda", WITHIN),
    "knn_seen": ("k-NN, seen batches", False, "probe_knn", "all"),
    "probe_unseen": ("LDA probe, unseen batches", True, "probe_lda", "all"),
    "probe_unseen_within": ("LDA, unseen, within a cell type", True, "probe_lda", WITHIN),
    "knn_unseen": ("k-NN, unseen batches", True, "probe_knn", "all"),
}
GUESS = "guess"


def draft(name: str, results: Results) -> Draft:
    """Batch accuracies of all methods; below them that of always answering with the most frequent batch."""
    registry = results.registry
    splits, methods = registry.splits(name), registry.rows(name)
    seen = next((split for split in splits if split.startswith("stratified")), None)
    unseen = next((split for split in splits if not split.startswith("stratified")), None)
    rows, cells = {}, {}
    for method in methods:
        rows[method] = registry.title(method)
        heads = results.by_seed("metrics", name, method, seen) if seen else []
        lacking = NOT_RUN if seen else "the screen has no stratified split"
        if registry.externals:
            lacking = "profiles come without a head"
        cells[method, HEAD] = pooled(heads, "batch_accuracy", lacking)
        for column, (_, is_unseen, metric, subset) in PROBES.items():
            split = unseen if is_unseen else seen
            frames = results.by_seed("probe", name, method, split) if split else []
            lacking = "too few batches or wells" if frames else NOT_RUN if split else "the screen has no such split"
            cells[method, column] = pooled(frames, metric, lacking, subset)
    rows[GUESS] = "Most frequent batch (null)"
    for column, (_, is_unseen, _, subset) in PROBES.items():
        split = unseen if is_unseen else seen
        frames = results.by_seed("probe", name, methods[0], split)[:1] if split else []
        cells[GUESS, column] = pooled(frames, "probe_guess", "too few batches or wells", subset)
    columns = {HEAD: "Head trained beside the network", **{column: about[0] for column, about in PROBES.items()}}
    notes = [
        "probes: standardised shrinkage LDA and 10 nearest neighbours on frozen embeddings, the same for all methods; "
        "a head that was fooled in training proves nothing",
        "seen batches: fitted on training images, scored on test images; unseen: fitted on one quarter of a batch's "
        "wells, scored on another, both ways; under a batch's own statistics each of the two has its own, from the "
        "quarters that are left",
        "within a cell type: knowing the cell type alone tells much of the batch; of its own null, see the last row",
    ]
    return Draft(rows, columns, cells, nulls=(GUESS,), notes=notes)
