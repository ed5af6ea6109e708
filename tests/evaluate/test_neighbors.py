import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from debatch.evaluate import neighbors, vectors
from debatch.evaluate.neighbors import as_it_is, knn_predict, nearest, nearest_neighbor_accuracy


def test_vote_by_hand():
    """Cosines of the query to the bank: 1, 0.6 and 0.6."""
    bank = np.array([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8], [-1.0, 0.0]])
    labels = np.array([0, 1, 1, 2])
    query = np.array([[2.0, 0.0]])
    # exp(1 / 0.1) outweighs two exp(0.6 / 0.1); at a high temperature the two win
    assert knn_predict(bank, labels, query, k=3, temperature=0.1).tolist() == [0]
    assert knn_predict(bank, labels, query, k=3, temperature=10).tolist() == [1]
    assert knn_predict(bank, labels, query, k=1).tolist() == [0]


def test_bank_smaller_than_k_and_a_very_low_temperature():
    bank = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert knn_predict(bank, np.array(["a", "b"]), bank, k=10, temperature=1e-4).tolist() == ["a", "b"]


def test_shuffled_labels_give_chance():
    generator = np.random.default_rng(0)
    bank, labels = generator.normal(size=(400, 8)), generator.integers(0, 4, 400)
    accuracy = (knn_predict(bank[:200], labels[:200], bank[200:]) == labels[200:]).mean()
    assert accuracy == pytest.approx(0.25, abs=0.1)


def test_nearest_neighbour_by_hand():
    """Angles of 0, 10, 25 and 90 degrees: the first two are each other's nearest."""
    angles = np.radians([0, 10, 25, 90])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [5], [2], [1]]
    labels = np.array(["a", "a", "b", "b"])
    assert nearest_neighbor_accuracy(embeddings, labels) == 3 / 4
    # the second may not be the first's any more: then that is the third
    assert nearest_neighbor_accuracy(embeddings, labels, np.array(["x", "x", "y", "z"])) == 1 / 4
    both = np.array([["x", "1"], ["x", "1"], ["y", "2"], ["z", "2"]])
    assert nearest_neighbor_accuracy(embeddings, labels, both) == 0
    assert np.isnan(nearest_neighbor_accuracy(embeddings, labels, np.zeros(4)))


def test_nearest_neighbour_is_the_same_in_blocks(monkeypatch):
    generator = np.random.default_rng(0)
    embeddings, labels, compounds = generator.normal(size=(50, 5)), generator.integers(0, 3, 50), np.arange(50) // 4
    whole = nearest_neighbor_accuracy(embeddings, labels, compounds)
    monkeypatch.setattr(vectors, "_BLOCK", 7)
    assert nearest_neighbor_accuracy(embeddings, labels, compounds) == whole


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 60), block=st.integers(1, 40), every=st.integers(1, 16))
def test_nearest_are_those_of_a_full_stable_sort(seed, k, block, every):
    """Few values, so that many scores are equal; samples so small that they mislead."""
    generator = np.random.default_rng(seed)
    queries, bank = (generator.integers(-2, 3, (n, 3)).astype(float) for n in (30, 60 + generator.integers(400)))
    scores = queries @ bank.T
    barred = [generator.choice(len(bank), 5, replace=False) for _ in queries]
    for row, places in enumerate(barred):
        scores[row, places] = -np.inf
    k = min(k, len(bank) - 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "_BLOCK", block)
        patch.setattr(neighbors, "_SAMPLE_EVERY", every)
        found = [(rows, values) for _, rows, values in nearest(as_it_is, queries, bank, k, lambda at: [barred[at]])]
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in found]), expected)
    values = np.concatenate([values for _, values in found])
    np.testing.assert_array_equal(values, np.take_along_axis(scores, expected, axis=1))


