"""The batches of embeddings, each with what it is standardised by."""

from collections.abc import Iterator

import numpy as np

from debatch.errors import DataError


def by_batch(
    embeddings: np.ndarray, batches: np.ndarray, reference: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each batch: (N,) bool, its rows, and (R, D) float64, its reference.

    Raises:
        DataError: a batch without a reference.
    """
    for batch in np.unique(batches):
        own = batches == batch
        of = embeddings[own & reference].astype(np.float64)
        if not len(of):
            raise DataError(
                f"batch {batch}: no control to standardise by; mark its controls in the metadata's well type column, "
                "or take all of the batch as the reference"
            )
        yield own, of
