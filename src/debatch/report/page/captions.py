"""Captions of figures: how each was made, and from which runs."""

import pandas as pd

from debatch.config.splits import Split
from debatch.registry import Registry
from debatch.report.kinds.figures import caption_of
from debatch.screen.flags import too_few_words
from debatch.screen.nouns import noun_of_rows, stored_noun

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


# what experiments of few images are not flagged for
FLAGGED_FIGURES = ("plates_focus", "plates_foreground")


def figure_caption(name: str, registry: Registry, index: pd.DataFrame | None = None) -> str:
    """How a figure was made, and from which runs.

    Args:
        name: of the figure.
        registry: of its screen.
        index: the screen's images, where the caption is to say which experiments have too few to flag.
    """
    caption = stored_noun(registry.screen).said(_caption(name, registry)).rstrip()
    if index is None or name not in FLAGGED_FIGURES:
        return caption
    return f"{caption} {too_few_words(index['experiment'], noun_of_rows(index))}".rstrip()


def _caption(name: str, registry: Registry) -> str:
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
    if registry.externals:
        return f"{caption_of(name, registry)} Profiles: {', '.join(map(registry.title, registry.externals))}."
    runs = registry.runs(name)
    methods = ", ".join(registry.title(method) for method in registry.rows(name))
    seeds = sorted({run.seed for run in runs})
    numbered = ", ".join(map(str, seeds))
    splits = list(dict.fromkeys(run.split for run in runs))
    unseen = (
        " of batches that were not trained on" if all(Split.named(split).has_unseen_batches for split in splits) else ""
    )
    made_from = (
        f"Test images{unseen}; runs: {methods}; split {' and '.join(splits)}; "
        f"{'seed' if len(seeds) == 1 else 'seeds'} {numbered}."
    )
    return f"{caption_of(name, registry)} {made_from}"
