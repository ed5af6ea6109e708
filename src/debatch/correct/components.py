"""Principal components, as many as there are."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from debatch.errors import DataError

# Directions of less variance than this share of the largest are round-off of float32 embeddings, not directions.
_ROUND_OFF = 1e-10


@dataclass(frozen=True)
class Components:
    """What centres embeddings, and the axes that they are projected on.

    Attributes:
        center: (D,).
        axes: (C, D), orthonormal, by falling variance.
        variances: (C,), of what they were fitted on, over N and not N - 1.
    """

    center: np.ndarray
    axes: np.ndarray
    variances: np.ndarray

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """(N, D) -> (N, C)."""
        return (embeddings - self.center) @ self.axes.T


def principal_components(embeddings: np.ndarray, components: int, weights: np.ndarray | None = None) -> Components:
    """Fit principal components, at most `components` and no more than the embeddings have directions.

    An axis points to where its largest entry is positive, so that the same data give the same signs.

    Args:
        embeddings: (N, D).
        components: the most that are kept.
        weights: (N,), of sum 1; None: all alike.

    Raises:
        DataError: the embeddings do not differ, or are none.
    """
    if len(embeddings) < 2:
        raise DataError(f"{len(embeddings)} embeddings have no principal components: it takes two that differ")
    embeddings = embeddings.astype(np.float64)
    weights = np.full(len(embeddings), 1 / len(embeddings)) if weights is None else weights
    center = weights @ embeddings
    embeddings -= center
    embeddings *= np.sqrt(weights)[:, None]
    count, width = embeddings.shape
    if count < width:
        _, singular, axes = np.linalg.svd(embeddings, full_matrices=False)
        variances = singular**2
    else:
        wanted = [max(0, width - components), width - 1]
        variances, columns = scipy.linalg.eigh(embeddings.T @ embeddings, subset_by_index=wanted)
        variances, axes = variances[::-1], columns.T[::-1]
    # rows that are all the same leave a variance that is not quite 0
    least = max(_ROUND_OFF * variances[0], np.finfo(np.float64).eps * np.square(center).max())
    kept = variances > least
    if not kept.any():
        raise DataError(f"all {count} embeddings are the same: there are no directions in which they differ")
    axes, variances = axes[kept][:components], variances[kept][:components]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    return Components(center, axes * np.sign(largest)[:, None], variances)
