import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, wasserstein_distance

from debatch.evaluate.replicates import cosine
from debatch.evaluate.replicates.cosine import (
    BINS,
    KINDS,
    cosine_similarity_distributions,
    kolmogorov_smirnov,
    wasserstein,
)


def made_up(n, seed=0, width=6, non_negative=False):
    generator = np.random.default_rng(seed)
    embeddings = generator.normal(size=(n, width)).astype(np.float32)
    perturbations, batches, cell_types = (generator.integers(0, k, n) for k in (4, 3, 2))
    batches = batches + 10 * cell_types  # a batch has one cell type
    wells = np.array(
        [f"{b}/{p}/{w}" for b, p, w in zip(batches, perturbations, generator.integers(0, 2, n), strict=True)]
    )
    return np.abs(embeddings) if non_negative else embeddings, perturbations, batches, cell_types, wells


def brute_force(embeddings, perturbations, batches, cell_types, wells, with_wells):
    values = {kind: [] for kind in KINDS}
    pairs = list(itertools.combinations(range(len(wells)), 2))
    repeated = {
        (cell_types[a], perturbations[a])
        for a, b in pairs
        if (cell_types[a], perturbations[a], batches[a]) == (cell_types[b], perturbations[b], batches[b])
        and wells[a] != wells[b]
    }
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    for a, b in pairs:
        alone = len(set(batches[cell_types == cell_types[a]])) == 1
        if cell_types[a] != cell_types[b] or alone or not (with_wells or wells[a] != wells[b]):
            continue
        same = "same" if perturbations[a] == perturbations[b] else "different"
        if with_wells or same == "different" or (cell_types[a], perturbations[a]) in repeated:
            values[f"{same}_{'within' if batches[a] == batches[b] else 'across'}"].append(float(unit[a] @ unit[b]))
    return values


@settings(max_examples=15)
@given(n=st.integers(2, 40), seed=st.integers(0, 100), block=st.integers(1, 9))
def test_every_pair_of_a_cell_type_counts_once_in_its_kind(n, seed, block):
    data = made_up(n, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cosine, "_BLOCK", block)
        found = cosine_similarity_distributions(*data)
    for histograms, with_wells in ((found.histograms(), True), (found.histograms(one_well=False), False)):
        expected = brute_force(*data, with_wells)
        for kind in KINDS:
            assert histograms[kind].sum() == len(expected[kind])
            middle = (np.arange(BINS) + 0.5) * 2 / BINS - 1
            drawn = np.repeat(middle, histograms[kind])
            np.testing.assert_allclose(drawn, np.sort(expected[kind]), atol=2 / BINS)


def test_distances_are_scipys():
    data = made_up(120, non_negative=True)
    found = cosine_similarity_distributions(*data).histograms()
    expected = brute_force(*data, True)
    for first, second in (("same_within", "same_across"), ("different_within", "different_across")):
        a, b = expected[first], expected[second]
        assert kolmogorov_smirnov(found[first], found[second]) == pytest.approx(ks_2samp(a, b).statistic, abs=0.01)
        assert wasserstein(found[first], found[second]) == pytest.approx(wasserstein_distance(a, b), abs=1e-3)


def test_order_and_length_of_embeddings_do_not_matter():
    data = made_up(60)
    order = np.random.default_rng(1).permutation(60)
    first = cosine_similarity_distributions(*data)
    scaled = (data[0] * 7, *data[1:])
    for other in (
        cosine_similarity_distributions(*(part[order] for part in data)),
        cosine_similarity_distributions(*scaled),
    ):
        for kind in KINDS:
            # a value on the edge of a bin may fall to either side
            assert np.abs(np.cumsum(first.histograms()[kind]) - np.cumsum(other.histograms()[kind])).max() <= 1


def test_embedding_without_a_direction_is_left_out_and_counted():
    data = made_up(30)
    embeddings = data[0].copy()
    embeddings[3] = 0
    embeddings[4, 1] = np.nan
    found = cosine_similarity_distributions(embeddings, *data[1:])
    kept = np.delete(np.arange(30), [3, 4])
    expected = cosine_similarity_distributions(*(part[kept] for part in data))
    assert found.left_out == 2
    for kind in KINDS:
        np.testing.assert_array_equal(found.histograms()[kind], expected.histograms()[kind])


def test_equal_and_opposite_embeddings_are_at_the_ends():
    embeddings = np.array([[1.0, 2.0], [1.0, 2.0], [-1.0, -2.0], [2.0, -1.0]])
    batches = np.array([0, 0, 0, 1])
    found = cosine_similarity_distributions(embeddings, np.zeros(4), batches, np.zeros(4), np.arange(4))
    assert found.histograms()["same_within"][-1] == 1
    assert found.histograms()["same_within"][0] == 2
    assert found.histograms()["same_across"].sum() == 3