def test_a_misleading_sample_costs_time_and_nothing_else():
    """All of the sample's values are far above those of the rest."""
    sample, rank = neighbors._sample(2000, 150)
    scores = np.random.default_rng(0).random((1, 2000))
    scores[0, sample] += 10
    assert rank
    [(_, found, _)] = nearest(as_it_is, np.ones((1, 1)), np.zeros((2000, 1)), 150, offset=scores[0])
    np.testing.assert_array_equal(found[0], np.argsort(-scores[0], kind="stable")[:150])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_vote_over_blocks_is_scikit_learns(kind):
    generator = np.random.default_rng(0)
    bank, queries = (generator.normal(size=(n, 20)).astype(kind) for n in (3000, 1100))
    labels = generator.integers(0, 300, 3000)
    model = KNeighborsClassifier(10, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.1))
    expected = model.fit(bank.astype(float), labels).predict(queries.astype(float))
    np.testing.assert_array_equal(knn_predict(bank, labels, queries), expected)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_neighbours_do_not_change_under_rotation_length_and_order(seed):
    generator = np.random.default_rng(seed)
    embeddings, labels, compounds = generator.normal(size=(60, 6)), generator.integers(0, 4, 60), np.arange(60) // 5
    rotation = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    order, scales = generator.permutation(60), generator.uniform(0.01, 100, (60, 1))
    changed = (embeddings @ rotation * scales)[order]
    expected = knn_predict(embeddings, labels, embeddings[:20] + 0.1)
    queries = (embeddings[:20] + 0.1) @ rotation
    np.testing.assert_array_equal(knn_predict(changed, labels[order], queries), expected)
    accuracy = nearest_neighbor_accuracy(changed, labels[order], compounds[order])
    assert accuracy == nearest_neighbor_accuracy(embeddings, labels, compounds)


def test_a_copy_of_each_embedding_is_its_nearest_neighbour_until_it_is_barred():
    generator = np.random.default_rng(0)
    embeddings, labels = np.tile(generator.normal(size=(50, 5)), (2, 1)), np.tile(generator.integers(0, 5, 50), 2)
    assert nearest_neighbor_accuracy(embeddings, labels) == 1
    once = nearest_neighbor_accuracy(embeddings[:50], labels[:50])
    assert nearest_neighbor_accuracy(embeddings, labels, np.tile(np.arange(50), 2)) == once


def test_very_long_and_very_short_embeddings_have_a_direction():
    bank = np.array([[1e30, 0], [0, 1e-30]], np.float32)
    queries = np.array([[1e-30, 0], [0, 1e30]], np.float32)
    assert knn_predict(bank, np.array([3, 4]), queries, k=1).tolist() == [3, 4]


def test_what_is_all_zero_is_nobodys_neighbour_and_never_right():
    bank = np.array([[0.0, 0], [1, 0], [-1, 0], [-1, 0.1]])
    labels = np.array(["nothing", "right", "left", "left"])
    queries = np.array([[0.0, 0], [0, -1], [1, 1]])
    assert knn_predict(bank, labels, queries, k=1).tolist() == ["left", "right", "right"]
    with pytest.raises(ValueError, match="none of the 2 embeddings of the bank has a direction"):
        knn_predict(np.zeros((2, 2)), labels[:2], queries)
    # the two zeros are wrong, the others right
    embeddings = np.array([[0.0, 0], [0, 0], [1, 0], [1, 0.1]])
    assert nearest_neighbor_accuracy(embeddings, np.zeros(4)) == 1 / 2
    assert nearest_neighbor_accuracy(np.zeros((4, 2)), np.zeros(4), np.arange(4)) != 1


def test_bad_embeddings_are_refused_with_what_is_wrong():
    good, bad = np.ones((4, 2)), np.ones((4, 2))
    bad[[1, 3], 0] = [np.nan, np.inf]
    for call, message in (
        (lambda: knn_predict(bad, np.arange(4), good), "2 of 4 bank embeddings have a value"),
        (lambda: knn_predict(good, np.arange(4), bad), "2 of 4 queries have a value"),
        (lambda: knn_predict(good, np.arange(3), good), "4 bank embeddings, but 3 labels"),
        (lambda: knn_predict(good, np.arange(4), np.ones((4, 3))), "the bank has 2 features and the queries 3"),
        (lambda: knn_predict(good, np.arange(4), good, k=0), "k of at least 1"),
        (lambda: nearest_neighbor_accuracy(bad, np.arange(4)), "2 of 4 embeddings have a value that is NaN or inf"),
        (lambda: nearest_neighbor_accuracy(good, np.arange(3)), "4 embeddings, but 3 labels"),
        (lambda: nearest_neighbor_accuracy(good, np.arange(4), np.ones((3, 2))), "4 embeddings, but 3 exclude"),
        (lambda: nearest_neighbor_accuracy(good[0], np.arange(2)), "not the shape"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
