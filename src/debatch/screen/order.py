"""An order of images that has nothing to do with plate, well or class, and what is cut from it."""

import hashlib
import math
from collections.abc import Iterable

import numpy as np

# of the choice of classes: without it, classes would stand in the order in which anything else hashes their names
_CLASSES_SEED = "classes 0"


def hash_order(names: Iterable[str]) -> np.ndarray:
    """(N,) positions of images (or wells) in the order of a hash of their names."""
    digests = [hashlib.blake2b(name.encode(), digest_size=16).digest() for name in names]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)


def nearly_equal_groups(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut (N,) positions into groups as near to `size` as equal parts allow: none tiny, none dropped."""
    if len(order) == 0:
        return []
    return np.array_split(order, max(1, round(len(order) / size)))


def few_classes(names: Iterable[str], percent: int) -> set[str]:
    """Some of a batch's classes: that percent of them, rounded up, and two at least, in hash order of their names.

    Not the order of images, and fixed, so that batches of the same classes are left with the same ones; fewer of them
    are some of the more.
    """
    unique = sorted(set(names))
    order = hash_order(f"{_CLASSES_SEED} {name}" for name in unique)
    return {unique[at] for at in order[: max(2, math.ceil(len(unique) * percent / 100))]}


def well_quarters(wells: np.ndarray, batches: np.ndarray) -> np.ndarray:
    """(N,) 0 to 3: the quarter of its batch's wells, in hash order, that an image's well is in.

    Args:
        wells: (N,) as `well_ids` gives them.
        batches: (N,).
    """
    quarters = np.zeros(len(wells), np.int64)
    for batch in np.unique(batches):
        own = batches == batch
        unique = np.unique(wells[own])
        of_well = np.empty(len(unique), np.int64)
        of_well[hash_order(unique)] = np.arange(len(unique)) * 4 // len(unique)
        quarters[own] = of_well[np.searchsorted(unique, wells[own])]
    return quarters
