"""Mean average precision: does a profile find its replicates in other batches before it finds anything else?"""

import numpy as np
import pandas as pd

from debatch.evaluate.vectors import members, unit, vectors

_BLOCK = 256
# Copies of a profile are equally similar, although the last bits of the products differ.
_DECIMALS = 12


def replicate_map(
    embeddings: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, controls: np.ndarray | None = None
) -> pd.DataFrame:
    """Mean average precision by perturbation, by cosine similarity, of replicates that are in another batch.

    Each profile asks for its replicates among those and the negatives; a replicate of its own batch is neither. It is
    what copairs computes with `pos_sameby` perturbation and `pos_diffby` batch, in a fraction of its time and memory;
    what is equally similar ranks together, as in scikit-learn, and not the replicates first: embeddings that are all
    the same do not score 1. Embeddings that are all zero or not finite are left out before, as queries and as answers.

    Args:
        embeddings: (N, D), as of wells.
        perturbations: (N,).
        batches: (N,).
        controls: (N,) bool: the negatives, which then ask nothing themselves; None: the negatives are all profiles of
            other perturbations.

    Returns:
        perturbation, map (in (0, 1]), n (profiles with a replicate in another batch). A perturbation without such a
        replicate is not in it; without a negative none is.

    Raises:
        ValueError: lengths that do not match.

    Source: Kalinin et al. 2025 (copairs).
    """
    precisions = replicate_precision(embeddings, perturbations, batches, controls)
    found = pd.DataFrame({"perturbation": np.asarray(perturbations), "map": precisions}).dropna(subset="map")
    return found.groupby("perturbation")["map"].agg(map="mean", n="size").reset_index()


def replicate_precision(
    embeddings: np.ndarray,
    perturbations: np.ndarray,
    batches: np.ndarray,
    controls: np.ndarray | None = None,
    barred: np.ndarray | None = None,
) -> np.ndarray:
    """Average precision of each profile, as `replicate_map`; NaN where it asks nothing or has nothing to find.

    Args:
        embeddings: (N, D).
        perturbations: (N,).
        batches: (N,).
        controls: as in `replicate_map`.
        barred: (N,): profiles that share this are neither replicates nor negatives of each other.

    Returns:
        (N,); where some are barred (N, 2), without and with that.
    """
    embeddings = vectors(embeddings, perturbations=perturbations, batches=batches)
    if controls is not None:
        vectors(embeddings, controls=controls)
    known = np.isfinite(embeddings).all(axis=1) & embeddings.any(axis=1)
    units = unit(embeddings[known].astype(np.float64))
    negative = np.ones(len(units), bool) if controls is None else np.asarray(controls, dtype=bool)[known]
    asking = np.arange(len(units)) if controls is None else np.flatnonzero(~negative)
    of = np.full(len(units), -1)
    of[asking], replicates = members(np.asarray(perturbations)[known][asking])
    batch = np.unique(np.asarray(batches)[known], return_inverse=True)[1]
    place = None if barred is None else np.unique(np.asarray(barred)[known], return_inverse=True)[1]
    precisions = np.full((len(units), 1 if place is None else 2), np.nan)
    for start in range(0, len(asking), _BLOCK):
        queries = asking[start : start + _BLOCK]
        for query, similarity in zip(queries, np.round(units[queries] @ units.T, _DECIMALS), strict=True):
            own = asking[replicates[of[query]]]
            precisions[query, 0] = _precision(similarity, own, batch[own] != batch[query], negative)
            if place is not None:
                similarity[place == place[query]] = -np.inf
                precisions[query, 1] = _precision(similarity, own, batch[own] != batch[query], negative)
    found = np.full((len(embeddings), precisions.shape[1]), np.nan)
    found[known] = precisions
    return found[:, 0] if barred is None else found


def _precision(similarity: np.ndarray, own: np.ndarray, of_others: np.ndarray, negative: np.ndarray) -> float:
    """Average precision of a query; what is barred has a similarity of -inf."""
    positives = similarity[own[of_others]]
    positives = positives[positives > -np.inf]
    if not len(positives):
        return float("nan")
    among = negative.copy()
    among[own] = False
    others = similarity[among]
    return _average_precision(positives, others[others > -np.inf])


def _average_precision(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Mean over positives of the precision among all that are as similar or more; NaN without negatives."""
    if not len(negatives):
        return float("nan")
    above = [len(values) - np.searchsorted(np.sort(values), positives) for values in (positives, negatives)]
    return float((above[0] / (above[0] + above[1])).mean())
