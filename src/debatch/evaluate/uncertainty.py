"""How sure a number is: what it would be, had other batches, seeds or perturbations of the same kind been drawn.

One mechanism for all tables. A number's variance is a sum over what is drawn: test batches within their cell type,
since every split fixes the mix of cell types; training seeds, where there are two or more; perturbations, where a
sentence generalizes over them. Each part is a delete-one jackknife, so it serves means, differences, ratios and
distances alike, and the interval is Student's t with Satterthwaite's degrees of freedom. Percentile intervals of a
bootstrap are too narrow with few batches (they cover 0.78 at four, 0.87 at eight; `benchmarks/coverage.py`).
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

# of one or more batches: (R, B) how much each counts -> (R,) a number; NaN where it is not defined
Statistic = Callable[[np.ndarray], np.ndarray]
Scale = Literal["share", "plain"]

FEWEST_BATCHES = 4
# in place of the perturbation of values of which none is drawn, as of negative controls: a screen chooses those once
NOT_DRAWN = ""
_CONFIDENCE = 0.95
# a share of 0 or 1 has no logit
_EDGE = 1e-6


class Part(NamedTuple):
    """What one thing that is drawn adds to a number's variance, and how well that is known."""

    variance: float
    freedom: float


class Spread(NamedTuple):
    """How far a number may be from what other draws would give.

    Attributes:
        low: lower end; NaN where nothing is known.
        high: upper end.
        is_interval: 95 % interval; else the range of what single batches give, which says less.
        error: standard error; NaN of a range.
        freedom: its degrees of freedom; NaN of a range.
    """

    low: float
    high: float
    is_interval: bool
    error: float = np.nan
    freedom: float = np.nan


UNKNOWN = Spread(np.nan, np.nan, is_interval=False)


def t_spread(value: float, parts: Sequence[Part], scale: Scale = "plain") -> Spread:
    """A 95 % interval from the parts of a variance.

    Args:
        value: the number.
        parts: independent parts of its variance.
        scale: `share`: a number in [0, 1], whose interval is computed on the logit scale and so stays within.
    """
    variance = sum(part.variance for part in parts)
    squares = sum(part.variance**2 / part.freedom for part in parts)
    if not np.isfinite(variance) or variance < 0:
        return UNKNOWN
    error = float(np.sqrt(variance))
    if squares == 0:  # nothing differs
        return Spread(value, value, is_interval=True, error=error, freedom=np.inf)
    # here and below: half a second, which a start of the workflow need not wait
    from scipy.special import expit, logit, stdtrit

    freedom = variance**2 / squares
    half = float(stdtrit(freedom, 0.5 + _CONFIDENCE / 2)) * error
    if scale == "plain":
        return Spread(value - half, value + half, is_interval=True, error=error, freedom=freedom)
    middle = np.clip(value, _EDGE, 1 - _EDGE)
    slope = 1 / (middle * (1 - middle))
    low, high = expit(logit(middle) - slope * half), expit(logit(middle) + slope * half)
    return Spread(float(low), float(high), is_interval=True, error=error, freedom=freedom)


def batch_parts(statistic: Statistic, strata: np.ndarray, weights: np.ndarray) -> list[Part] | None:
    """What batches add to a statistic's variance, cell type by cell type; None where there are too few.

    Batches are drawn within their cell type. From two of a cell type a variance is known badly, and by chance often as
    far too small: then the mean variance of all cell types counts where it is larger.

    Args:
        statistic: see `Statistic`.
        strata: (B,) each batch's cell type.
        weights: (B,) how much each batch counts, as its images.
    """
    kinds, of, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    if len(of) < FEWEST_BATCHES or sizes.min() < 2:
        return None
    left_out = np.ones((len(of), len(of)))
    for batch, kind in enumerate(of):
        own = of == kind
        left_out[batch, own] = sizes[kind] / (sizes[kind] - 1)
        left_out[batch, batch] = 0
    values = statistic(left_out)
    if not np.isfinite(values).all():
        return None
    by_kind = [values[of == kind] for kind in range(len(kinds))]
    jackknife = np.array([(len(own) - 1) / len(own) * ((own - own.mean()) ** 2).sum() for own in by_kind])
    shares = np.bincount(of, weights) / weights.sum()
    of_batch = np.divide(jackknife * sizes, shares**2, out=np.zeros(len(kinds)), where=shares > 0)
    mean = ((sizes - 1) * of_batch).sum() / (sizes - 1).sum()
    of_batch = np.where(sizes == 2, np.maximum(of_batch, mean), of_batch)
    return [Part(*pair) for pair in zip(shares**2 * of_batch / sizes, (sizes - 1).astype(float), strict=True)]


