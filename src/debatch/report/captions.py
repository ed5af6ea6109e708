"""Headings of columns and captions of figures."""

from debatch.config import Registry
from debatch.report.umap import NEIGHBORS

HEADINGS = {
    "accuracy_batch_separated": "Accuracy, unseen batches",
    "accuracy_batch_stratified": "Accuracy, seen batches",
    "batch_generalization": "Batch generalization",
    "batch_classification_accuracy": "Batch accuracy of the trained head",
}

SCREEN_TITLES = {
    "qc": "The batch effect, before any training",
    "plates_intensity": "Mean intensity by well",
    "plates_focus": "Focus by well",
    "plates_foreground": "Foreground by well",
    "plates_saturation": "Saturation by well",
    "illumination": "Illumination by plate and channel",
}
_WELLS = (
    "A row a plate, a column a channel, a cell a well (mean over its sites); grey: no image. One colour scale per "
    "channel for all plates. "
)
SCREEN_CAPTIONS = {
    "plates_intensity": "Mean stored value. " + _WELLS + "Rings and gradients within a plate are position effects; a "
    "plate that differs as a whole is a batch effect.",
    "plates_focus": "Variance of the Laplacian: low where an image is blurred or empty. " + _WELLS,
    "plates_foreground": "Share of pixels above Otsu's threshold: low where few cells are. " + _WELLS,
    "plates_saturation": "Share of pixels at the largest value that the store can hold. " + _WELLS,
    "illumination": (
        "The mean of all stored images of a plate, in blocks, relative to its mean: 1 (white) is even, blue is darker "
        "and red brighter. One scale for all panels. What is common to a plate's images is the microscope's: a dark "
        "rim is vignetting. With few images a plate, single cells show too."
    ),
}


def figure_caption(name: str, registry: Registry) -> str:
    """How a figure was made, and from which runs."""
    if name == "qc":
        if registry.screen.metadata is None and registry.screen.simulate is None:
            return (
                "Stored images: each row is one well, each column one batch; the first site of each. Every channel has "
                "one display range for the whole grid, from the 1st to the 99.7th percentile of the images shown."
            )
        return (
            "Stored images before any training or normalization: each row is one perturbation, each column one batch; "
            "the first site of the first well of each. Every channel has one display range for the whole grid, from "
            "the 1st to the 99.7th percentile of the images shown: a range per image would hide the batch effect. "
            "What differs along a whole column, in colour, brightness or sharpness, is the batch effect."
        )
    if name in SCREEN_CAPTIONS:
        return SCREEN_CAPTIONS[name]
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
