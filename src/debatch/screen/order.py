"""An order of images that has nothing to do with plate, well or class, and what is cut from it."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd


def hash_order(names: Iterable[str]) -> np.ndarray:
    """(N,) positions of images (or wells) in the order of a hash of their names."""
    digests = [hashlib.blake2b(name.encode(), digest_size=16).digest() for name in names]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)


def nearly_equal_groups(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut (N,) positions into groups as near to `size` as equal parts allow: none tiny, none dropped."""
    if len(order) == 0:
        return []
    return np.array_split(order, max(1, round(len(order) / size)))


def well_names(rows: pd.DataFrame) -> np.ndarray:
    """(N,) the well of each image by a name that is unique in the screen."""
    return (rows["experiment"] + "_" + rows["plate"] + "_" + rows["well"]).to_numpy(str)


def in_first_half(wells: np.ndarray, batches: np.ndarray) -> np.ndarray:
    """(N,) bool: images in half of their batch's wells, the first in hash order.

    Args:
        wells: (N,) as `well_names` gives them.
        batches: (N,).
    """
    chosen = np.zeros(len(wells), bool)
    for batch in np.unique(batches):
        unique = np.unique(wells[batches == batch])
        first = unique[hash_order(unique)[: len(unique) // 2]]
        chosen |= (batches == batch) & np.isin(wells, first)
    return chosen
