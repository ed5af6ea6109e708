"""Which images are in a subset of a split that was drawn: what reads a split needs no more, and so starts fast."""

import pandas as pd

from debatch.config.splits import SUBSETS


def images_in(split: pd.DataFrame, subset: str) -> set[str]:
    """The images of a subset. An image may be in several: it has a row for each."""
    return set(split.loc[split["subset"] == subset, "image_id"])


def scored_images(split: pd.DataFrame) -> set[str]:
    """The images that a split's runs are scored on: `test`; `val`, where there are none; else those of its tasks."""
    found = images_in(split, "test") or images_in(split, "val")
    return found or set(split.loc[~split["subset"].isin(SUBSETS), "image_id"])
