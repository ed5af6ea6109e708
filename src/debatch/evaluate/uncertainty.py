"""How sure a number is: what it would be, had other units of the same kind been drawn."""

from collections.abc import Callable, Sequence

import numpy as np

FEWEST_FOR_BOOTSTRAP = 5
DRAWS = 10_000
# of one or more sets of units, (R, U) how often each unit counts -> (R,) a number; NaN where it is not defined
Statistic = Callable[..., np.ndarray]


def bootstrap(statistic: Statistic, *units: int, draws: int = DRAWS) -> tuple[float, float]:
    """95 % percentile interval of a statistic whose units are drawn with replacement; the same for the same input.

    scipy's draws values; here a draw is how often each unit counts, which suits pairs of batches as well as means.

    Args:
        statistic: see `Statistic`; draws for which it is not defined do not count.
        units: how many there are of each set; sets are drawn independently.
        draws: how many.
    """
    counts = (_counts(number, draws, stream) for stream, number in enumerate(units))
    return _quantiles(statistic(*counts), 0.025, 0.975)


def batch_interval(
    statistic: Statistic, *batches: int, alone: Statistic | None = None, draws: int = DRAWS
) -> tuple[float, float]:
    """`bootstrap` over batches; with fewer than 5 of a set, the smallest and largest number that one batch gives.

    Args:
        statistic: as in `bootstrap`.
        batches: how many there are of each set.
        alone: what stands for the statistic where a batch of the first set counts by itself, of the other sets all.
        draws: how many.
    """
    if min(batches) >= FEWEST_FOR_BOOTSTRAP:
        return bootstrap(statistic, *batches, draws=draws)
    first, *others = batches
    return _quantiles((alone or statistic)(np.eye(first), *(np.ones((1, number)) for number in others)), 0, 1)


def pooled_interval(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """`batch_interval` of a weighted mean over test batches.

    Args:
        values: (B,) a share for each batch.
        weights: (B,) images of each batch.
    """
    return batch_interval(_weighted_mean(values, weights), len(values))


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
    above, below = _weighted_mean(values, weights), _weighted_mean(values_below, weights_below)

    def ratio(drawn: np.ndarray, drawn_below: np.ndarray) -> np.ndarray:
        return above(drawn) / below(drawn_below)

    return batch_interval(ratio, len(values), len(values_below))


def mean_interval(values: np.ndarray, units: np.ndarray, draws: int = DRAWS) -> tuple[float, float]:
    """`bootstrap` of a mean whose values are drawn with all others of their unit; NaN where all are of one.

    Args:
        values: (N,).
        units: (N,) as the perturbation.
        draws: how many.
    """
    _, of = np.unique(units, return_inverse=True)
    sums, sizes = np.bincount(of, values), np.bincount(of)
    if len(sizes) < 2:
        return np.nan, np.nan
    return bootstrap(_weighted_mean(sums / sizes, sizes), len(sizes), draws=draws)


def _weighted_mean(values: Sequence[float] | np.ndarray, weights: Sequence[float] | np.ndarray) -> Statistic:
    value, weight = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    return lambda drawn: (drawn @ (value * weight)) / (drawn @ weight)


def _counts(units: int, draws: int, stream: int) -> np.ndarray:
    """(draws, units) how often each unit is drawn."""
    drawn = np.random.default_rng([0, stream]).integers(units, size=(draws, units))
    drawn += units * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)


def _quantiles(values: np.ndarray, *shares: float) -> tuple[float, float]:
    defined = values[np.isfinite(values)]
    low, high = np.quantile(defined, shares) if len(defined) else (np.nan, np.nan)
    return float(low), float(high)
