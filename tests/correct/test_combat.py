import numpy as np
import pytest

from debatch.correct.combat import combat
from debatch.errors import DataError


@pytest.fixture
def shifted():
    """Three batches of one distribution, each shifted and scaled by itself."""
    generator = np.random.default_rng(0)
    batches = np.repeat([0, 1, 2], 40)
    shifts, scales = generator.normal(0, 5, (3, 30)), generator.uniform(0.5, 3, (3, 1)) * np.ones((3, 30))
    return generator.normal(size=(120, 30)) * scales[batches] + shifts[batches], batches


def test_shifts_and_scales_are_gone(shifted):
    corrected = combat(*shifted)
    batches = shifted[1]
    means = np.array([corrected[batches == batch].mean(axis=0) for batch in range(3)])
    assert np.ptp(means, axis=0).max() < 0.3
    sds = np.array([corrected[batches == batch].std(axis=0).mean() for batch in range(3)])
    assert sds.max() / sds.min() < 1.05


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_it_is_inmoose_s(shifted):
    from inmoose.pycombat import pycombat_norm

    embeddings, batches = shifted
    named = np.array(["week1", "week2", "week3"], object)[batches]
    expected = np.asarray(pycombat_norm(embeddings.T, batches)).T
    np.testing.assert_allclose(combat(embeddings, named), expected, rtol=1e-9, atol=1e-9)


def test_constant_features_stay_and_harm_no_other(shifted, caplog):
    embeddings, batches = shifted
    constant, half = np.full((120, 1), 0.1), np.where(batches == 1, 0.0, embeddings[:, 0])[:, None]
    corrected = combat(np.concatenate([embeddings, constant, half], axis=1), batches)
    np.testing.assert_array_equal(corrected[:, 30:], np.concatenate([constant, half], axis=1))
    np.testing.assert_allclose(corrected[:, :30], combat(embeddings, batches))
    assert "leaves 1 features as they are" in caplog.text


def test_a_batch_of_one_is_named_and_one_batch_is_left_alone(shifted):
    embeddings, _ = shifted
    np.testing.assert_array_equal(combat(embeddings, np.zeros(120)), embeddings)
    with pytest.raises(DataError, match="batch week9: one image"):
        combat(embeddings, np.array(["week1"] * 119 + ["week9"]))
    with pytest.raises(DataError, match="1 features vary"):
        combat(embeddings[:, :1], shifted[1])


def test_it_prints_nothing_and_leaves_warnings_alone(shifted, capfd):
    import warnings

    before = warnings.showwarning
    combat(*shifted)
    assert capfd.readouterr() == ("", "")
    assert warnings.showwarning is before
