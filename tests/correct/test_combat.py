import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from debatch.correct.combat import combat
from debatch.errors import DataError

SEEDS = st.integers(0, 10**6)


def planted(counts, seed=0, features=30):
    """Batches of one distribution, each shifted and scaled by itself, with their rows in a made-up order."""
    generator = np.random.default_rng(seed)
    batches = generator.permutation(np.repeat(np.arange(len(counts)), counts))
    scales, shifts = generator.uniform(0.5, 2, (len(counts), features)), generator.normal(0, 1, (len(counts), features))
    truth = generator.normal(3, 1, (len(batches), features))
    return truth * scales[batches] + shifts[batches], batches


# made with neuroCombat 0.2.12, whose variances are those of the R package sva, without covariates: features 0, 4, 29 of
# the first row of batch 0, those of the first row of batch 2, and the mean of all absolute values
GOLDEN = {
    "balanced": (
        [20, 20, 20],
        [3.81893224, 6.45124236, 2.28273393, 6.66813482, 4.33386190, 3.75253736, 3.87258879],
    ),
    "unbalanced": (
        [30, 12, 7],
        [3.66021227, 0.95613665, 2.61211113, 5.77761907, 1.83691151, 1.72320416, 3.70196728],
    ),
    "a_batch_of_two": (
        [25, 18, 2],
        [6.16373301, 5.89244476, 3.61057996, 5.54271274, 2.00538811, 3.82453415, 3.77802620],
    ),
}


@pytest.mark.parametrize(("counts", "expected"), GOLDEN.values(), ids=GOLDEN.keys())
def test_it_is_neurocombat_s(counts, expected):
    embeddings, batches = planted(counts)
    _check_golden(combat(embeddings, np.array(["week1", "week10", "week9"], object)[batches]), batches, expected)


def test_a_feature_that_is_constant_in_a_batch_has_no_part_in_the_others(caplog):
    """As neuroCombat 0.2.12 without that feature."""
    embeddings, batches = planted([20, 20, 20])
    embeddings[batches == 1, 4] = 1.5
    expected = [3.81866487, 5.77916748, 2.27974346, 6.67119053, 4.74492394, 3.75249553, 3.83738288]
    corrected = combat(embeddings, batches)
    _check_golden(corrected, batches, expected)
    np.testing.assert_array_equal(corrected[:, 4], embeddings[:, 4])
    assert "leaves 1 features as they are" in caplog.text


def _check_golden(corrected, batches, expected):
    rows = [np.flatnonzero(batches == batch)[0] for batch in (0, 2)]
    found = [*corrected[np.ix_(rows, [0, 4, 29])].ravel(), np.abs(corrected).mean()]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@given(shift=st.floats(-10, 10), scale=st.floats(0.2, 5), seed=SEEDS)
def test_what_a_batch_was_shifted_and_scaled_by_is_gone(shift, scale, seed):
    """Of 30 features, with 200 embeddings a batch: within sampling error of the embeddings before."""
    generator = np.random.default_rng(seed)
    truth, batches = generator.normal(size=(400, 30)), np.repeat([0, 1], 200)
    changed = np.where(batches[:, None] == 1, truth * scale + shift, truth)
    corrected = combat(changed, batches)
    first, second = corrected[batches == 0], corrected[batches == 1]
    pooled = np.sqrt((first.var(axis=0) + second.var(axis=0)) / 2)
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) / pooled).max() < 0.45
    assert np.abs(np.log(second.std(axis=0) / first.std(axis=0))).max() < 0.35
    for feature in range(30):
        assert np.corrcoef(corrected[:, feature], truth[:, feature])[0, 1] > 0.95


@given(seed=SEEDS)
def test_the_order_of_rows_is_nothing(seed):
    embeddings, batches = planted([9, 14, 5], seed)
    order = np.random.default_rng(seed).permutation(len(batches))
    np.testing.assert_allclose(combat(embeddings[order], batches[order]), combat(embeddings, batches)[order])


@given(seed=SEEDS)
def test_the_unit_of_a_feature_is_nothing(seed):
    embeddings, batches = planted([9, 14, 5], seed)
    generator = np.random.default_rng(seed)
    units, zeros = generator.uniform(0.01, 100, 30), generator.normal(0, 10, 30)
    corrected = combat(embeddings * units + zeros, batches)
    np.testing.assert_allclose(corrected, combat(embeddings, batches) * units + zeros, rtol=1e-6, atol=1e-6)


def test_features_that_agree_on_a_batch_are_believed():
    """Where all features show one shift and one scale there is nothing to shrink: both are gone in full."""
    batches = np.repeat([0, 1], [3, 5])
    feature = np.array([1.0, 2, 4, 10, 13, 11, 19, 12])
    corrected = combat(np.stack([feature, 2 * feature, 5 * feature + 3], axis=1), batches)
    for values in corrected.T:
        first, second = values[batches == 0], values[batches == 1]
        assert first.mean() == pytest.approx(second.mean())
        assert first.var(ddof=1) == pytest.approx(second.var(ddof=1))
    np.testing.assert_allclose(corrected.mean(axis=0), np.array([9, 18, 48]))


@given(
    embeddings=arrays(np.float32, (8, 4), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    sizes=st.sampled_from([(4, 4), (2, 6), (2, 2, 4), (8,)]),
)
def test_finite_embeddings_stay_finite(embeddings, sizes):
    batches = np.repeat(np.arange(len(sizes)), sizes)
    before = embeddings.copy()
    kept = np.any([np.ptp(embeddings[batches == batch].astype(float), axis=0) == 0 for batch in set(batches)], axis=0)
    if len(sizes) > 1 and (~kept).sum() < 2:
        with pytest.raises(DataError, match="vary in every batch"):
            combat(embeddings, batches)
        return
    corrected = combat(embeddings, batches)
    assert np.isfinite(corrected).all()
    np.testing.assert_array_equal(embeddings, before)
    np.testing.assert_array_equal(corrected[:, kept], embeddings[:, kept])


def test_constant_features_stay_and_harm_no_other(caplog):
    embeddings, batches = planted([40, 40, 40])
    constant = np.full((120, 1), 0.1)
    corrected = combat(np.concatenate([embeddings, constant], axis=1), batches)
    np.testing.assert_array_equal(corrected[:, 30:], constant)
    np.testing.assert_array_equal(corrected[:, :30], combat(embeddings, batches))
    assert not caplog.text


def test_a_batch_of_one_is_named_and_one_batch_is_left_alone():
    embeddings, batches = planted([40, 40, 40])
    np.testing.assert_array_equal(combat(embeddings, np.zeros(120)), embeddings)
    with pytest.raises(DataError, match="batch week9: a single image"):
        combat(embeddings, np.array(["week1"] * 119 + ["week9"]))
    with pytest.raises(DataError, match="1 features vary"):
        combat(embeddings[:, :1], batches)
