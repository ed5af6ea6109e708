import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debatch.correct.mnn import _averaged, _merge, _mutual_neighbors, mnn
from debatch.evaluate.batch_effect.kbet import kbet


def _directions(generator, count, width=20):
    """Clusters on the first directions of embeddings of about one length, and what batch they are in."""
    clusters, batches = np.arange(count) % 3, generator.integers(0, 2, count)
    embeddings = np.zeros((count, width))
    embeddings[:, :3] = 10 * np.eye(3)[clusters]
    return embeddings + generator.normal(0, 0.5, embeddings.shape), batches, clusters


def test_a_shift_across_biology_is_gone_and_biology_is_not():
    generator = np.random.default_rng(0)
    embeddings, batches, clusters = _directions(generator, 400)
    shifted = embeddings.copy()
    shifted[:, 10] += 4.0 * batches
    corrected = mnn(shifted, batches, components=10)
    assert kbet(shifted, batches, k=20) < 0.1
    assert kbet(corrected, batches, k=20) > 0.85
    centers = np.array([[corrected[(clusters == c) & (batches == b)].mean(axis=0) for c in range(3)] for b in range(2)])
    between = np.linalg.norm(centers[0, 0] - centers[0, 1])
    assert np.linalg.norm(centers[0] - centers[1], axis=1).max() < 0.05 * between
    assert between > 1  # of directions at right angles on the unit sphere: the square root of 2, less the shift's share


def test_a_cluster_of_one_batch_alone_keeps_its_place():
    """What mutual neighbours are for: the means of the batches differ by biology, and that is left alone."""
    generator = np.random.default_rng(0)
    embeddings, batches, clusters = _directions(generator, 600)
    kept = (batches == 0) | (clusters != 2)
    embeddings[:, 10] += 4.0 * batches
    corrected = mnn(embeddings[kept], batches[kept], components=10)
    clusters, batches = clusters[kept], batches[kept]
    for cluster in (0, 1):
        of = [corrected[(clusters == cluster) & (batches == batch)].mean(axis=0) for batch in (0, 1)]
        assert np.linalg.norm(of[0] - of[1]) < 0.1
    alone = corrected[clusters == 2].mean(axis=0)
    assert min(np.linalg.norm(alone - corrected[clusters == cluster].mean(axis=0)) for cluster in (0, 1)) > 1


def test_batches_are_merged_by_size_and_then_by_name():
    generator = np.random.default_rng(1)
    embeddings, _, _ = _directions(generator, 120)
    batches = np.array(["a"] * 30 + ["b"] * 60 + ["c"] * 30)
    corrected = mnn(embeddings, batches, components=8, neighbors=5)
    order = generator.permutation(120)
    np.testing.assert_allclose(mnn(embeddings[order], batches[order], 8, 5), corrected[order], atol=1e-9)


def test_a_merge_flattens_along_its_own_direction_and_earlier_ones():
    generator = np.random.default_rng(0)
    batches = [_directions(generator, 90)[0] + shift * np.eye(20)[axis] for shift, axis in ((0, 0), (20, 8), (20, 9))]
    directions = []
    reference, second = _merge(batches[0], batches[1], directions, 10)
    assert np.ptp(reference @ directions[0]) == pytest.approx(0, abs=1e-9)
    _, third = _merge(np.concatenate([reference, second]), batches[2], directions, 10)
    assert len(directions) == 2
    assert np.std(third @ directions[0]) < 0.3 * np.std(batches[2] @ directions[0])


def test_pairs_by_hand():
    reference, target = np.array([[0.0], [1.0], [10.0]]), np.array([[0.4], [9.0], [30.0]])
    of_reference, of_target = _mutual_neighbors(reference, target, 1)
    assert list(zip(of_reference, of_target, strict=True)) == [(0, 0), (2, 1)]


def test_weights_by_hand():
    """Distances 1, 2 and 8 to the paired: a reach of 6, so (1 - 1/216)^3, (1 - 1/27)^3 and none."""
    paired = np.array([0, 1, 2])
    target = np.array([[1.0], [-2.0], [8.0], [0.0]])
    found = _averaged(target, paired, np.array([[1.0], [2.0], [50.0]]), 3)
    first, second = (1 - 1 / 216) ** 3, (1 - 1 / 27) ** 3
    assert found[3, 0] == pytest.approx((first + 2 * second) / (first + second))


@given(st.integers(0, 50))
def test_copies_zeros_and_small_batches_do_not_fail(seed):
    generator = np.random.default_rng(seed)
    embeddings, batches = generator.integers(-1, 2, (30, 4)).astype(np.float32), generator.integers(0, 4, 30)
    embeddings[0] = 0
    assert np.isfinite(mnn(embeddings, batches)).all()


def test_one_batch_is_only_projected():
    embeddings = np.random.default_rng(0).normal(size=(40, 6))
    corrected = mnn(embeddings, np.zeros(40))
    scaled = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(
        corrected @ corrected.T, (scaled - scaled.mean(0)) @ (scaled - scaled.mean(0)).T, atol=1e-9
    )
