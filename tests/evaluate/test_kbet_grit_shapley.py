from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from debatch.evaluate import grit, kbet, knn_predict, shapley_values, vectors
from debatch.evaluate.batch_effect.kbet import kbet_statistic

generator = np.random.default_rng(42)
POINTS = generator.normal(size=(100, 10))
BATCHES = np.random.default_rng(43).integers(0, 4, 100)


def test_kbet_of_scib_metrics():
    """scib-metrics 0.5.10 on the same points."""
    assert kbet(POINTS, BATCHES, 30, include_self=True) == 1.0
    assert kbet(POINTS, BATCHES, 29) == pytest.approx(0.99)  # of the same 30, itself left out
    shifted = POINTS + 3 * (BATCHES == 0)[:, None]
    assert kbet(shifted, BATCHES, 30, include_self=True) == 0.0


def test_kbet_statistics_of_scib_metrics():
    statistic = kbet_statistic(POINTS, BATCHES, 30, include_self=True)
    assert statistic.mean() == pytest.approx(2.139144, abs=1e-5)
    assert chi2.sf(statistic, 3).mean() == pytest.approx(0.597709, abs=1e-5)
    assert kbet_statistic(POINTS, BATCHES, 29).mean() == pytest.approx(2.157779, abs=1e-5)


def test_kbet_by_hand():
    """Two batches of equal size, k = 10: 8 to 2 gives 3.6 (accepted), 9 to 1 gives 6.4 (rejected)."""
    line = np.array([0.0] * 10 + [100.0] * 10)[:, None]
    for ones, expected in ((8, 1.0), (9, 0.0)):
        batches = np.array([1] * ones + [0] * (10 - ones) + [0] * ones + [1] * (10 - ones))
        assert kbet(line, batches, 10, include_self=True) == expected
        statistic = kbet_statistic(line, batches, 10, include_self=True)
        assert statistic == pytest.approx(np.full(20, {8: 3.6, 9: 6.4}[ones]))
        assert kbet(line, batches, 10, {8: 0.0577795, 9: 0.0114121}[ones], include_self=True) == expected


def test_kbet_with_copies_of_a_point_leaves_itself_out():
    assert kbet(np.zeros((20, 2)), np.arange(20) % 2, 10) == pytest.approx(1.0)


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_kbet_does_not_change_under_rotation_and_order(seed):
    draw = np.random.default_rng(seed)
    rotation = np.linalg.qr(draw.normal(size=(10, 10)))[0]
    order = draw.permutation(100)
    assert kbet((POINTS @ rotation)[order], BATCHES[order], 30) == kbet(POINTS, BATCHES, 30)


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), k=st.integers(1, 60), include_self=st.booleans(), block=st.integers(1, 50))
def test_kbet_is_that_of_a_neighbour_search_in_blocks_of_any_size(seed, k, include_self, block):
    draw = np.random.default_rng(seed)
    points, batches = draw.normal(size=(400, 5)), draw.integers(0, 3, 400)
    points += 0.5 * draw.normal(size=(3, 5))[batches] + 100
    found = NearestNeighbors(n_neighbors=k).fit(points)
    places = (
        found.kneighbors(points, return_distance=False) if include_self else found.kneighbors(return_distance=False)
    )
    counts = np.stack([(batches[places] == batch).sum(axis=1) for batch in range(3)], axis=1)
    expected = k * np.bincount(batches) / 400
    p = chi2.sf(((counts - expected) ** 2 / expected).sum(axis=1), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "_BLOCK", block)
        assert kbet(points, batches, k, include_self=include_self) == pytest.approx((p >= 0.05).mean())


def test_kbet_far_from_the_origin_and_in_any_unit_is_the_same():
    """|a|^2 + |b|^2 - 2ab of such values in float32 is noise."""
    expected = kbet(POINTS, BATCHES, 30)
    for points in (POINTS + 4096, POINTS * 1e25, POINTS * 1e-25):
        assert kbet(points.astype(np.float32), BATCHES, 30) == pytest.approx(expected, abs=0.02)


def test_kbet_of_shuffled_batches_is_what_the_test_allows():
    draw = np.random.default_rng(0)
    points, batches = draw.normal(size=(3000, 5)), draw.integers(0, 4, 3000)
    assert kbet(points, batches, 60) == pytest.approx(0.95, abs=0.03)


def test_kbet_with_itself_is_first_among_its_copies():
    assert kbet(np.zeros((20, 2)), np.repeat([0, 1], 10), 1, alpha=0.9, include_self=True) == 0
    # a feature that is constant says nothing
    flat = np.c_[POINTS, np.full(100, 7.0)]
    assert kbet(flat, BATCHES, 30) == kbet(POINTS, BATCHES, 30)


def test_kbet_that_cannot_be():
    assert np.isnan(kbet(POINTS, np.zeros(100), 10))
    with pytest.raises(ValueError, match="k = 100 needs 1 <= k <= 99"):
        kbet(POINTS, BATCHES, 100)
    with pytest.raises(ValueError, match="100 embeddings, but 99 batches"):
        kbet(POINTS, BATCHES[1:], 10)
    with pytest.raises(ValueError, match="1 of 100 embeddings have a value that is NaN or infinite"):
        kbet(np.where(np.arange(100)[:, None] == 3, np.nan, POINTS), BATCHES, 10)