def seed_parts(values: Sequence[float]) -> list[Part]:
    """What training seeds add to the variance of a mean over them; nothing is known of it with one."""
    if len(values) < 2:
        return []
    return [Part(float(np.var(values, ddof=1)) / len(values), len(values) - 1)]


def seeds_spread(
    values: Sequence[float], errors: Sequence[float], freedoms: Sequence[float], scale: Scale = "plain"
) -> Spread:
    """How sure a mean over seeds is, where each seed's number has an error of its own from what is drawn.

    The same batches and perturbations are behind all seeds: over seeds their error does not fall.

    Args:
        values: (S,) a number a seed.
        errors: (S,) their standard errors.
        freedoms: (S,) degrees of freedom of those.
        scale: as in `t_spread`.
    """
    of_drawn = Part(float(np.mean(errors)) ** 2, float(np.mean(freedoms)))
    return t_spread(float(np.mean(values)), [of_drawn, *seed_parts(values)], scale)


def batch_spread(
    statistic: Statistic,
    strata: np.ndarray,
    weights: np.ndarray,
    seeds: Sequence[float] = (),
    scale: Scale = "plain",
    alone: Callable[[], tuple[float, float]] | None = None,
    value: float | None = None,
) -> Spread:
    """How sure a statistic of test batches is: an interval, or a range where batches are too few for one.

    An interval takes four batches or more, and two or more of each cell type.

    Args:
        statistic: see `Statistic`; of ones it is the number itself.
        strata: (B,) each batch's cell type.
        weights: (B,) how much each batch counts, as its images.
        seeds: the number of each training seed.
        scale: as in `t_spread`.
        alone: the smallest and largest number that single batches give; None: no range.
        value: the number, where it is not quite the statistic of all batches; None: it is.
    """
    if value is None:
        value = float(statistic(np.ones((1, len(strata))))[0])
    parts = batch_parts(statistic, strata, weights)
    if parts is not None:
        return t_spread(value, [*parts, *seed_parts(seeds)], scale)
    if alone is None or len(strata) == len(np.unique(strata)):
        return UNKNOWN
    low, high = alone()
    return Spread(min(low, value), max(high, value), is_interval=False)


def mean_spread(
    values: np.ndarray,
    strata: np.ndarray,
    weights: np.ndarray,
    seeds: Sequence[float] = (),
    scale: Scale = "plain",
    value: float | None = None,
) -> Spread:
    """`batch_spread` of a weighted mean over test batches; the range goes from the worst to the best of each cell type.

    Args:
        values: (B,) a number for each batch, mean over seeds.
        strata: (B,) each batch's cell type.
        weights: (B,) images of each batch.
        seeds: the mean of each training seed.
        scale: as in `t_spread`.
        value: as in `batch_spread`.
    """

    def alone() -> tuple[float, float]:
        return extremes(values, strata, weights)

    return batch_spread(stratified_mean(values, strata, weights), strata, weights, seeds, scale, alone, value)


