"""What stands beside probes: the same on controls alone, and what they read of permuted batches."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from debatch.config.screen import CONTROLS
from debatch.evaluate.batch_effect.permuted import PROBE_DRAWS, mostly, permuted_batches
from debatch.evaluate.batch_effect.probe import PROBES
from debatch.evaluate.tidy import of_all

# an MLP takes longer than the others together: one permutation of it
_OF_FURTHER_DRAWS = ("lda", "knn")
# of images (n, …) at some places (n,) -> as `probe_seen_batches`, by some probes
Score = Callable[[pd.DataFrame, np.ndarray, Sequence[str]], pd.DataFrame]


def with_companions(score: Score, images: pd.DataFrame) -> pd.DataFrame:
    """Probes of some images, of their controls, and under batches dealt anew among each perturbation's wells.

    Args:
        score: scores probes; see `Score`.
        images: (N, …) of the index: all that probes are fitted on or scored on.

    Returns:
        As `probe_seen_batches`, and low, high. `probe_<name>_controls`: of control wells, positive and negative, where
        those suffice.
        `probe_<name>_permuted`: of all batches, mean, and the smallest and the largest over permutations; it is not
        there where most perturbations are in one batch.
    """
    every = np.arange(len(images))
    found = [score(images, every, tuple(PROBES))]
    controls = np.flatnonzero(images["well_type"].isin(CONTROLS))
    if len(controls):
        own = score(images.iloc[controls].reset_index(drop=True), controls, tuple(PROBES))
        found.append(own.assign(metric=own["metric"] + "_controls").dropna(subset="value"))
    dealt, movable = permuted_batches(images, PROBE_DRAWS)
    if mostly(movable):
        draws = [
            of_all(score(images.assign(batch=batches.astype(str)), every, _OF_FURTHER_DRAWS if draw else tuple(PROBES)))
            for draw, batches in enumerate(dealt.T[1:])
        ]
        found.append(_over_draws(pd.concat(draws)))
    return pd.concat(found, ignore_index=True)


def _over_draws(draws: pd.DataFrame) -> pd.DataFrame:
    by = draws.assign(metric=draws["metric"] + "_permuted").groupby(
        ["metric", "subset", "cell_type", "batch"], as_index=False, sort=False
    )
    return by.agg(value=("value", "mean"), n=("n", "first"), low=("value", "min"), high=("value", "max"))
