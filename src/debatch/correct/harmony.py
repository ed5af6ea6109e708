"""Harmony, by harmonypy, on principal components."""

import os

import numpy as np

from debatch.correct.components import principal_components

_MOST_CLUSTERS, _PER_CLUSTER = 100, 30


def harmony(embeddings: np.ndarray, batches: np.ndarray, components: int = 50, seed: int = 0) -> np.ndarray:
    """Take from principal components what separates batches within soft clusters that each hold all batches.

    Where batches lie so far apart that each cluster holds one of them there is nothing that it could take away: with
    few images, and so few clusters, it may then leave nearly all as it is.

    A function of the seed, and of the order of rows, since its clusters begin with drawn rows: hand rows over in a
    fixed order. One batch alone comes back as its principal components.

    Args:
        embeddings: (N, D).
        batches: (N,).
        components: the most that are kept.
        seed: of the clusters that it begins with.

    Returns:
        (N, C).

    Raises:
        DataError: embeddings that do not differ.

    Source: Korsunsky et al. 2019 (Nat Methods 16:1289). Settings are harmonypy's: a diversity penalty of 2, N / 30
    clusters and 100 at most, 10 iterations; 50 components are what Scanpy and Seurat hand over.
    """
    scores = principal_components(embeddings, components).scores(embeddings)
    names, of = np.unique(batches, return_inverse=True)
    if len(names) < 2:
        return scores
    from harmonypy import run_harmony

    # its own default is 0 clusters below 15 rows, and an error
    clusters = min(max(round(len(scores) / _PER_CLUSTER), 1), _MOST_CLUSTERS)
    result = run_harmony(
        scores,
        {"batch": of},
        "batch",
        nclust=clusters,
        random_state=seed,
        verbose=False,
        ncores=int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0] or 0),  # 0: all; the result is the same
    )
    return np.asarray(result.Z_corr, np.float64)
