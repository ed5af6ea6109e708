import numpy as np
import pytest

from debatch.evaluate import neighbors
from debatch.evaluate.neighbors import knn_predict, nearest_neighbor_accuracy


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
    monkeypatch.setattr(neighbors, "_BLOCK", 7)
    assert nearest_neighbor_accuracy(embeddings, labels, compounds) == whole
