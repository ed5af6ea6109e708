"""ComBat, by inmoose."""

import logging
import warnings

import numpy as np

from debatch.errors import DataError

log = logging.getLogger(__name__)


def combat(embeddings: np.ndarray, batches: np.ndarray) -> np.ndarray:
    """Take each batch's mean and variance of each feature away, as empirical Bayes estimates over all features.

    There are no covariates: it sees batches and embeddings, and no label. What a batch has more of than another (a
    perturbation, or controls) is therefore batch effect to it. A feature that is constant, over all or within one
    batch, is left as it is, as in the R package sva: there is no variance to scale it by. One batch alone comes back as
    it is.

    Args:
        embeddings: (N, D).
        batches: (N,).

    Returns:
        (N, D).

    Raises:
        DataError: a batch of one embedding, or fewer than two features that vary in every batch.

    Source: Johnson et al. 2007 (Biostatistics 8:118), parametric priors; inmoose (Colange et al. 2025).
    """
    embeddings = embeddings.astype(np.float64)
    names, of, counts = np.unique(batches, return_inverse=True, return_counts=True)
    if len(names) < 2:
        return embeddings
    alone = names[counts == 1]
    if len(alone):
        raise DataError(
            f"batch {', '.join(map(str, alone))}: one image, and ComBat takes two or more to tell a batch's variance; "
            "leave the batch out, or choose harmony or mnn"
        )
    varies = np.ones(embeddings.shape[1], bool)
    for batch in range(len(names)):
        varies &= np.ptp(embeddings[of == batch], axis=0) > 0
    half = int((~varies & (np.ptp(embeddings, axis=0) > 0)).sum())
    if half:
        log.warning("ComBat leaves %d features as they are: they are constant within a batch, but not over all", half)
    if varies.sum() < 2:
        raise DataError(
            f"{varies.sum()} features vary in every batch, and ComBat takes two or more, over which it shrinks a "
            "batch's mean and variance; choose another correction"
        )
    corrected = embeddings.copy()
    corrected[:, varies] = _pycombat(embeddings[:, varies], of)
    return corrected


def _pycombat(embeddings: np.ndarray, batches: np.ndarray) -> np.ndarray:
    shown = warnings.showwarning
    from inmoose.pycombat import pycombat_norm

    if warnings.showwarning is not shown:
        logging.captureWarnings(False)  # importing inmoose turns every warning of the process into a log line
    logger = logging.getLogger("inmoose")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)  # it computes with numpy.matrix
            return np.asarray(pycombat_norm(embeddings.T, batches)).T
    finally:
        logger.setLevel(level)
