import numpy as np
import pytest

from debatch.correct.mad import mad_robustize
from debatch.errors import DataError


def test_by_hand():
    """Median 2 and deviations 1, 0, 1, 2, 0 of the first five: MAD 1, so (x - 2) / 1.4826."""
    embeddings = np.array([1.0, 2.0, 3.0, 4.0, 2.0, 100.0])[:, None]
    corrected = mad_robustize(embeddings, np.zeros(6), np.arange(6) < 5)
    np.testing.assert_allclose(corrected[:, 0], np.array([-1, 0, 1, 2, 0, 98]) / 1.4826, rtol=1e-12)


def test_a_feature_without_a_scale_in_one_batch_is_nothing_in_all(caplog):
    reference = np.array([True, True, True, False] * 2)
    embeddings = np.array([[0, 0, 5, 3, 1, 2, 3, 4], [1, 2, 3, 4, 1, 2, 3, 4]], np.float32).T
    corrected = mad_robustize(embeddings, np.repeat([1, 2], 4), reference)
    assert (corrected[:, 0] == 0).all()
    np.testing.assert_allclose(corrected[:, 1], np.array([-1, 0, 1, 2] * 2) / 1.4826)
    assert "1 of 2 features become 0" in caplog.text
    with pytest.raises(DataError, match="every feature"):
        mad_robustize(embeddings[:, :1], np.repeat([1, 2], 4), reference)


def test_a_batch_without_controls_is_named():
    with pytest.raises(DataError, match="batch week2: no control"):
        mad_robustize(np.ones((2, 1)), np.array(["week1", "week2"]), np.array([True, False]))
