"""Captions of figures: how each was made, and from which runs."""

from debatch.config import has_unseen_batches
from debatch.registry import Registry
from debatch.report.kinds.figures.umap import NEIGHBORS

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
        parts = " Each part of the screen has a grid of its own." if registry.screen.parts else ""
        if registry.screen.metadata is None and not registry.screen.simulated:
            return (
                "Stored images: each row is one well, each column one batch; the first site of each. Every channel has "
                "one display range for the whole grid, from the 1st to the 99.7th percentile of the images shown."
                + parts
            )
        return (
            "Stored images before any training or normalization: each row is one perturbation, each column one batch; "
            "the first site of the first well of each. Every channel has one display range for the whole grid, from "
            "the 1st to the 99.7th percentile of the images shown: a range per image would hide the batch effect. "
            "What differs along a whole column, in colour, brightness or sharpness, is the batch effect." + parts
        )
    if name in SCREEN_CAPTIONS:
        return SCREEN_CAPTIONS[name]
    figure = registry.figures[name]
    if registry.externals:
        return f"{_BY_KIND[figure.kind]} Profiles: {', '.join(map(registry.title, registry.externals))}."
    runs = registry.runs(name)
    methods = ", ".join(registry.title(method) for method in registry.rows(name))
    seeds = sorted({run.seed for run in runs})
    numbered = ", ".join(map(str, seeds))
    splits = list(dict.fromkeys(run.split for run in runs))
    unseen = " of batches that were not trained on" if all(map(has_unseen_batches, splits)) else ""
    made_from = (
        f"Test images{unseen}; runs: {methods}; split {' and '.join(splits)}; "
        f"{'seed' if len(seeds) == 1 else 'seeds'} {numbered}."
    )
    return f"{_BY_KIND[figure.kind]} {made_from}"


_BY_KIND = {
    "adaptation": (
        "Accuracy per image, over all classes, under batch-norm statistics from some images of a new batch: by how "
        "many of them (chosen by a hash of their names; all: as many as there are, another number for each choice), "
        "of the image's batch (left) or of its plate (middle), by which (colour) and by method (line style). A point "
        "is drawn where every batch or plate holds as many images. Right: a batch is treated as if it held the images "
        "of some of its classes alone; beside it are the same images under the statistics of the whole batch: the gap "
        "is what the missing classes cost. Of unseen batches the scored images are among those that give "
        "the statistics, as in the paper. Means over seeds; bars: how much the test batches differ, as in the tables."
    ),
    "channel_subsets": (
        "Accuracy per image on unseen batches of models, each trained on one subset of the channels with the same "
        "recipe: a column a subset, its channels as black dots below; grouped by how many they are, the best of "
        "each first. Dashed: all channels, the method's own run. Every subset has the same seeds; intervals over test "
        "batches are in the file of numbers."
    ),
    "shapley": (
        "The Shapley value of a channel: what it adds to test accuracy, averaged over all orders in which channels may "
        "be added, from models trained on every subset of them (those of the figure of subsets). The values sum to the "
        "accuracy of all channels less that of none, which is taken as the accuracy of always answering the training "
        "images' most frequent class."
    ),
    "umap": (
        f"UMAP (cosine distance, {NEIGHBORS} neighbours, fixed seed) of embeddings, a row a method; a point is "
        "one image. Left: coloured by batch. Right: some treatments, or their mechanisms, in colour, all others grey. "
        "Where colours separate on the left, the batch shows in the embedding; where they gather on the right, the "
        "perturbation does. Distances between clusters in a UMAP mean little."
    ),
    "cosine": (
        "Cosine similarities of embeddings, of every pair of images of one cell type: of the same perturbation "
        "(left) and of different ones (right), within one batch (solid) and across two (dashed). Where the two lines "
        "of a panel agree, similarity does not depend on the batch. KS: largest difference of the two distribution "
        "functions; Wasserstein: the area between them. Exact, from all pairs; drawn in 128 bins."
    ),
    "correction": (
        "A point is one method's embeddings under one correction; large with a black rim: as they are, and a thin line "
        "leads from there to each correction. At the dotted line (a random neighbour) the batch is gone, and beyond it "
        "wells of one batch are pushed apart; at the top biology is kept. One wants to be at the top of the line. "
        "Means; intervals are in the table."
    ),
    "epochs": (
        "Accuracy per image on unseen batches after some epochs of training, computed afterwards from weights that "
        "were kept on the way, under each method's own test-time statistics: mean over seeds, band: one sd to either "
        "side. No checkpoint was chosen by it; the last epoch counts."
    ),
}
