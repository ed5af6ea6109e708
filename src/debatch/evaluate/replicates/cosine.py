"""Cosine similarities of pairs of embeddings: is a perturbation as alike across batches as within one?"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from debatch.evaluate.uncertainty import Scale, Spread, batch_spread

BINS = 8192
KINDS = ("same_within", "different_within", "same_across", "different_across")
MEASURES = ("ks", "wasserstein")
_BLOCK = 2048


@dataclass(frozen=True)
class CosineDistributions:
    """Of all pairs of one cell type, each pair once.

    Attributes:
        batches: (P, 2) numbers of the two batches that pairs are of, the same one twice within a batch.
        counts: (P, 2, 3, 8192) pairs in each bin of [-1, 1]: by batches, perturbation (same, different) and wells: two
            wells; one well; two wells of a perturbation that has no two wells in any one batch.
        left_out: embeddings without a direction (all zero, or not finite), which have no cosine.
        cell_types: number of a batch -> the cell types that it holds, as one name.
    """

    batches: np.ndarray
    counts: np.ndarray
    left_out: int
    cell_types: dict[int, str]

    def histograms(self, one_well: bool = True) -> dict[str, np.ndarray]:
        """Kind -> (8192,) pairs: `same` and `different` perturbation, `within` one batch and `across` two.

        Args:
            one_well: whether pairs of two images of one well count, which are of one batch and mostly close. Without
                them, perturbations that never have two wells in a batch do not count either: they would be compared
                across batches and not within one.
        """
        counts = self.counts.sum(axis=2) if one_well else self.counts[:, :, 0]
        within = self.batches[:, 0] == self.batches[:, 1]
        return {
            f"{name}_{where}": counts[rows, at].sum(axis=0)
            for where, rows in (("within", within), ("across", ~within))
            for at, name in enumerate(("same", "different"))
        }

    def spread(self, measure: str, perturbation: str, one_well: bool = True) -> Spread:
        """How sure a measure is: an interval over batches within their cell type.

        A batch that is left out takes its pairs with all others along. With too few batches, the smallest and largest
        value over batches, each one's own pairs against those that it has with others, and over all.

        Args:
            measure: `ks` or `wasserstein`.
            perturbation: `same` or `different`.
            one_well: as in `histograms`.
        """
        counts = self.counts.sum(axis=2) if one_well else self.counts[:, :, 0]
        counts = counts[:, ("same", "different").index(perturbation)].astype(np.float64)
        names = np.unique(self.batches)
        within = self.batches[:, 0] == self.batches[:, 1]
        first, second = (np.searchsorted(names, self.batches[:, side]) for side in (0, 1))

        def statistic(times: np.ndarray) -> np.ndarray:
            return between(times[:, first], times[:, first] * times[:, second])

        def extremes() -> tuple[float, float]:
            each = np.eye(len(names))
            found = between(each[:, first], np.maximum(each[:, first], each[:, second]))
            defined = found[np.isfinite(found)]
            return (float(defined.min()), float(defined.max())) if len(defined) else (np.nan, np.nan)

        def between(times_within: np.ndarray, times_across: np.ndarray) -> np.ndarray:
            inside, outside = (times_within * within) @ counts, (times_across * ~within) @ counts
            good = (inside.sum(axis=1) > 0) & (outside.sum(axis=1) > 0)
            values = np.full(len(good), np.nan)
            values[good] = distances(inside[good], outside[good])[measure]
            return values

        strata = np.array([self.cell_types[int(name)] for name in names], dtype=str)
        pairs = np.bincount(np.concatenate([first, second]), np.tile(counts.sum(axis=1), 2), len(names))
        scale: Scale = "share" if measure == "ks" else "plain"
        return batch_spread(statistic, strata, pairs, scale=scale, alone=extremes)


def cosine_similarity_distributions(
    embeddings: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, cell_types: np.ndarray, wells: np.ndarray
) -> CosineDistributions:
    """Exact histograms of the cosine similarities of every pair of images of one cell type.

    A cell type with a single batch is left out: it has pairs within it and none across.

    Args:
        embeddings: (N, D).
        perturbations: (N,) what each was treated with.
        batches: (N,) its batch.
        cell_types: (N,) its cell type; pairs of two cell types are left out.
        wells: (N,) its well, by a name that is unique in the screen.

    Source: RxRx1 paper, section 5.4 and Figure 7.
    """
    good, unit = unit_directions(embeddings)
    names = [np.unique(values[good], return_inverse=True)[1] for values in (perturbations, batches, cell_types, wells)]
    kinds = {
        int(batch): "+".join(map(str, np.unique(cell_types[good][names[1] == batch]))) for batch in np.unique(names[1])
    }
    found: dict[tuple[int, int], np.ndarray] = {}
    for cell_type in np.unique(names[2]):
        own = np.flatnonzero(names[2] == cell_type)
        own = own[np.argsort(names[1][own], kind="stable")]  # batch after batch, so that a block is of two batches
        perturbation, batch, _, well = (values[own] for values in names)
        if batch[0] == batch[-1]:
            continue
        several = repeated(perturbation, batch, well)
        vectors = unit[own]
        blocks = _blocks(batch)
        for (first, second), (i, j) in zip(
            combinations_with_replacement(blocks, 2), combinations_with_replacement(range(len(blocks)), 2), strict=True
        ):
            pair = int(batch[first.start]), int(batch[second.start])
            counts = found.setdefault(pair, np.zeros((2, 3, BINS), np.int64))
            bins = bins_of(vectors[first] @ vectors[second].T)
            alike = perturbation[first, None] == perturbation[None, second]
            one_well = well[first, None] == well[None, second]
            if i == j:  # each pair once, and none with itself
                upper = np.triu(np.ones(bins.shape, bool), 1)
                everything, alike, one_well = np.bincount(bins[upper], minlength=BINS), alike & upper, one_well & upper
            else:
                everything = np.bincount(bins.ravel(), minlength=BINS)
            same = np.bincount(bins[alike], minlength=BINS)
            both = np.stack([same, everything - same])
            of_wells = np.zeros_like(both)
            if one_well.any():
                of_wells[0] = np.bincount(bins[one_well & alike], minlength=BINS)
                of_wells[1] = np.bincount(bins[one_well], minlength=BINS) - of_wells[0]
            single = np.bincount(bins[alike & ~one_well & ~several[first, None]], minlength=BINS)
            counts[:, 0] += both - of_wells
            counts[0, 0] -= single
            counts[:, 1] += of_wells
            counts[0, 2] += single
    pairs = np.array(list(found), dtype=np.int64).reshape(-1, 2)
    stacked = np.stack(list(found.values())) if found else np.zeros((0, 2, 3, BINS), np.int64)
    return CosineDistributions(pairs, stacked, int((~good).sum()), kinds)


def unit_directions(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bool, which embeddings have a direction, and those, of length 1."""
    lengths = np.sqrt(np.einsum("nd,nd->n", embeddings, embeddings, dtype=np.float64))
    good = np.isfinite(lengths) & (lengths > 0)
    unit = embeddings[good].astype(np.float32, copy=False)
    unit /= lengths[good, None].astype(np.float32)
    return good, unit


