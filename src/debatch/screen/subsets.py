"""Which images are in a subset of a split that was drawn: what reads a split needs no more, and so starts fast."""

import pandas as pd

# the sides of a split; other subsets are named tasks
SUBSETS = ("train", "val", "test")


def images_in(split: pd.DataFrame, subset: str) -> set[str]:
    """The images of a subset. An image may be in several: it has a row for each."""
    return set(split.loc[split["subset"] == subset, "image_id"])


def scored_subset(split: pd.DataFrame) -> str:
    """The subset that a split's runs are scored on: `test`, or `val` in a split without test images."""
    return "test" if (split["subset"] == "test").any() else "val"
