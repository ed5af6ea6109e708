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
    corrected = np.empty(embeddings.shape, np.float64)
    for own, of in by_batch(embeddings, batches, reference):
        constant = np.ptp(of, axis=0) == 0
        mean, sd = np.where(constant, of[0], of.mean(axis=0)), np.where(constant, 1.0, of.std(axis=0))
        corrected[own] = (embeddings[own] - mean) / sd
    return corrected
