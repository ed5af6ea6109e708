import numpy as np
import pytest

from debatch.evaluate import linear_probe
from debatch.evaluate.batch_effect.linear import linear_probe_log_probabilities


def made_up(n=300, classes=4, width=10, effect=3.0, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    embeddings = effect * np.eye(classes, width)[labels] + generator.normal(size=(n, width))
    return (embeddings * np.logspace(-3, 3, width)).astype(np.float32), labels


def test_probe_reads_what_is_linear_in_whatever_unit():
    embeddings, labels = made_up(600)
    predicted = linear_probe(embeddings[:300], labels[:300], embeddings[300:])
    assert (predicted == labels[300:]).mean() > 0.9
    # a distance from the origin is none
    radius = np.linalg.norm(np.random.default_rng(1).normal(size=(600, 10)), axis=1)
    inside = np.random.default_rng(0).normal(size=(600, 10))
    inside *= (
        np.where(np.arange(600) % 2, 1, 5)[:, None] / np.linalg.norm(inside, axis=1, keepdims=True) * radius[:, None]
    )
    hidden = linear_probe(inside[:300], np.arange(300) % 2, inside[300:])
    assert (hidden == np.arange(300) % 2).mean() == pytest.approx(0.5, abs=0.15)


def test_shuffled_labels_give_chance():
    embeddings, labels = made_up(1000, effect=3.0)
    shuffled = np.random.default_rng(1).permutation(labels)
    predicted = linear_probe(embeddings[:500], shuffled[:500], embeddings[500:])
    assert (predicted == shuffled[500:]).mean() == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize("classes", [2, 4])
def test_log_probabilities_are_of_the_classes_in_their_order_and_always_finite(classes):
    embeddings, labels = made_up(300, classes=classes, effect=200.0)
    names = np.array(["d", "c", "b", "a"])[labels]
    order, found = linear_probe_log_probabilities(embeddings, names, embeddings * 1000)
    assert order.tolist() == sorted(set(names))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-4)
    np.testing.assert_array_equal(linear_probe(embeddings, names, embeddings), names)


def test_probe_says_the_same_twice_and_in_another_order():
    embeddings, labels = made_up(effect=0.5)
    order = np.random.default_rng(0).permutation(300)
    _, first = linear_probe_log_probabilities(embeddings, labels, embeddings)
    _, second = linear_probe_log_probabilities(embeddings, labels, embeddings)
    np.testing.assert_array_equal(first, second)
    _, other = linear_probe_log_probabilities(embeddings[order], labels[order], embeddings)
    np.testing.assert_allclose(other, first, atol=0.01)


def test_feature_that_is_constant_in_train_says_nothing():
    embeddings, labels = made_up()
    flat = np.c_[embeddings, np.full(300, 0.1, np.float32)]
    moved = np.c_[embeddings, np.random.default_rng(0).normal(size=300).astype(np.float32)]
    expected = linear_probe(embeddings, labels, embeddings)
    np.testing.assert_array_equal(linear_probe(flat, labels, moved), expected)
    assert set(linear_probe(np.ones((6, 2)), np.arange(6) // 4, embeddings[:, :2])) == {0}


def test_one_class_is_what_it_predicts():
    embeddings, _ = made_up(20)
    assert linear_probe(embeddings, np.full(20, "a"), embeddings[:3]).tolist() == ["a"] * 3
    assert linear_probe(embeddings, np.arange(20) % 2, embeddings[:0]).shape == (0,)


def test_bad_embeddings_are_refused():
    embeddings, labels = made_up(20)
    with pytest.raises(ValueError, match="20 train embeddings, but 19 labels"):
        linear_probe(embeddings, labels[1:], embeddings)
    with pytest.raises(ValueError, match="train has 10 features and test 9"):
        linear_probe(embeddings, labels, embeddings[:, 1:])
    with pytest.raises(ValueError, match="nothing to be fitted on"):
        linear_probe(embeddings[:0], labels[:0], embeddings)
    bad = np.where(np.arange(20)[:, None] < 2, np.nan, embeddings)
    for train, test in ((bad, embeddings), (embeddings, bad)):
        with pytest.raises(ValueError, match=r"2 of 20 t[a-z]+ embeddings have a value that is NaN or infinite"):
            linear_probe(train, labels, test)
