"""k-BET: do an embedding's neighbours come from the batches in the proportions of all?"""

import numpy as np

from debatch.evaluate.neighbors import as_it_is, count_by_row, nearest
from debatch.evaluate.vectors import blocks, finite


def kbet(embeddings: np.ndarray, batches: np.ndarray, k: int, alpha: float = 0.05, include_self: bool = False) -> float:
    """Share of embeddings whose k nearest neighbours' batches are as those of all (chi-squared test, not rejected).

    1 is what well-mixed batches give (less the test's own error of `alpha`), 0 what separate ones do. Neighbours are
    Euclidean, of the embeddings as they are: normalise them before, where cosine is meant. An all-zero embedding is a
    point like any other. Of neighbours at one distance the first rows are taken: where many embeddings are copies of
    each other, shuffle the rows first, or their order decides.

    Args:
        embeddings: (N, D).
        batches: (N,).
        k: neighbours asked; at most N, less one where an embedding is no neighbour of its own.
        alpha: level of the test.
        include_self: whether an embedding is its own first neighbour.

    Returns:
        Acceptance rate in [0, 1]; NaN with fewer than two batches.

    Raises:
        ValueError: k is not between 1 and what there is, lengths that do not match, values that are not finite.

    Source: Büttner et al. 2019.
    """
    accepted = kbet_accepted(embeddings, batches, k, alpha, include_self)
    return float(accepted.mean()) if len(np.unique(batches)) > 1 else float("nan")


def kbet_accepted(
    embeddings: np.ndarray, batches: np.ndarray, k: int, alpha: float = 0.05, include_self: bool = False
) -> np.ndarray:
    """1 for each embedding whose neighbours are not rejected, 0 for the others; NaN of one batch. As `kbet`.

    Args:
        embeddings: (N, D).
        batches: (N,), or (N, R) for R ways of dealing them: neighbours are found once.
        k: as in `kbet`, likewise the others.
        alpha: likewise.
        include_self: likewise.

    Returns:
        (N,) or (N, R).
    """
    statistic = kbet_statistic(embeddings, batches, k, include_self)
    from scipy.special import chdtrc  # half a second, which a start of the workflow need not wait

    accepted = chdtrc(len(np.unique(batches)) - 1, statistic) >= alpha
    return np.where(np.isnan(statistic), np.nan, accepted)


def kbet_statistic(embeddings: np.ndarray, batches: np.ndarray, k: int, include_self: bool = False) -> np.ndarray:
    """(N,) or (N, R) chi-squared of each embedding's neighbours, of batches - 1 degrees of freedom; as above."""
    embeddings = finite(embeddings, batches=batches)
    names, of = np.unique(batches, return_inverse=True)
    of = of.reshape(np.shape(batches))
    largest = len(of) if include_self else len(of) - 1
    if not 1 <= k <= largest:
        raise ValueError(f"k-BET with k = {k} needs 1 <= k <= {largest} ({len(of)} embeddings)")
    statistic = np.full(of.shape, np.nan)
    if len(names) < 2:
        return statistic
    points = _about_zero(embeddings)
    # |a - b|^2 = |a|^2 + |b|^2 - 2ab: for one a, the nearest b has the largest ab - |b|^2 / 2
    offset = -np.einsum("nd,nd->n", points, points) / 2
    others = k - 1 if include_self else k
    columns, statistics = of.reshape(len(of), -1).T, statistic.reshape(len(of), -1).T
    expected = [k * np.bincount(column, minlength=len(names)) / len(of) for column in columns]
    for block, neighbours, _ in nearest(as_it_is, points, points, others, _itself, offset):
        for column, found, wanted in zip(columns, statistics, expected, strict=True):
            counts = count_by_row(column[neighbours], len(names))
            if include_self:  # first even among its copies
                counts[np.arange(len(counts)), column[block]] += 1
            # a way of dealing them may leave out a batch
            found[block] = np.divide((counts - wanted) ** 2, wanted, where=wanted > 0, out=np.zeros(counts.shape)).sum(
                axis=1
            )
    return statistic


def _itself(query: int) -> list[np.ndarray]:
    return [np.array([query])]


def _about_zero(embeddings: np.ndarray) -> np.ndarray:
    """Centred, and scaled to at most 1: neither changes which neighbours are nearest.

    Far from zero, |b|^2 and ab are large and nearly equal, and what is left of their difference is rounding; and
    squares of very large values are infinite.
    """
    mean = embeddings.mean(axis=0, dtype=np.float64).astype(embeddings.dtype)
    points = embeddings - mean
    largest = max(float(np.abs(points[at]).max(initial=0)) for at in blocks(len(points)))
    if largest > 0:
        points /= largest
    return np.asarray(points)