def test_grit_of_cytominer_eval():
    """cytominer-eval 0.1 on a made-up table of 12 profiles."""
    i = np.arange(72)
    profiles = (np.sin(0.7 * i + 0.2) + 0.1 * np.cos(1.3 * i)).reshape(12, 6)
    groups = np.array(["ctrl"] * 4 + ["A"] * 3 + ["B"] * 3 + ["Z", "ctrl"])
    scores = grit(profiles, groups, groups == "ctrl")
    expected = [-0.387125, -0.943259, -1.073445, -0.433317, -0.929849, -1.044923, np.nan]
    np.testing.assert_allclose(scores[4:11], expected, atol=1e-5)


def grit_by_hand(profiles, groups, controls):
    similar = np.corrcoef(profiles)
    scores = np.full(len(profiles), np.nan)
    for at in range(len(profiles)):
        others = np.arange(len(profiles)) != at
        replicates, reference = similar[at, others & (groups == groups[at])], similar[at, others & controls]
        if len(replicates) and len(reference) > 1:
            scores[at] = ((replicates - reference.mean()) / reference.std()).mean()
    return scores


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), far=st.sampled_from([0, 1, 1000]), block=st.integers(1, 9))
def test_grit_is_that_of_a_loop_in_blocks_of_any_size(seed, far, block):
    """Far: what all profiles share is far larger than what they differ in, so that all are alike."""
    draw = np.random.default_rng(seed)
    profiles = draw.normal(size=(40, 6)) + far * draw.normal(size=6)
    groups, controls = draw.integers(0, 12, 40), draw.random(40) < draw.choice([0.1, 0.5])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "_BLOCK", block)
        found = grit(profiles, groups, controls)
    np.testing.assert_allclose(found, grit_by_hand(profiles, groups, controls), rtol=1e-4, atol=1e-5)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_grit_does_not_change_under_order_and_a_profiles_own_scale(seed):
    draw = np.random.default_rng(seed)
    profiles, groups, controls = draw.normal(size=(30, 8)), draw.integers(0, 6, 30), np.arange(30) < 8
    order = draw.permutation(30)
    changed = profiles * draw.uniform(0.1, 10, (30, 1)) + draw.normal(size=(30, 1))
    found = grit(changed[order], groups[order], controls[order])
    np.testing.assert_allclose(found, grit(profiles, groups, controls)[order], atol=1e-9)


def test_grit_of_shuffled_groups_is_0_and_of_close_replicates_large():
    draw = np.random.default_rng(0)
    groups = np.r_[np.zeros(100, int), np.repeat(np.arange(1, 41), 5)]
    profiles = draw.normal(size=(300, 30)) + 2 * draw.normal(size=(41, 30))[groups] * (groups > 0)[:, None]
    assert np.nanmean(grit(profiles, groups, groups == 0)[100:]) > 2
    shuffled = draw.normal(size=(300, 30))
    assert np.nanmean(grit(shuffled, groups, groups == 0)) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_grit_with_controls_that_do_not_differ_is_not_a_number(kind):
    draw = np.random.default_rng(0)
    profiles = draw.normal(size=(10, 50)).astype(kind)
    groups = np.array(list("aaabbbcccc"))
    profiles[6:] = profiles[6]
    assert np.isnan(grit(profiles, groups, groups == "c")).all()
    profiles[6:] += np.finfo(kind).eps * draw.normal(size=(4, 50)).astype(kind)
    assert np.isnan(grit(profiles, groups, groups == "c")).all()
    profiles[6:] = profiles[6]
    profiles[9] = draw.normal(size=50)  # leaving this one out, its own controls do not differ
    assert np.isfinite(grit(profiles, groups, groups == "c")).tolist() == [True] * 9 + [False]
    assert np.isnan(grit(profiles, groups, np.arange(10) == 9)).all()


def test_grit_of_a_profile_that_is_as_similar_to_each_of_the_controls_is_not_a_number():
    draw = np.random.default_rng(0)
    half = draw.normal(size=(5, 30))
    profiles = np.zeros((7, 60))
    profiles[:5, :30] = half - half.mean(axis=1, keepdims=True)
    profiles[5:, 30:] = draw.normal(size=(2, 30))
    profiles[5:] -= profiles[5:].sum(axis=1, keepdims=True) / 30 * (np.arange(60) >= 30)
    scores = grit(profiles, np.array(list("cccccaa")), np.arange(7) < 5)
    assert np.isfinite(scores[:5]).all()
    assert np.isnan(scores[5:]).all()


def test_grit_without_controls_or_with_a_constant_profile_is_not_a_number():
    profiles = np.random.default_rng(0).normal(size=(6, 5))
    groups = np.array(list("aabbcc"))
    assert np.isnan(grit(profiles, groups, np.zeros(6, bool))).all()
    profiles[0] = 1
    assert np.isnan(grit(profiles, groups, groups == "c")[:2]).all()


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_grit_is_the_same_without_a_constant_profile(constant):
    draw = np.random.default_rng(0)
    profiles, groups, controls = draw.normal(size=(20, 5)), np.arange(20) // 5, np.arange(20) < 5
    profiles[[2, 8]] = constant
    kept = np.delete(np.arange(20), [2, 8])
    found = grit(profiles, groups, controls)
    assert np.isnan(found[[2, 8]]).all()
    np.testing.assert_allclose(found[kept], grit(profiles[kept], groups[kept], controls[kept]))


def test_grit_refuses_what_it_cannot_use():
    profiles = np.random.default_rng(0).normal(size=(6, 5))
    with pytest.raises(ValueError, match="6 profiles, but 5 groups"):
        grit(profiles, np.zeros(5), np.ones(6, bool))
    profiles[2, 2] = np.inf
    with pytest.raises(ValueError, match="1 of 6 profiles have a value that is NaN or infinite"):
        grit(profiles, np.zeros(6), np.ones(6, bool))


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