def extremes(values: np.ndarray, strata: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """What a weighted mean would be of the worst, and of the best, batch of each cell type alone."""
    total = weights.sum()
    low, high = (
        sum(weights[strata == kind].sum() / total * float(end(values[strata == kind])) for kind in np.unique(strata))
        for end in (np.min, np.max)
    )
    return float(low), float(high)


def stratified_mean(values: np.ndarray, strata: np.ndarray, weights: np.ndarray) -> Statistic:
    """A weighted mean over batches in which each cell type keeps its weight, whichever of its batches count.

    Args:
        values: (B,).
        strata: (B,).
        weights: (B,); a batch of weight zero does not count.
    """
    kinds, of = np.unique(strata, return_inverse=True)
    member = (of[:, None] == np.arange(len(kinds))).astype(np.float64)
    shares = weights @ member / weights.sum()
    present = np.flatnonzero(shares > 0)

    def mean(counts: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            by_kind = (counts @ (member * (values * weights)[:, None])) / (counts @ (member * weights[:, None]))
        return np.asarray(by_kind[:, present] @ shares[present])

    return mean


def crossed_spread(
    values: np.ndarray, units: np.ndarray, batches: np.ndarray | None, strata: np.ndarray, scale: Scale = "plain"
) -> Spread:
    """How sure a mean is over values of perturbations in batches, where both are drawn.

    What perturbations and what batches add to the variance both hold what differs from value to value: that is taken
    away once, as long as more than either of the two is left. Source: Cameron, Gelbach & Miller 2011, section 2.2.
    Where no value is of a drawn perturbation, batches alone are drawn (`batch_spread`).

    Args:
        values: (N,).
        units: (N,) the perturbation (or compound) of each; `NOT_DRAWN`: of a fixed one, as of a control.
        batches: (N,) its batch; None where each value is of several: perturbations alone are drawn. Nothing is known
            where there are under four, or one of a cell type.
        strata: (N,) its cell type.
        scale: as in `t_spread`.
    """
    if not len(values):
        return UNKNOWN
    drawn = units != NOT_DRAWN
    if not drawn.any():
        return UNKNOWN if batches is None else _over_batches(values, batches, strata, scale)
    of_drawn = _numbers(strata[drawn])
    residuals = _residuals(values[drawn], of_drawn) / len(values)
    of_unit = _numbers(units[drawn])
    by_unit = _clustered(residuals, of_unit, of_drawn.max() + 1)
    if batches is None:
        return t_spread(float(values.mean()), [by_unit], scale) if by_unit else UNKNOWN
    of, of_batch = _numbers(strata), _numbers(batches)
    by_batch = _clustered(_residuals(values, of) / len(values), of_batch, of.max() + 1)
    if by_unit is None or by_batch is None or not _enough(of_batch, of):
        return UNKNOWN
    of_pair = _numbers(of_unit * (of_batch.max() + 1) + of_batch[drawn])
    by_pair = _clustered(residuals, of_pair, of_drawn.max() + 1)
    both = by_unit.variance + by_batch.variance
    total = max(both - (by_pair.variance if by_pair else 0.0), by_unit.variance, by_batch.variance)
    # the fewer freedoms of the two, as is usual: Satterthwaite's rise with what chance makes small, and are too many
    freedom = min(by_unit.freedom, by_batch.freedom)
    return t_spread(float(values.mean()), [Part(total, freedom)], scale)


def _residuals(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """(N,) what is left of values without the mean of their cell type, by its number."""
    return np.asarray(values - (np.bincount(of, values) / np.bincount(of))[of])


def _over_batches(values: np.ndarray, batches: np.ndarray, strata: np.ndarray, scale: Scale) -> Spread:
    """`batch_spread` of a mean over values, by their batches; a batch of several cell types is a kind of its own."""
    of_batch = _numbers(batches)
    kinds = np.array(
        ["+".join(np.unique(strata[of_batch == batch].astype(str))) for batch in range(of_batch.max() + 1)]
    )
    counts = np.bincount(of_batch).astype(float)
    statistic = stratified_mean(np.bincount(of_batch, values) / counts, kinds, counts)
    return batch_spread(statistic, kinds, counts, scale=scale, value=float(values.mean()))


def p_value(value: float, error: float, freedom: float) -> float:
    """How often a number as far from zero as this comes up where the truth is zero: two-sided, by Student's t."""
    if not np.isfinite(error):
        return 1.0
    if error == 0:
        return 1.0 if value == 0 else 0.0
    from scipy.special import stdtr

    return float(2 * stdtr(min(freedom, 1e9), -abs(value) / error))


def holm(p_values: Sequence[float], comparisons: int = 0) -> np.ndarray:
    """P-values that hold for all of some comparisons at once. Source: Holm 1979.

    Args:
        p_values: (K,) of single comparisons.
        comparisons: how many were open, where these are a choice of them; at least K.
    """
    order = np.argsort(p_values, kind="stable")
    times = max(comparisons, len(order)) - np.arange(len(order))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(times * np.asarray(p_values, float)[order]))
    return adjusted


def _enough(batches: np.ndarray, kinds: np.ndarray) -> bool:
    """Whether there are batches enough for an interval, by values' numbers of batches and of cell types."""
    of_kind = np.unique(np.stack([kinds, batches], axis=1), axis=0)[:, 0]
    return len(of_kind) >= FEWEST_BATCHES and int(np.bincount(of_kind).min()) >= 2


def _numbers(names: np.ndarray) -> np.ndarray:
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def _clustered(residuals: np.ndarray, clusters: np.ndarray, means: int) -> Part | None:
    """What clusters add to a variance; one is used up by each mean that was taken away."""
    sums = np.bincount(clusters, residuals)
    freedom = len(sums) - means
    if freedom < 1:
        return None
    return Part(float(len(sums) / freedom * (sums**2).sum()), float(freedom))
