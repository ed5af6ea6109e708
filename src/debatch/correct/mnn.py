"""Mutual nearest neighbours, as fastMNN has them."""

import numpy as np

from debatch.correct.components import principal_components

# Neighbours further than this many median distances have no say in a correction: fastMNN's `ndist`.
_REACH = 3.0


def mnn(embeddings: np.ndarray, batches: np.ndarray, components: int = 50, neighbors: int = 20) -> np.ndarray:
    """Merge batches one after another along what parts mutual nearest neighbours.

    The variant is fastMNN (Bioconductor's batchelor), with its defaults:

    1. Embeddings are scaled to length 1 and projected on principal components in which each batch weighs the same.
    2. The largest batch is the reference; the others are merged onto it by falling size, equal ones by name (fastMNN
       leaves the order to its user).
    3. A pair is an image of the reference and one of the batch, each among the `neighbors` nearest of the other. A
       paired image's vector is the mean over its pairs; the mean of these vectors is the batch's direction.
    4. Reference and batch are flattened along that direction, and the batch along those of earlier merges: otherwise
       pairs lie where two clouds face each other, and the clouds touch instead of overlapping.
    5. The vectors are taken anew, and each image of the batch moves by a mean over the `neighbors` nearest paired
       images, with tricube weights that reach zero at three median distances.

    Each merge so takes one direction from all that is merged. With no batch effect that direction is arbitrary, and
    B batches cost B - 1 of the components: what there is of biology along them is lost.

    Args:
        embeddings: (N, D).
        batches: (N,).
        components: the most that are kept.
        neighbors: among which a pair must be mutual, and over which vectors are averaged.

    Returns:
        (N, C). One batch alone comes back as its principal components.

    Raises:
        DataError: embeddings whose directions do not differ.

    Source: Haghverdi et al. 2018 (Nat Biotechnol 36:421); fastMNN, Lun 2018 (marionilab.github.io/FurtherMNN2018). It
    stands in the benchmark of Arevalo et al. 2024 (Nat Commun 15:6516). Own code: mnnpy is unmaintained.
    """
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    scaled = embeddings / np.where(lengths > 0, lengths, 1.0)
    names, of, counts = np.unique(batches, return_inverse=True, return_counts=True)
    corrected = principal_components(scaled, components, 1 / (len(names) * counts[of])).scores(scaled)
    order = np.argsort(-counts, kind="stable")
    merged = np.flatnonzero(of == order[0])
    directions: list[np.ndarray] = []
    for batch in order[1:]:
        own = np.flatnonzero(of == batch)
        corrected[merged], corrected[own] = _merge(corrected[merged], corrected[own], directions, neighbors)
        merged = np.concatenate([merged, own])
    return corrected


def _merge(
    reference: np.ndarray, target: np.ndarray, directions: list[np.ndarray], neighbors: int
) -> tuple[np.ndarray, np.ndarray]:
    """Both, flattened, with the target on the reference; the merge's direction is added to those of earlier ones."""
    for direction in directions:
        target = _flattened(target, direction)
    of_reference, of_target = _mutual_neighbors(reference, target, neighbors)
    _, vectors = _vectors(reference, target, of_reference, of_target)
    direction = vectors.mean(axis=0)
    length = np.linalg.norm(direction)
    if length > 0:
        direction /= length
        directions.append(direction)
        reference, target = _flattened(reference, direction), _flattened(target, direction)
    paired, vectors = _vectors(reference, target, of_reference, of_target)
    return reference, target + _averaged(target, paired, vectors, neighbors)


def _flattened(scores: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """All at their mean along a direction of length 1."""
    along = scores @ direction
    return scores - np.outer(along - along.mean(), direction)


def _nearest(pool: np.ndarray, queries: np.ndarray, neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """(Q, K) distances and places in the pool."""
    # not `evaluate.neighbors`: that ranks by similarity and bars neighbours; here their distances are the weights
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(neighbors, len(pool)), algorithm="brute").fit(pool)
    distances, places = index.kneighbors(queries)
    return distances, places


def _mutual_neighbors(reference: np.ndarray, target: np.ndarray, neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """(P,) and (P,): places of the pairs in the reference and in the target. There is always one, the closest."""
    _, in_reference = _nearest(reference, target, neighbors)
    _, in_target = _nearest(target, reference, neighbors)
    from_target = in_reference * len(target) + np.arange(len(target))[:, None]
    from_reference = np.arange(len(reference))[:, None] * len(target) + in_target
    of_reference, of_target = np.divmod(np.intersect1d(from_target, from_reference), len(target))
    return of_reference, of_target


def _vectors(
    reference: np.ndarray, target: np.ndarray, of_reference: np.ndarray, of_target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(M,) places of the paired in the target, and (M, C) what parts them from their partners, in the mean."""
    paired, at, counts = np.unique(of_target, return_inverse=True, return_counts=True)
    sums = np.zeros((len(paired), target.shape[1]))
    np.add.at(sums, at, reference[of_reference] - target[of_target])
    return paired, sums / counts[:, None]


def _averaged(target: np.ndarray, paired: np.ndarray, vectors: np.ndarray, neighbors: int) -> np.ndarray:
    """(T, C): for each of the target the tricube mean of the vectors of the paired near it."""
    distances, places = _nearest(target[paired], target, neighbors)
    median = distances[:, (distances.shape[1] - 1) // 2][:, None]
    relative = np.divide(distances, _REACH * median, out=np.zeros_like(distances), where=median > 0)
    weights = (1 - relative.clip(max=1) ** 3) ** 3
    # copies of one image at distance 0 leave their other neighbours without a say
    weights[(median[:, 0] == 0)[:, None] & (distances > 0)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("tk,tkc->tc", weights, vectors[places])
