"""How sure a number is: what the few test batches say."""

from collections.abc import Sequence

import numpy as np

FEWEST_FOR_BOOTSTRAP = 5
DRAWS = 10_000


def pooled_interval(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval of a weighted mean over test batches; with fewer than 5, the smallest and largest.

    Args:
        values: (B,) a share for each batch.
        weights: (B,) images of each batch.
    """
    value, weight = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if len(value) < FEWEST_FOR_BOOTSTRAP:
        return float(value.min()), float(value.max())
    low, high = np.quantile(_resampled_means(value, weight, 0), [0.025, 0.975])
    return float(low), float(high)


def ratio_interval(
    values: Sequence[float],
    weights: Sequence[float],
    values_below: Sequence[float],
    weights_below: Sequence[float],
) -> tuple[float, float]:
    """As `pooled_interval`, for the ratio of two weighted means over batches that are drawn independently.

    With fewer than 5 batches above or below the line, the smallest and largest ratio of a batch above it to the mean
    below it.
    """
    value, weight = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    below, weight_below = (
        np.asarray(values_below, dtype=np.float64),
        np.asarray(weights_below, dtype=np.float64),
    )
    if min(len(value), len(below)) < FEWEST_FOR_BOOTSTRAP:
        mean = np.average(below, weights=weight_below)
        return float(value.min() / mean), float(value.max() / mean)
    ratios = _resampled_means(value, weight, 0) / _resampled_means(below, weight_below, 1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def _resampled_means(values: np.ndarray, weights: np.ndarray, stream: int) -> np.ndarray:
    """(DRAWS,) weighted means of batches drawn with replacement; the same for the same input."""
    drawn = np.random.default_rng([0, stream]).integers(len(values), size=(DRAWS, len(values)))
    return (values * weights)[drawn].sum(1) / weights[drawn].sum(1)
