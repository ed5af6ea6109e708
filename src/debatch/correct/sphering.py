"""Make the variation of controls alike in all directions, over all batches, or batch by batch as well."""

import numpy as np
import scipy.linalg

from debatch.correct.components import principal_components
from debatch.errors import DataError


def sphering(embeddings: np.ndarray, controls: np.ndarray, components: int = 128, ridge: float = 0.01) -> np.ndarray:
    """Project on the principal components of the controls of all batches, and make the controls white there.

    Each component is divided by the square root of its variance plus the ridge. On the components' own axes that is
    ZCA and PCA whitening at once; either way of turning the result leaves every cosine and distance as it is.
    pycytominer's Spherize is not used: it refuses controls of less than full rank, adds its epsilon to singular values
    (so that it depends on their scale and number), and fills the directions that controls lack with the last one's.

    Args:
        embeddings: (N, D).
        controls: (N,) bool, of all batches.
        components: the most that are kept; there are fewer where the controls have fewer directions.
        ridge: added to each component's variance, as a share of the mean of those kept: free of scale.

    Returns:
        (N, C): the controls have mean 0 and variance v / (v + ridge x mean of v), uncorrelated.

    Raises:
        DataError: fewer than two controls, or controls that do not differ.

    Source: ZCA whitening, Kessy et al. 2018 (Am Stat 72:309); on controls, Moshkov et al. 2024 (Nat Commun 15:1594).
    128: EFAAR_benchmarking (Celik et al. 2024).
    """
    of = embeddings[controls]
    if len(of) < 2:
        raise DataError(
            f"{len(of)} controls: sphering needs two that differ; choose a correction that needs none (combat, "
            "harmony, mnn, znorm_all), or name the controls in `well_types`"
        )
    fitted = principal_components(of, components)
    variances = fitted.variances * len(of) / (len(of) - 1)
    return fitted.scores(embeddings) / np.sqrt(variances + ridge * variances.mean())


def tvn(
    embeddings: np.ndarray, batches: np.ndarray, controls: np.ndarray, components: int = 128, ridge: float = 0.5
) -> np.ndarray:
    """Typical variation normalization: sphering, then the controls of each batch get the covariance of all controls.

    The covariances are aligned as by CORAL: what a batch's controls have beyond those of all is taken away by the
    inverse square root of the batch's covariance, and the covariance of all is given back by its square root. Both
    covariances get the same ridge, so that a batch with fewer controls than components has no direction that blows up.

    Args:
        embeddings: (N, D).
        batches: (N,).
        controls: (N,) bool.
        components: as in `sphering`.
        ridge: as in `sphering`, and added to the covariances that are aligned, as a share of the mean variance there.

    Returns:
        (N, C): the controls of each batch have mean 0, and as nearly the covariance of all as the ridge lets them.

    Raises:
        DataError: a batch with fewer than two controls, or controls that do not differ.

    Source: Ando et al. 2017 (bioRxiv 161422); CORAL, Sun et al. 2016 (AAAI). 128 components and the 0.5 added to
    covariances of components of unit variance: EFAAR_benchmarking (Celik et al. 2024).
    """
    white = sphering(embeddings, controls, components, ridge)
    common = _covariance(white[controls])
    added = ridge * np.trace(common) / len(common) * np.eye(len(common))
    colouring = _power(common + added, 0.5)
    aligned = np.empty_like(white)
    for batch in np.unique(batches):
        own = batches == batch
        of = white[own & controls]
        if len(of) < 2:
            raise DataError(
                f"batch {batch}: {len(of)} controls, but TVN needs two; choose a correction that needs none "
                "(combat, harmony, mnn, znorm_all), leave the batch out, or name its controls in `well_types`"
            )
        aligned[own] = (white[own] - of.mean(axis=0)) @ _power(_covariance(of) + added, -0.5) @ colouring
    return aligned


def _covariance(white: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(white, rowvar=False))


def _power(covariance: np.ndarray, exponent: float) -> np.ndarray:
    """A power of a symmetric, positive definite matrix."""
    variances, axes = scipy.linalg.eigh(covariance)
    return (axes * variances**exponent) @ axes.T
