"""ComBat with parametric priors."""

import logging

import numpy as np

from debatch.errors import DataError

log = logging.getLogger(__name__)

_TOLERANCE = 1e-4
_STEPS = 1000


def combat(embeddings: np.ndarray, batches: np.ndarray) -> np.ndarray:
    """Take each batch's mean and variance of each feature away, as empirical Bayes estimates over all features.

    There are no covariates: it sees batches and embeddings, and no label. What a batch has more of than another (a
    perturbation, or controls) is therefore batch effect to it. A feature that is constant, over all or within one
    batch, is left as it is, as in the R package sva: there is no variance to scale it by. One batch alone comes back as
    it is.

    Feature g of embedding j in batch i is y_ijg = a_g + s_g (c_ig + d_ig e_ijg), with a_g the mean and s_g^2 the
    variance within batches over all embeddings. What comes back is a_g + s_g (z_ijg - c*_ig) / d*_ig, where
    z = (y - a) / s, and c* and d* are the posterior shift and scale under priors whose moments are those over the
    features of the batch. s_g^2 divides by the number of its terms, the variances of batches and priors by one less, as
    in sva and in the Python package neuroCombat (0.2.12); inmoose (0.9.1) divides all by their number.

    Args:
        embeddings: (N, D).
        batches: (N,).

    Returns:
        (N, D) float64.

    Raises:
        DataError: a batch of one embedding, or fewer than two features that vary in every batch.

    Source: Johnson, Li & Rabinovic 2007 (Biostatistics 8:118), steps 1 to 3 of the parametric adjustment.
    """
    names, of, counts = np.unique(batches, return_inverse=True, return_counts=True)
    if len(names) < 2:
        return embeddings.astype(np.float64)
    alone = names[counts == 1]
    if len(alone):
        raise DataError(
            f"batch {', '.join(map(str, alone))}: a single image, but ComBat needs two to estimate a batch's variance; "
            "leave the batch out, or choose harmony or mnn"
        )
    means, variances, varies = _moments(embeddings, of)
    half = int((~varies & ((means.max(axis=0) > means.min(axis=0)) | (variances > 0).any(axis=0))).sum())
    if half:
        log.warning("ComBat leaves %d features as they are: they are constant within a batch, but not over all", half)
    if varies.sum() < 2:
        raise DataError(
            f"{varies.sum()} features vary in every batch, but ComBat needs two, over which it shrinks a batch's "
            "mean and variance; choose another correction"
        )
    mean = np.where(varies, counts @ means / counts.sum(), 0)
    sd = np.sqrt((counts - 1) @ variances / counts.sum())[varies]
    corrected = np.empty(embeddings.shape)
    for batch, count in enumerate(counts):
        shift, variance = _posterior(
            (means[batch, varies] - mean[varies]) / sd, variances[batch, varies] / sd**2, int(count)
        )
        own_mean, scale = mean.copy(), np.ones(len(mean))
        own_mean[varies] += sd * shift
        scale[varies] = np.sqrt(variance)
        block = embeddings[of == batch] - own_mean
        block /= scale
        block += mean
        corrected[of == batch] = block
    return corrected


def _moments(embeddings: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and variance of each feature in each batch, both (B, D), and which features vary in every batch, (D,).

    Where a feature is constant in a batch its mean there is the value itself and its variance zero, free of rounding.
    """
    shape = of.max() + 1, embeddings.shape[1]
    means, variances = np.empty(shape), np.empty(shape)
    for batch in range(len(means)):
        block = embeddings[of == batch].astype(np.float64)
        low, high = block.min(axis=0), block.max(axis=0)
        means[batch] = np.where(low < high, block.mean(axis=0), low)
        block -= means[batch]
        variances[batch] = np.einsum("nd,nd->d", block, block) / (len(block) - 1)
    return means, variances, variances.min(axis=0) > 0


def _posterior(shifts: np.ndarray, variances: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Shift c* and variance d*^2 of the standardised features of a batch of `count`: (D,), (D,) -> (D,), (D,).

    The prior of shifts is N(m, t), that of variances InvGamma(p, q), with p = 2 + 1 / k and q = v (1 + 1 / k) for a
    mean v and a squared coefficient of variation k of the variances. Each is found given the other, in turn, from the
    features' own shifts c and variances on:

        c* = (count t c + d*^2 m) / (count t + d*^2)
        d*^2 = (q + sum over embeddings (z - c*)^2 / 2) / (count / 2 + p - 1)
    """
    prior_mean, prior_variance = shifts.mean(), shifts.var(ddof=1)
    mean = variances.mean()
    dispersion = variances.var(ddof=1) / mean**2
    shift, variance = shifts, variances
    for _ in range(_STEPS):
        new_shift = (count * prior_variance * shifts + variance * prior_mean) / (count * prior_variance + variance)
        squares = (count - 1) * variances + count * (shifts - new_shift) ** 2
        # q and p times k: where all variances are equal k is zero
        new_variance = (mean * (1 + dispersion) + dispersion * squares / 2) / (1 + dispersion * (count / 2 + 1))
        # shifts below zero are not waited for, as in sva: waiting would change numbers in the fifth decimal
        moved = (np.abs(new_shift - shift) > _TOLERANCE * shift) & (shift >= 0)
        moved |= np.abs(new_variance - variance) > _TOLERANCE * variance
        shift, variance = new_shift, new_variance
        if not moved.any():
            break
    return shift, variance
