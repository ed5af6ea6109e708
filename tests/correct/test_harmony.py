import numpy as np

from debatch.correct.components import principal_components
from debatch.correct.harmony import harmony
from debatch.evaluate.batch_effect.kbet import kbet


def _clusters(generator, count=600):
    """Four clusters in two batches that lie a shift apart."""
    batches, clusters = np.arange(count) % 2, np.arange(count) // 2 % 4
    centers = generator.normal(0, 6, (4, 15))
    embeddings = (
        centers[clusters] + generator.normal(size=(count, 15)) + 3 * batches[:, None] * generator.normal(size=15)
    )
    return embeddings, batches, clusters


def test_batches_mix_and_clusters_stay_apart():
    embeddings, batches, clusters = _clusters(np.random.default_rng(0))
    corrected = harmony(embeddings, batches, components=10)
    assert corrected.shape == (600, 10)
    assert kbet(embeddings, batches, k=20) < 0.1
    assert kbet(corrected, batches, k=20) > 0.7
    centers = np.array([corrected[clusters == cluster].mean(axis=0) for cluster in range(4)])
    nearest = np.linalg.norm(corrected[:, None] - centers, axis=2).argmin(axis=1)
    assert (nearest == clusters).mean() > 0.99


def test_the_seed_decides_and_the_names_of_batches_do_not(capfd):
    embeddings, batches, _ = _clusters(np.random.default_rng(1), 200)
    first = harmony(embeddings, batches, seed=1)
    np.testing.assert_array_equal(harmony(embeddings, batches, seed=1), first)
    np.testing.assert_array_equal(harmony(embeddings, np.array(["a", "b"], object)[batches], seed=1), first)
    assert not np.array_equal(harmony(embeddings, batches, seed=2), first)
    assert capfd.readouterr() == ("", "")


def test_one_batch_comes_back_as_its_components_and_few_rows_do_not_fail():
    generator = np.random.default_rng(0)
    embeddings = generator.normal(size=(50, 8))
    expected = principal_components(embeddings, 5).scores(embeddings)
    np.testing.assert_array_equal(harmony(embeddings, np.zeros(50), components=5), expected)
    assert np.isfinite(harmony(embeddings[:6], np.arange(6) % 2)).all()
