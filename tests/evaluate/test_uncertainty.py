import numpy as np
import pytest

from debatch.evaluate.uncertainty import batch_interval, bootstrap, mean_interval, pooled_interval, ratio_interval

VALUES, IMAGES = np.linspace(0.4, 0.6, 11) ** 2, np.arange(100, 1200, 100)


def mean(drawn):
    return drawn @ VALUES / drawn.sum(axis=1)


def test_few_batches_give_their_range_and_more_a_bootstrap():
    assert pooled_interval([0.2, 0.9, 0.5], [1, 1, 1]) == (0.2, 0.9)
    low, high = pooled_interval(np.linspace(0.4, 0.6, 11), np.ones(11))
    assert 0.44 < low < 0.49
    assert 0.51 < high < 0.56
    assert pooled_interval([0.5] * 6, [1] * 6) == (0.5, 0.5)


def test_ratio_interval():
    assert ratio_interval([0.4, 0.6], [1, 1], [0.8, 0.8], [1, 1]) == pytest.approx((0.5, 0.75))
    low, high = ratio_interval(np.linspace(0.4, 0.6, 9), np.ones(9), np.full(9, 0.5), np.ones(9))
    assert low < 1 < high


def test_a_bootstrap_of_a_mean_is_as_wide_as_its_standard_error():
    low, high = bootstrap(mean, len(VALUES))
    standard_error = VALUES.std() / np.sqrt(len(VALUES))
    assert high - low == pytest.approx(2 * 1.96 * standard_error, rel=0.03)


def test_the_order_of_batches_does_not_matter():
    order = np.random.default_rng(0).permutation(len(VALUES))
    first, second = pooled_interval(VALUES, IMAGES), pooled_interval(VALUES[order], IMAGES[order])
    assert first == pytest.approx(second, abs=0.05 * (first[1] - first[0]))
    assert pooled_interval(VALUES, IMAGES) == first


def test_sets_are_drawn_independently():
    """The ratio of one set of batches to a copy of itself varies; were both drawn alike, it would be 1."""
    low, high = ratio_interval(VALUES, IMAGES, VALUES, IMAGES)
    assert low < 0.95 < 1.05 < high


def test_few_batches_may_be_asked_by_a_statistic_of_their_own():
    assert batch_interval(mean, 3, alone=lambda drawn: drawn @ np.array([1.0, 5.0, 3.0])) == (1, 5)


def test_draws_without_a_number_do_not_count():
    first_drawn = lambda drawn: np.where(drawn[:, 0] > 0, 2.0, np.nan)  # noqa: E731
    assert bootstrap(first_drawn, 5) == (2, 2)
    assert np.isnan(bootstrap(lambda drawn: np.full(len(drawn), np.nan), 5)).all()


def test_values_of_a_unit_are_drawn_together():
    """A hundred values of two perturbations say no more than the two do."""
    values, units = np.repeat([0.0, 1.0], 50), np.repeat(["a", "b"], 50)
    assert mean_interval(values, units) == (0, 1)
    low, high = mean_interval(values, np.arange(100))
    assert 0.35 < low < 0.45 < 0.55 < high < 0.65
    assert np.isnan(mean_interval(values, np.zeros(100))).all()
