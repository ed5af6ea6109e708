"""Cosine similarities within and across permuted batches: how far they would be apart without a batch effect."""

from itertools import combinations_with_replacement

import numpy as np

from debatch.evaluate.replicates.cosine import BINS, MEASURES, bins_of, distances, repeated, unit_directions

# each costs about a tenth of the products of all pairs
DRAWS = 8
_BLOCK = 2048
_CODES = 12  # same perturbation or not, within a batch or not, and three kinds of pairs of wells


def permuted_distances(
    embeddings: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, cell_types: np.ndarray, wells: np.ndarray
) -> dict[tuple[str, str, bool], np.ndarray]:
    """Distances between the distributions within and across batches, for several ways of dealing batches to wells.

    Args:
        embeddings: (N, D).
        perturbations: (N,).
        batches: (N, R) R permutations of the batches.
        cell_types: (N,) pairs of two of them are left out, as in `cosine_similarity_distributions`.
        wells: (N,).

    Returns:
        Measure (`ks`, `wasserstein`), perturbation (`same`, `different`), whether pairs of one well count -> (R,); NaN
        where there is no such pair.
    """
    good, unit = unit_directions(embeddings)
    names = [np.unique(values[good], return_inverse=True)[1] for values in (perturbations, cell_types, wells)]
    dealt = np.asarray(batches)[good].T
    counts = np.zeros((len(dealt), _CODES * BINS), np.int64)
    for kind in np.unique(names[1]):
        own = np.flatnonzero(names[1] == kind)
        if len(np.unique(dealt[0, own])) < 2:
            continue
        perturbation, well = names[0][own], names[2][own]
        is_repeated = [repeated(perturbation, batch, well) for batch in dealt[:, own]]
        starts = range(0, len(own), _BLOCK)
        for a, b in combinations_with_replacement(starts, 2):
            first, second = slice(a, a + _BLOCK), slice(b, b + _BLOCK)
            each = np.triu(np.ones((len(own[first]), len(own[second])), bool), 1) if a == b else slice(None)
            bins = bins_of(unit[own[first]] @ unit[own[second]].T)[each].ravel().astype(np.int64)
            alike = (perturbation[first, None] == perturbation[None, second])[each].ravel()
            one_well = (well[first, None] == well[None, second])[each].ravel()
            bins += BINS * (alike + 4 * one_well)
            for draw, batch in enumerate(dealt[:, own]):
                within = (batch[first, None] == batch[None, second])[each].ravel()
                many = np.broadcast_to(is_repeated[draw][first, None], (len(own[first]), len(own[second])))
                single = alike & ~one_well & ~many[each].ravel()
                counts[draw] += np.bincount(bins + BINS * (2 * within + 8 * single), minlength=_CODES * BINS)
    histograms = counts.reshape(len(dealt), 3, 2, 2, BINS)  # wells, within, alike
    found = {}
    for one_well in (True, False):
        chosen = histograms.sum(axis=1) if one_well else histograms[:, 0]
        for at, perturbed in enumerate(("different", "same")):
            both = chosen[:, 1, at], chosen[:, 0, at]
            possible = (both[0].sum(axis=1) > 0) & (both[1].sum(axis=1) > 0)
            apart = distances(*(side[possible] for side in both)) if possible.any() else {}
            for measure in MEASURES:
                values = np.full(len(dealt), np.nan)
                values[possible] = apart.get(measure, np.nan)
                found[measure, perturbed, one_well] = values
    return found
