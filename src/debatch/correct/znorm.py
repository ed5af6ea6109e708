"""Standardise each batch by itself."""

import numpy as np

from debatch.errors import DataError


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
    for batch in np.unique(batches):
        own = batches == batch
        of = embeddings[own & reference].astype(np.float64)
        if not len(of):
            raise DataError(
                f"batch {batch}: no control to standardise by; mark its controls in the metadata's well type column, "
                "or take all of the batch as the reference"
            )
        constant = np.ptp(of, axis=0) == 0
        mean, sd = np.where(constant, of[0], of.mean(axis=0)), np.where(constant, 1.0, of.std(axis=0))
        corrected[own] = (embeddings[own] - mean) / sd
    return corrected
