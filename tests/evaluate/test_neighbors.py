import numpy as np
import pytest

from debatch.evaluate.neighbors import knn_predict


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
