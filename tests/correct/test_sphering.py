import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debatch.correct.components import principal_components
from debatch.correct.sphering import sphering, tvn
from debatch.errors import DataError


def _correlated(generator, count, width=6):
    return generator.normal(size=(count, width)) @ generator.normal(size=(width, width)) + generator.normal(size=width)


@given(st.integers(0, 100))
def test_controls_are_white_up_to_the_ridge(seed):
    generator = np.random.default_rng(seed)
    embeddings, controls = _correlated(generator, 80), np.arange(80) < 50
    white = sphering(embeddings, controls, components=6, ridge=1e-9)[controls]
    assert white.mean(axis=0) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(6), atol=1e-4)
    variances = np.linalg.eigvalsh(np.cov(embeddings[controls], rowvar=False))[::-1]
    ridged = np.cov(sphering(embeddings, controls, components=6, ridge=0.1)[controls], rowvar=False)
    np.testing.assert_allclose(ridged, np.diag(variances / (variances + 0.1 * variances.mean())), atol=1e-9)


def test_sphering_by_hand():
    """Variances 2/3 (N - 1) along x and 32/3 along y about the mean (0, 0); a ridge of half their mean, 17/6."""
    controls = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 4.0], [0.0, -4.0]])
    found = sphering(np.concatenate([controls, [[3.0, 5.0]]]), np.arange(5) < 4, components=2, ridge=0.5)
    expected = [5 / np.sqrt(32 / 3 + 17 / 6), 3 / np.sqrt(2 / 3 + 17 / 6)]
    np.testing.assert_allclose(np.abs(found[4]), expected)


def test_sphering_knows_no_unit_and_no_more_directions_than_controls():
    generator = np.random.default_rng(0)
    embeddings, controls = generator.normal(size=(30, 20)).astype(np.float32), np.arange(30) < 5
    found = sphering(embeddings, controls)
    assert found.shape == (30, 4)
    np.testing.assert_allclose(sphering(1000 * embeddings, controls), found, atol=1e-4)
    assert sphering(embeddings, controls, components=2).shape == (30, 2)


def test_each_batch_s_controls_get_the_covariance_of_all():
    generator = np.random.default_rng(0)
    batches, controls = np.repeat([0, 1, 2], 100), np.tile(np.arange(100) < 60, 3)
    mixing = generator.normal(size=(3, 5, 5))
    embeddings = np.einsum("nd,nde->ne", generator.normal(size=(300, 5)), mixing[batches]) + 4.0 * batches[:, None]
    aligned = tvn(embeddings, batches, controls, components=5, ridge=1e-6)
    covariances = [np.cov(aligned[controls & (batches == batch)], rowvar=False) for batch in range(3)]
    for batch in range(3):
        assert aligned[controls & (batches == batch)].mean(axis=0) == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(covariances[batch], np.eye(5), atol=0.01)
    uneven = sphering(embeddings, controls, components=5, ridge=1e-6)
    assert np.abs(np.cov(uneven[controls & (batches == 0)], rowvar=False) - np.eye(5)).max() > 0.2


def test_fewer_controls_in_a_batch_than_components_blow_nothing_up():
    generator = np.random.default_rng(0)
    batches, controls = np.repeat([0, 1], 50), np.tile(np.arange(50) < 4, 2)
    controls[60:90] = True
    embeddings = generator.normal(size=(100, 20))
    aligned = tvn(embeddings, batches, controls, components=20)
    # at most the square root of (1 + ridge) / ridge, of directions in which the batch's controls do not vary at all
    assert np.abs(aligned).max() < 2 * np.abs(sphering(embeddings, controls, 20, 0.5)).max()


def test_controls_that_are_not_there_or_do_not_differ():
    embeddings = np.full((4, 2), 0.1, np.float32)
    with pytest.raises(DataError, match="1 controls"):
        sphering(embeddings, np.arange(4) < 1)
    with pytest.raises(DataError, match="all 3 embeddings are the same"):
        sphering(embeddings, np.arange(4) < 3)
    with pytest.raises(DataError, match="batch b: 1 controls"):
        tvn(np.eye(4), np.array(["a", "a", "b", "b"]), np.array([True, True, True, False]))


def test_directions_of_round_off_are_none():
    generator = np.random.default_rng(0)
    few = (generator.normal(size=(60, 3)) @ generator.normal(size=(3, 10))).astype(np.float32) + np.float32(5)
    for wide in (few, few[:8]):
        fitted = principal_components(wide, 10)
        assert len(fitted.axes) == 3
        np.testing.assert_allclose(fitted.scores(wide) @ fitted.axes + fitted.center, wide, atol=1e-5)
