"""Headings of columns and captions of figures."""

from debatch.config import Registry
from debatch.report.umap import NEIGHBORS

HEADINGS = {
    "accuracy_batch_separated": "Accuracy, unseen batches",
    "accuracy_batch_stratified": "Accuracy, seen batches",
    "batch_generalization": "Batch generalization",
    "batch_classification_accuracy": "Batch accuracy of the trained head",
}


def figure_caption(name: str, registry: Registry) -> str:
    """How a figure was made, and from which runs."""
    if name == "qc":
        return (
            "Stored images before any training or normalization: each row is one perturbation, each column one batch; "
            "the first site of the first well of each. Every channel has one display range for the whole grid, from "
            "the 1st to the 99.7th percentile of the images shown: a range per image would hide the batch effect. "
            "What differs along a whole column, in colour, brightness or sharpness, is the batch effect."
        )
    figure = registry.figures[name]
    methods = ", ".join(registry.title(method) for method in figure.methods)
    runs = registry.runs(name)
    seeds = ", ".join(sorted({str(run.seed) for run in runs}))
    return (
        f"UMAP (cosine distance, {NEIGHBORS} neighbours, fixed seed) of the test embeddings of {methods}, split "
        f"{' and '.join(sorted({run.split for run in runs}))}, seed {seeds}; a point is one image of a batch that was "
        "not trained on. Left: coloured by batch. Right: some treatments in colour, all others grey. Where colours "
        "separate on the left, the batch shows in the embedding; where they gather on the right, the perturbation "
        "does. Distances between clusters in a UMAP mean little."
    )
