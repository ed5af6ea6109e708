from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from debatch.evaluate.grit import grit
from debatch.evaluate.kbet import kbet
from debatch.evaluate.neighbors import knn_predict
from debatch.evaluate.shapley import shapley_values

generator = np.random.default_rng(42)
POINTS = generator.normal(size=(100, 10))
BATCHES = np.random.default_rng(43).integers(0, 4, 100)


def test_kbet_of_scib_metrics():
    """scib-metrics 0.5.10 on the same points."""
    assert kbet(POINTS, BATCHES, 30, include_self=True) == 1.0
    assert kbet(POINTS, BATCHES, 29) == pytest.approx(0.99)  # of the same 30, itself left out
    shifted = POINTS + 3 * (BATCHES == 0)[:, None]
    assert kbet(shifted, BATCHES, 30, include_self=True) == 0.0


def test_kbet_by_hand():
    """Two batches of equal size, k = 10: 8 to 2 gives 3.6 (accepted), 9 to 1 gives 6.4 (rejected)."""
    line = np.array([0.0] * 10 + [100.0] * 10)[:, None]
    for ones, expected in ((8, 1.0), (9, 0.0)):
        batches = np.array([1] * ones + [0] * (10 - ones) + [0] * ones + [1] * (10 - ones))
        assert kbet(line, batches, 10, include_self=True) == expected


def test_kbet_with_copies_of_a_point_leaves_itself_out():
    assert kbet(np.zeros((20, 2)), np.arange(20) % 2, 10) == pytest.approx(1.0)


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_kbet_does_not_change_under_rotation_and_order(seed):
    draw = np.random.default_rng(seed)
    rotation = np.linalg.qr(draw.normal(size=(10, 10)))[0]
    order = draw.permutation(100)
    assert kbet((POINTS @ rotation)[order], BATCHES[order], 30) == kbet(POINTS, BATCHES, 30)


def test_kbet_that_cannot_be():
    assert np.isnan(kbet(POINTS, np.zeros(100), 10))
    with pytest.raises(ValueError, match="k = 100 needs 1 <= k <= 99"):
        kbet(POINTS, BATCHES, 100)


def test_grit_of_cytominer_eval():
    """cytominer-eval 0.1 on a made-up table of 12 profiles."""
    i = np.arange(72)
    profiles = (np.sin(0.7 * i + 0.2) + 0.1 * np.cos(1.3 * i)).reshape(12, 6)
    groups = np.array(["ctrl"] * 4 + ["A"] * 3 + ["B"] * 3 + ["Z", "ctrl"])
    scores = grit(profiles, groups, groups == "ctrl")
    expected = [-0.387125, -0.943259, -1.073445, -0.433317, -0.929849, -1.044923, np.nan]
    np.testing.assert_allclose(scores[4:11], expected, atol=1e-5)


def test_grit_without_controls_or_with_a_constant_profile_is_not_a_number():
    profiles = np.random.default_rng(0).normal(size=(6, 5))
    groups = np.array(list("aabbcc"))
    assert np.isnan(grit(profiles, groups, np.zeros(6, bool))).all()
    profiles[0] = 1
    assert np.isnan(grit(profiles, groups, groups == "c")[:2]).all()


def test_shapley_of_the_glove_game():
    """Two left gloves and a right one: a pair is worth 1."""
    players = ["left 1", "left 2", "right"]
    value = {
        frozenset(chosen): float("right" in chosen and len(chosen) > 1)
        for size in range(4)
        for chosen in combinations(players, size)
    }
    assert shapley_values(value) == pytest.approx({"left 1": 1 / 6, "left 2": 1 / 6, "right": 2 / 3})
    del value[frozenset(["right"])]
    with pytest.raises(ValueError, match=r"no value for 1 of 8 subsets, as \{right\}"):
        shapley_values(value)


@given(st.lists(st.floats(-10, 10), min_size=16, max_size=16))
def test_shapley_values_sum_to_the_whole_less_nothing(values):
    subsets = [frozenset(chosen) for size in range(5) for chosen in combinations("abcd", size)]
    value = dict(zip(subsets, values, strict=True))
    found = shapley_values(value)
    assert sum(found.values()) == pytest.approx(value[frozenset("abcd")] - value[frozenset()], abs=1e-9)


def test_knn_is_sklearns_with_the_same_weights():
    labels = BATCHES[:60]
    model = KNeighborsClassifier(10, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.1))
    expected = model.fit(POINTS[:60], labels).predict(POINTS[60:])
    np.testing.assert_array_equal(knn_predict(POINTS[:60], labels, POINTS[60:]), expected)
