import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from debatch.evaluate.uncertainty import (
    NOT_DRAWN,
    Part,
    batch_spread,
    crossed_spread,
    holm,
    mean_spread,
    p_value,
    seed_parts,
    stratified_mean,
    t_spread,
)

VALUES, IMAGES = np.linspace(0.4, 0.6, 11) ** 2, np.arange(100.0, 1200.0, 100)
ONE = np.zeros(11, np.int64)


def test_of_one_cell_type_it_is_students_interval():
    spread = mean_spread(VALUES, ONE, np.ones(11))
    expected = stats.t.interval(0.95, 10, VALUES.mean(), stats.sem(VALUES))
    assert (spread.low, spread.high) == pytest.approx(expected)
    assert spread.is_interval
    assert spread.freedom == pytest.approx(10)


def test_a_share_keeps_within_0_and_1():
    """The same half width on the logit scale: longer towards the middle."""
    values = np.array([0.99, 0.999, 0.95, 0.97, 1.0])
    spread = mean_spread(values, np.zeros(5), np.ones(5), scale="share")
    plain = mean_spread(values, np.zeros(5), np.ones(5))
    assert plain.low < spread.high < 1 < plain.high
    assert 0 < spread.low < plain.low
    assert mean_spread(np.ones(5), np.zeros(5), np.ones(5), scale="share")[:3] == (1, 1, True)


def test_cell_types_that_differ_do_not_widen_it():
    """Every split fixes their mix: what differs between them would be the same in any other draw of batches."""
    rng = np.random.default_rng(0)
    kinds = np.repeat([0, 1, 2, 3], [8, 4, 4, 2])
    noise = 0.02 * rng.standard_normal(18)
    level = np.array([0.92, 0.87, 0.86, 0.3])[kinds]
    apart, alike = (mean_spread(of + noise, kinds, np.full(18, 2460.0)) for of in (level, 0.8))
    assert apart.high - apart.low == pytest.approx(alike.high - alike.low)
    assert apart.high - apart.low < 0.05
    mixed = mean_spread(level + noise, np.zeros(18), np.full(18, 2460.0))
    assert mixed.high - mixed.low > 3 * (apart.high - apart.low)


def test_two_batches_that_happen_to_agree_do_not_make_it_narrow():
    kinds = np.repeat([0, 1], [6, 2])
    values = np.array([0.5, 0.6, 0.55, 0.45, 0.65, 0.5, 0.7, 0.7])
    apart = mean_spread(values, kinds, np.ones(8))
    others = mean_spread(values[:6], kinds[:6], np.ones(6))
    variance = others.error**2 * 6  # of a batch; the mean over both types, the second one's being zero
    expected = np.sqrt(0.75**2 * variance / 6 + 0.25**2 * variance * 5 / 6 / 2)
    assert apart.error == pytest.approx(expected)


def test_too_few_batches_give_the_worst_and_the_best_of_each_cell_type():
    spread = mean_spread(np.array([0.2, 0.9, 0.5]), np.zeros(3), np.ones(3))
    assert spread[:3] == (0.2, 0.9, False)
    assert np.isnan([spread.error, spread.freedom]).all()
    # one of a cell type: nothing is known of how it varies
    lone = mean_spread(np.array([0.5, 0.6, 0.7, 0.9]), np.array([0, 0, 0, 1]), np.ones(4))
    assert lone[:3] == pytest.approx((0.75 * 0.5 + 0.225, 0.75 * 0.7 + 0.225, False))
    alone = mean_spread(np.array([0.5, 0.9]), np.array([0, 1]), np.ones(2))
    assert np.isnan([alone.low, alone.high]).all()


def test_a_range_contains_its_number():
    """What single batches give need not: a distance of all of them together may be larger than of any."""
    spread = batch_spread(lambda counts: counts.sum(axis=1), np.zeros(3), np.ones(3), alone=lambda: (1.0, 1.0))
    assert spread[:3] == (1, 3, False)


@given(st.permutations(range(11)))
def test_the_order_of_batches_does_not_matter(order):
    order = list(order)
    assert mean_spread(VALUES[order], ONE, IMAGES[order])[:2] == pytest.approx(mean_spread(VALUES, ONE, IMAGES)[:2])


def test_a_ratio_draws_numerator_and_denominator_together():
    """Batches that are hard above the line are hard below it: of a ratio of two copies nothing varies."""
    top = stratified_mean(VALUES, ONE, IMAGES)
    bottom = stratified_mean(2 * VALUES, ONE, IMAGES)
    spread = batch_spread(lambda counts: top(counts) / bottom(counts), ONE, IMAGES)
    assert (spread.low, spread.high) == pytest.approx((0.5, 0.5))
    noisy = stratified_mean(2 * VALUES + 0.05 * (-1) ** np.arange(11), ONE, IMAGES)
    spread = batch_spread(lambda counts: top(counts) / noisy(counts), ONE, IMAGES)
    assert spread.low < 0.5 < spread.high < 0.6


