"""Batches dealt anew to wells: what metrics of batch effect give where there is none."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from debatch.screen.names.identifiers import well_ids

DRAWS = 40
# of probes, which are fitted anew each time
PROBE_DRAWS = 3
# where fewer rows than this share could be of another batch, permuting batches says nothing
_FEWEST_MOVABLE = 0.5


class Permuted(NamedTuple):
    """Batches after some permutations.

    Attributes:
        batches: (N, 1 + R) codes: first as they are, then R permutations.
        movable: (N,) bool: whether a permutation could give an image another batch.
    """

    batches: np.ndarray
    movable: np.ndarray


def permuted_batches(images: pd.DataFrame, draws: int = DRAWS) -> Permuted:
    """Deal the batches of a perturbation's wells of one cell type anew among those wells, a well's images together.

    So each batch keeps its number of wells and what they were treated with, and only what else its wells have in common
    is gone. What stands in one batch alone cannot be dealt anew.

    Args:
        images: (N, …) experiment, plate, well, batch, cell_type, well_type, perturbation; without one, wells of a type
            are dealt among each other.
        draws: permutations; their seed is fixed, and the order of images does not matter.
    """
    names = well_ids(images)
    wells, first, of = np.unique(names, return_index=True, return_inverse=True)
    batch = np.unique(images["batch"].to_numpy(str), return_inverse=True)[1][first]
    rows = images.iloc[first]
    # what is unlabelled is not one perturbation, but all that is known of it is its type
    treated_with = rows["perturbation"].fillna("\0" + rows["well_type"].astype(str))
    group = pd.DataFrame({"kind": rows["cell_type"], "of": treated_with}).groupby(["kind", "of"]).ngroup().to_numpy()
    place = np.argsort(group, kind="stable")
    rng = np.random.default_rng(0)
    found = np.empty((len(wells), 1 + draws), np.int64)
    found[:, 0] = batch
    for draw in range(1, 1 + draws):
        found[place, draw] = batch[np.lexsort((rng.random(len(wells)), group))]
    several = pd.Series(batch).groupby(group).transform("nunique").to_numpy() > 1
    return Permuted(found[of], several[of])


def mostly(movable: np.ndarray) -> bool:
    """Whether enough of some images (N,) could be of another batch for permutations to say something."""
    return bool(len(movable)) and float(movable.mean()) >= _FEWEST_MOVABLE
