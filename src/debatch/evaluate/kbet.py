"""k-BET: do an embedding's neighbours come from the batches in the proportions of all?"""

import numpy as np
from scipy.stats import chi2
from sklearn.neighbors import NearestNeighbors

_BLOCK = 2048


def kbet(embeddings: np.ndarray, batches: np.ndarray, k: int, alpha: float = 0.05, include_self: bool = False) -> float:
    """Share of embeddings whose k nearest neighbours' batches are as those of all (chi-squared test, not rejected).

    1 is what well-mixed batches give (less the test's own error of `alpha`), 0 what separate ones do. Neighbours are
    Euclidean, of the embeddings as they are: normalise them before, where cosine is meant.

    Args:
        embeddings: (N, D).
        batches: (N,).
        k: neighbours asked; at most N, less one where an embedding is no neighbour of its own.
        alpha: level of the test.
        include_self: whether an embedding is its own first neighbour.

    Returns:
        Acceptance rate in [0, 1]; NaN with fewer than two batches.

    Raises:
        ValueError: k is not between 1 and what there is.

    Source: Büttner et al. 2019.
    """
    names, of = np.unique(batches, return_inverse=True)
    largest = len(of) if include_self else len(of) - 1
    if not 1 <= k <= largest:
        raise ValueError(f"k-BET with k = {k} needs 1 <= k <= {largest} ({len(of)} embeddings)")
    if len(names) < 2:
        return float("nan")
    index = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(embeddings)
    expected = k * np.bincount(of) / len(of)
    accepted = 0
    for start in range(0, len(of), _BLOCK):
        neighbours = _neighbours(index, embeddings, start, k, include_self)
        counts = np.stack([(of[neighbours] == batch).sum(axis=1) for batch in range(len(names))], axis=1)
        statistic = ((counts - expected) ** 2 / expected).sum(axis=1)
        accepted += int((chi2.sf(statistic, len(names) - 1) >= alpha).sum())
    return accepted / len(of)


def _neighbours(index: NearestNeighbors, embeddings: np.ndarray, start: int, k: int, include_self: bool) -> np.ndarray:
    """(B, k) neighbours of a block of embeddings."""
    block = embeddings[start : start + _BLOCK]
    if include_self:
        return np.asarray(index.kneighbors(block, k, return_distance=False))
    found = np.asarray(index.kneighbors(block, k + 1, return_distance=False))
    own = found == np.arange(start, start + len(block))[:, None]
    own[~own.any(axis=1), -1] = True  # copies of it crowded it out: one of those goes
    return found[~own].reshape(len(block), k)
