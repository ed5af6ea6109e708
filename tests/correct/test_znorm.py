import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debatch.correct.znorm import znorm
from debatch.errors import DataError


def test_pycytominers_standardise():
    """pycytominer 1.7.1, one plate, the first three wells its controls."""
    corrected = znorm(np.arange(1.0, 7.0)[:, None], np.zeros(6), np.arange(6) < 3)
    expected = [-1.224745, 0.0, 1.224745, 2.449490, 3.674235, 4.898979]
    np.testing.assert_allclose(corrected[:, 0], expected, atol=1e-5)


@given(st.integers(0, 100))
def test_each_batch_is_standardised_by_itself_in_any_order(seed):
    generator = np.random.default_rng(seed)
    embeddings, batches = generator.normal(size=(40, 3)), generator.permutation(np.arange(40) % 3)
    everything = np.ones(40, bool)
    corrected = znorm(embeddings * 7 + batches[:, None], batches, everything)
    np.testing.assert_allclose(corrected, znorm(embeddings, batches, everything), atol=1e-9)
    for batch in range(3):
        assert corrected[batches == batch].mean(axis=0) == pytest.approx(0, abs=1e-9)
        assert corrected[batches == batch].std(axis=0) == pytest.approx(1)
    order = generator.permutation(40)
    np.testing.assert_allclose(
        znorm(embeddings[order], batches[order], everything), znorm(embeddings, batches, everything)[order]
    )


def test_constant_feature_is_centred_and_a_batch_without_controls_is_named():
    embeddings = np.full((4, 1), 5.0)
    assert (znorm(embeddings, np.zeros(4), np.ones(4, bool)) == 0).all()
    with pytest.raises(DataError, match="batch week2: no control to standardise by"):
        znorm(embeddings, np.array(["week1", "week1", "week2", "week2"]), np.array([True, False, False, False]))