def test_kind_without_a_pair_has_no_distance():
    found = cosine_similarity_distributions(
        np.eye(3), np.arange(3), np.zeros(3), np.zeros(3), np.arange(3)
    ).histograms()
    assert np.isnan(kolmogorov_smirnov(found["same_within"], found["same_across"]))
    assert np.isnan(wasserstein(found["same_within"], found["same_across"]))


def test_planted_batch_shift_shows_between_within_and_across():
    generator = np.random.default_rng(0)
    n = 400
    perturbations, batches = generator.integers(0, 5, n), generator.integers(0, 4, n)
    centres, shifts = generator.normal(size=(5, 16)), generator.normal(size=(4, 16))
    noise = 0.3 * generator.normal(size=(n, 16))
    distances = []
    for strength in (0.0, 1.0):
        embeddings = centres[perturbations] + strength * shifts[batches] + noise
        found = cosine_similarity_distributions(
            embeddings, perturbations, batches, np.zeros(n), np.arange(n)
        ).histograms()
        distances.append(kolmogorov_smirnov(found["same_within"], found["same_across"]))
    assert distances[0] < 0.1
    assert distances[1] > 0.5


def test_interval_holds_the_measure_and_narrows_with_more_batches():
    widths = []
    for batches in (6, 24):
        generator = np.random.default_rng(0)
        batch = np.repeat(np.arange(batches), 40)
        perturbation = np.tile(np.arange(40) % 5, batches)
        centres, shifts = generator.normal(size=(5, 16)), 0.7 * generator.normal(size=(batches, 16))
        embeddings = centres[perturbation] + shifts[batch] + 0.3 * generator.normal(size=(len(batch), 16))
        found = cosine_similarity_distributions(embeddings, perturbation, batch, 0 * batch, np.arange(len(batch)))
        kinds = found.histograms()
        low, high, is_interval, *_ = found.spread("ks", "same")
        assert is_interval
        assert low < kolmogorov_smirnov(kinds["same_within"], kinds["same_across"]) < high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_few_batches_give_their_smallest_and_largest_by_hand():
    """Within batch 0 the cosine is 1, within batch 1 it is 0, and between them it is 1 or 0."""
    embeddings = np.array([[1.0, 0], [1.0, 0], [1.0, 0], [0, 1.0]])
    found = cosine_similarity_distributions(embeddings, np.zeros(4), np.array([0, 0, 1, 1]), np.zeros(4), np.arange(4))
    # over both, pairs within and across are alike: the range holds that too
    assert found.spread("ks", "same")[:3] == pytest.approx((0, 0.5, False))
    assert np.isnan(found.spread("ks", "different")[:2]).all()


def test_a_batch_of_another_cell_type_is_not_drawn_for_this_one():
    """Two cell types far apart in what batches do: their mix is the same in every draw."""
    generator = np.random.default_rng(0)
    batch = np.repeat(np.arange(8), 40)
    kind, perturbation = batch // 4, np.tile(np.arange(40) % 5, 8)
    shifts = np.where(np.arange(8)[:, None] < 4, 0.1, 2.0) * generator.normal(size=(8, 16))
    embeddings = generator.normal(size=(5, 16))[perturbation] + shifts[batch] + 0.3 * generator.normal(size=(320, 16))
    own = cosine_similarity_distributions(embeddings, perturbation, batch, kind, np.arange(320)).spread("ks", "same")
    assert own.is_interval
    assert own.freedom < 7  # 3 and 3, and not the 7 of eight batches that are all alike


def test_without_pairs_of_one_well_like_is_compared_with_like():
    """No batch effect, but perturbations that differ in how tight they are; most have one well a batch."""
    generator = np.random.default_rng(0)
    places = [
        (batch, label, well) for batch in range(6) for label in range(20) for well in range(4 if label < 4 else 1)
    ]
    batch, label, well = (np.repeat([place[at] for place in places], 2) for at in range(3))
    centres = 3 * generator.normal(size=(20, 16))
    spread = np.where(label < 4, 0.2, 2.0)[:, None]
    embeddings = centres[label] + spread * generator.normal(size=(len(label), 16))
    wells = np.array([f"{b}/{p}/{w}" for b, p, w in zip(batch, label, well, strict=True)])
    found = cosine_similarity_distributions(embeddings, label, batch, 0 * batch, wells)
    others = found.histograms(one_well=False)
    assert kolmogorov_smirnov(others["same_within"], others["same_across"]) < 0.1
    everything = found.histograms()
    tight, loose = (np.arange(20) < 4).sum() * 6 * 28, 16 * 6  # pairs within a batch
    assert everything["same_within"].sum() == tight + loose


def test_cell_type_of_one_batch_is_left_out():
    data = made_up(60)
    lonely = np.where(data[3] == 0, 0, data[2])  # the cell type 0 has one batch
    found = cosine_similarity_distributions(data[0], data[1], lonely, *data[3:])
    kept = data[3] == 1
    expected = cosine_similarity_distributions(*(part[kept] for part in data))
    for kind in KINDS:
        np.testing.assert_array_equal(found.histograms()[kind], expected.histograms()[kind])
