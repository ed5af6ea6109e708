"""Standardise each batch by its median and median absolute deviation."""

import logging
import warnings

import numpy as np
import pandas as pd

from debatch.correct.reference import by_batch
from debatch.errors import DataError

log = logging.getLogger(__name__)


def mad_robustize(embeddings: np.ndarray, batches: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Take the median of each batch's reference from its embeddings, and divide by 1.4826 times the reference's MAD.

    MAD is the median absolute deviation. It is 0 where more than half of a reference share one value, as zeros after a
    ReLU: such a feature has no scale in that batch, and becomes 0 in all of them. pycytominer would divide by 1e-18;
    zeros in that batch alone would give it away.

    Args:
        embeddings: (N, D).
        batches: (N,).
        reference: (N,) bool, as controls; all true: the whole batch.

    Returns:
        (N, D).

    Raises:
        DataError: a batch without a reference, or no feature that has a scale in every batch.

    Source: pycytominer's RobustMAD; Caicedo et al. 2017 (Nat Methods 14:849).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as it is imported, it sets an option that pandas 3 has retired
        from pycytominer.operations import RobustMAD

    corrected = np.empty(embeddings.shape, np.float64)
    scaled = np.ones(embeddings.shape[1], bool)
    for own, of in by_batch(embeddings, batches, reference):
        scaler = RobustMAD(epsilon=0.0).fit(pd.DataFrame(of))
        scaled &= scaler.mad.to_numpy() > 0
        scaler.mad[scaler.mad == 0] = 1.0
        corrected[own] = scaler.transform(pd.DataFrame(embeddings[own].astype(np.float64)))
    if not scaled.any():
        raise DataError("every feature has a median absolute deviation of 0 in some batch; choose znorm")
    if not scaled.all():
        log.warning(
            "%d of %d features become 0: more than half of some batch's reference share one value",
            (~scaled).sum(),
            len(scaled),
        )
    corrected[:, ~scaled] = 0.0
    return corrected
