"""Standardise each batch by itself."""

import numpy as np

from debatch.correct.reference import by_batch


def znorm(embeddings: np.ndarray, batches: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Take the mean of each batch's reference from its embeddings, and divide by the reference's population sd.

    A feature that is constant over a batch's reference is divided by 1.

    Args:
        embeddings: (N, D).
        batches: (N,).
        reference: (N,) bool, as controls; all true: the whole batch.

    Returns:
        (N, D).

    Raises:
        DataError: a batch without a reference.
    """
    from sklearn.preprocessing import StandardScaler  # here: this module is read by jobs that have no use for it

    corrected = np.empty(embeddings.shape, np.float64)
    for own, of in by_batch(embeddings, batches, reference):
        corrected[own] = StandardScaler().fit(of).transform(embeddings[own].astype(np.float64))
    return corrected
