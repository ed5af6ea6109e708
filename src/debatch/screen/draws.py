"""What splits draw from: the batches of each cell type, in their own or in a drawn order."""

import hashlib

import numpy as np
import pandas as pd

from debatch.screen.metadata import natural_key


def batches_by_cell_type(index: pd.DataFrame) -> dict[str, list[str]]:
    """Each cell type's batches in natural order."""
    return {str(kind): in_natural_order(images["batch"]) for kind, images in index.groupby("cell_type")}


def in_natural_order(names: pd.Series) -> list[str]:
    """Each name once."""
    return sorted(names.unique(), key=natural_key)


def in_drawn_order(names: dict[str, list[str]], seed: int, purpose: str) -> dict[str, list[str]]:
    """The names of each group in a drawn order."""
    return {
        group: [own[at] for at in random_stream(seed, purpose, group).permutation(len(own))]
        for group, own in names.items()
    }


def random_stream(seed: int, *names: str) -> np.random.Generator:
    """A stream of its own for each thing drawn, so that one draw does not shift the next."""
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
