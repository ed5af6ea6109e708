"""Cosine similarities of pairs of embeddings: is a perturbation as alike across batches as within one?"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

BINS = 8192
KINDS = ("same_within", "different_within", "same_across", "different_across")
_BLOCK = 2048


@dataclass(frozen=True)
class CosineDistributions:
    """Of all pairs of one cell type, each pair once.

    Attributes:
        histograms: kind -> (8192,) number of pairs in each bin of [-1, 1]. `same` and `different` perturbation,
            `within` one batch and `across` two.
        without_wells: the same, without the pairs of two images of one well.
        left_out: embeddings without a direction (all zero, or not finite), which have no cosine.
    """

    histograms: dict[str, np.ndarray]
    without_wells: dict[str, np.ndarray]
    left_out: int


def cosine_similarity_distributions(
    embeddings: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, cell_types: np.ndarray, wells: np.ndarray
) -> CosineDistributions:
    """Exact histograms of the cosine similarities of every pair of images of one cell type.

    Args:
        embeddings: (N, D).
        perturbations: (N,) what each was treated with.
        batches: (N,) its batch.
        cell_types: (N,) its cell type; pairs of two cell types are left out.
        wells: (N,) its well, by a name that is unique in the screen.

    Source: RxRx1 paper, section 4.3 and Figure 7.
    """
    lengths = np.sqrt(np.einsum("nd,nd->n", embeddings, embeddings, dtype=np.float64))
    good = np.isfinite(lengths) & (lengths > 0)
    unit = embeddings[good].astype(np.float32, copy=False)
    unit /= lengths[good, None].astype(np.float32)
    names = [np.unique(values[good], return_inverse=True)[1] for values in (perturbations, batches, cell_types, wells)]
    histograms = {kind: np.zeros(BINS, np.int64) for kind in KINDS}
    of_wells = {kind: np.zeros(BINS, np.int64) for kind in KINDS}
    for cell_type in np.unique(names[2]):
        own = np.flatnonzero(names[2] == cell_type)
        own = own[np.argsort(names[1][own], kind="stable")]  # batch after batch, so that a block is of two batches
        perturbation, batch, _, well = (values[own] for values in names)
        vectors = unit[own]
        blocks = _blocks(batch)
        for (first, second), (i, j) in zip(
            combinations_with_replacement(blocks, 2), combinations_with_replacement(range(len(blocks)), 2), strict=True
        ):
            where = "within" if batch[first.start] == batch[second.start] else "across"
            bins = _bins(vectors[first] @ vectors[second].T)
            alike = perturbation[first, None] == perturbation[None, second]
            one_well = well[first, None] == well[None, second]
            if i == j:  # each pair once, and none with itself
                upper = np.triu(np.ones(bins.shape, bool), 1)
                everything, alike, one_well = np.bincount(bins[upper], minlength=BINS), alike & upper, one_well & upper
            else:
                everything = np.bincount(bins.ravel(), minlength=BINS)
            same = np.bincount(bins[alike], minlength=BINS)
            histograms[f"same_{where}"] += same
            histograms[f"different_{where}"] += everything - same
            if one_well.any():
                in_both = np.bincount(bins[one_well & alike], minlength=BINS)
                of_wells[f"same_{where}"] += in_both
                of_wells[f"different_{where}"] += np.bincount(bins[one_well], minlength=BINS) - in_both
    without = {kind: histograms[kind] - of_wells[kind] for kind in KINDS}
    return CosineDistributions(histograms, without, int((~good).sum()))


def kolmogorov_smirnov(first: np.ndarray, second: np.ndarray) -> float:
    """Largest difference of the distribution functions of two histograms with the same bins; NaN where one is empty."""
    if not first.sum() or not second.sum():
        return float("nan")
    return float(np.abs(_distribution(first) - _distribution(second)).max())


def wasserstein(first: np.ndarray, second: np.ndarray) -> float:
    """Area between the distribution functions of two histograms of [-1, 1], in cosine; NaN where one is empty."""
    if not first.sum() or not second.sum():
        return float("nan")
    return float(np.abs(_distribution(first) - _distribution(second)).sum() * 2 / len(first))


def _blocks(batches: np.ndarray) -> list[slice]:
    """Runs of one batch, at most `_BLOCK` long."""
    edges = np.flatnonzero(np.diff(batches, prepend=batches[0] - 1, append=batches[-1] + 1))
    blocks = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        blocks += [slice(at, min(at + _BLOCK, end)) for at in range(start, end, _BLOCK)]
    return blocks


def _bins(cosines: np.ndarray) -> np.ndarray:
    """The bin of each cosine; 1 itself is in the last one."""
    cosines += 1
    cosines *= BINS / 2
    np.clip(cosines, 0, BINS - 1, out=cosines)
    return cosines.astype(np.int16)


def _distribution(histogram: np.ndarray) -> np.ndarray:
    return np.cumsum(histogram) / histogram.sum()