def kolmogorov_smirnov(first: np.ndarray, second: np.ndarray) -> float:
    """Largest difference of the distribution functions of two histograms with the same bins; NaN where one is empty."""
    if not first.sum() or not second.sum():
        return float("nan")
    return float(distances(first[None], second[None])["ks"][0])


def wasserstein(first: np.ndarray, second: np.ndarray) -> float:
    """Area between the distribution functions of two histograms of [-1, 1], in cosine; NaN where one is empty."""
    if not first.sum() or not second.sum():
        return float("nan")
    return float(distances(first[None], second[None])["wasserstein"][0])


def distances(first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    """Both measures between the rows of histograms (R, bins), none of them empty."""
    apart = np.abs(_distribution(first) - _distribution(second))
    return {"ks": apart.max(axis=1), "wasserstein": apart.sum(axis=1) * 2 / first.shape[1]}


def repeated(perturbations: np.ndarray, batches: np.ndarray, wells: np.ndarray) -> np.ndarray:
    """(N,) bool: images of a perturbation that has two wells or more in some batch."""
    places = np.unique(np.stack([perturbations, batches, wells], axis=1), axis=0)
    pairs, count = np.unique(places[:, :2], axis=0, return_counts=True)
    return np.isin(perturbations, pairs[count > 1, 0])


def _blocks(batches: np.ndarray) -> list[slice]:
    """Runs of one batch, at most `_BLOCK` long."""
    edges = np.flatnonzero(np.diff(batches, prepend=batches[0] - 1, append=batches[-1] + 1))
    blocks = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        blocks += [slice(at, min(at + _BLOCK, end)) for at in range(start, end, _BLOCK)]
    return blocks


def bins_of(cosines: np.ndarray) -> np.ndarray:
    """The bin of each cosine; 1 itself is in the last one."""
    cosines += 1
    cosines *= BINS / 2
    np.clip(cosines, 0, BINS - 1, out=cosines)
    return cosines.astype(np.int16)


def _distribution(histograms: np.ndarray) -> np.ndarray:
    sums = np.cumsum(histograms, axis=1)
    return np.asarray(sums / sums[:, -1:])