def test_seeds_widen_it_and_one_seed_says_nothing_of_them():
    plain = mean_spread(VALUES, ONE, IMAGES)
    assert mean_spread(VALUES, ONE, IMAGES, seeds=[0.25]) == plain
    assert seed_parts([0.2, 0.3, 0.4]) == [Part(pytest.approx(0.01 / 3), 2)]
    wide = mean_spread(VALUES, ONE, IMAGES, seeds=[0.2, 0.3, 0.4])
    assert wide.error == pytest.approx(np.hypot(plain.error, 0.1 / np.sqrt(3)))
    assert wide.freedom < 3


def test_nothing_that_differs_has_no_width():
    assert t_spread(0.3, [Part(0.0, 4), Part(0.0, 2)])[:3] == (0.3, 0.3, True)


def test_hundred_values_of_two_perturbations_say_no_more_than_the_two_do():
    values, units = np.repeat([0.0, 1.0], 50), np.repeat(["a", "b"], 50)
    one_batch_each = np.arange(100)
    of_two = crossed_spread(values, units, None, np.zeros(100))
    assert of_two.error == pytest.approx(stats.sem([0.0, 1.0]))
    assert of_two.low < -5 < 5 < of_two.high
    of_all = crossed_spread(values, one_batch_each, None, np.zeros(100))
    assert of_all.error == pytest.approx(stats.sem(values))
    assert np.isnan(crossed_spread(values, np.zeros(100), None, np.zeros(100))[:2]).all()
    assert np.isnan(crossed_spread(np.zeros(0), np.zeros(0), None, np.zeros(0))[:2]).all()


def test_batches_that_move_all_perturbations_count_as_few():
    """A correction that helps in some batches and harms in others: many perturbations make that no surer."""
    units, batches = np.tile(np.arange(200), 4), np.repeat(np.arange(4), 200)
    values = np.array([0.3, -0.1, 0.2, 0.0])[batches]
    both = crossed_spread(values, units, batches, np.zeros(800))
    alone = crossed_spread(values + 0.01 * (-1) ** units, units, None, np.zeros(800))
    assert both.low < 0 < both.high
    assert alone.low > 0


@pytest.mark.parametrize(("kinds", "known"), [([0, 0, 0], False), ([0, 0, 0, 0], True), ([0, 0, 0, 1], False)])
def test_too_few_batches_judge_nothing(kinds, known):
    """Three, or one of a cell type: nothing is known of how batches differ."""
    units, batches = np.tile(np.arange(30), len(kinds)), np.repeat(np.arange(len(kinds)), 30)
    values = np.random.default_rng(0).normal(size=len(units))
    assert np.isfinite(crossed_spread(values, units, batches, np.array(kinds)[batches]).error) == known


def test_a_change_has_the_freedom_of_what_is_fewer():
    units, batches = np.tile(np.arange(30), 5), np.repeat(np.arange(5), 30)
    values = np.random.default_rng(0).normal(size=150)
    assert crossed_spread(values, units, batches, np.zeros(150)).freedom == 4


def test_p_values_agree_with_intervals_and_holm_is_that_of_the_paper():
    spread = mean_spread(VALUES, ONE, np.ones(11))
    edge = p_value(spread.high - VALUES.mean(), spread.error, spread.freedom)
    assert edge == pytest.approx(0.05)
    assert p_value(1.0, np.nan, np.nan) == 1
    assert (p_value(0.0, 0.0, np.inf), p_value(1.0, 0.0, np.inf)) == (1, 0)
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01, 0.04], comparisons=10).tolist() == pytest.approx([0.1, 0.36])
    assert holm([]).tolist() == []


def test_of_controls_batches_alone_are_drawn():
    """A screen's controls are chosen once: the mean of one of them has the interval of its batches."""
    batches = np.repeat(np.arange(6), [4, 4, 8, 8, 2, 2])
    values = np.random.default_rng(0).normal(size=28) + batches
    controls = crossed_spread(values, np.full(28, NOT_DRAWN), batches, np.zeros(28))
    counts = np.bincount(batches).astype(float)
    assert controls[:5] == pytest.approx(mean_spread(np.bincount(batches, values) / counts, np.zeros(6), counts)[:5])
    assert np.isnan(crossed_spread(values, np.full(28, NOT_DRAWN), None, np.zeros(28)).error)
    assert np.isnan(crossed_spread(values[:16], np.full(16, NOT_DRAWN), batches[:16], np.zeros(16)).error)


def test_controls_beside_treatments_are_no_treatment_that_is_drawn():
    """Half of the wells are one control's and differ from the rest: another draw of treatments would not change it."""
    rng = np.random.default_rng(0)
    batches, treatments = np.tile(np.arange(8), 30), np.repeat([f"t{n}" for n in range(30)], 8)
    values = 0.1 * rng.normal(size=240)
    both = [np.concatenate(pair) for pair in ((values, values + 1), (batches, batches))]
    zeros = np.zeros(480)
    fixed = crossed_spread(both[0], np.concatenate([treatments, np.full(240, NOT_DRAWN)]), both[1], zeros)
    drawn = crossed_spread(both[0], np.concatenate([treatments, np.full(240, "DMSO")]), both[1], zeros)
    assert 0 < fixed.error < 0.05 < drawn.error
