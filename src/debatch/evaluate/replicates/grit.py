"""grit: how far a perturbation's replicates stand out from the controls."""

import numpy as np

from debatch.evaluate.vectors import blocks, finite, members

# An sd of similarities below this share of the controls' distances from their mean may be rounding: it is a root, in
# float64, of a difference of sums. Controls that are not farther than a few of their own roundings do not differ.
_ROUNDING, _ROUNDINGS = 1e-6, 10


def grit(
    profiles: np.ndarray, groups: np.ndarray, controls: np.ndarray, barred: np.ndarray | None = None
) -> np.ndarray:
    """How much more alike a profile is to its replicates than to controls, in sds of the latter.

    Similarity is Pearson's correlation; a profile's similarities to the controls (itself left out) give mean and
    population sd, by which those to its replicates are standardised and averaged. A profile whose features are all
    equal has no correlation: it has no score, and is neither a replicate nor a control of any other.

    Args:
        profiles: (N, D), as of wells.
        groups: (N,) the perturbation of each.
        controls: (N,) bool.
        barred: (N,): a profile that shares this is no replicate, as one of the same place on its plate; None: all are.

    Returns:
        (N,); NaN without a replicate, or without two controls that it is not equally similar to.

    Raises:
        ValueError: lengths that do not match, values that are not finite.

    Source: Way et al. 2022 (cytominer-eval).
    """
    controls = np.asarray(controls, dtype=bool)
    profiles = finite(profiles, "profiles", groups=groups, controls=controls)
    barred = np.arange(len(profiles)) if barred is None else np.asarray(barred)
    varied = profiles.max(axis=1, initial=-np.inf) > profiles.min(axis=1, initial=np.inf)
    scores = np.full(len(profiles), np.nan)
    good, reference = np.flatnonzero(varied), np.flatnonzero(controls & varied)
    if not len(reference):
        return scores
    centre = _total(profiles, reference) / len(reference)
    spread = _spread(profiles, reference, centre)
    distance = np.sqrt(np.trace(spread) / len(reference))
    if distance <= _ROUNDINGS * np.finfo(profiles.dtype).eps:
        return scores
    mean, sd = np.full((2, len(profiles)), np.nan)
    for at in blocks(len(good)):
        rows = good[at]
        directions = _directions(profiles, rows)
        mean[rows], sd[rows] = _to_controls(directions, controls[rows], centre, spread, len(reference))
    for places in members(np.asarray(groups)[varied])[1]:
        replicates = good[places]
        # sums over those that bar each other; itself is among them
        _, codes, sizes = np.unique(barred[replicates], return_inverse=True, return_counts=True)
        if len(sizes) == 1:
            continue
        own = np.zeros((len(sizes), profiles.shape[1]))
        for at in blocks(len(replicates)):
            np.add.at(own, codes[at], _directions(profiles, replicates[at]))
        total = own.sum(axis=0)
        for at in blocks(len(replicates)):
            rows, code = replicates[at], codes[at]
            others = len(replicates) - sizes[code]
            similarity = np.einsum("nd,nd->n", _directions(profiles, rows), total - own[code])
            similarity = np.divide(similarity, others, out=np.full(len(rows), np.nan), where=others > 0)
            scores[rows] = np.divide(
                similarity - mean[rows], sd[rows], out=scores[rows], where=sd[rows] > _ROUNDING * distance
            )
    return scores


def _total(profiles: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(D,) sum of directions: the sum of similarities to them all is the similarity to it."""
    total = np.zeros(profiles.shape[1])
    for at in blocks(len(rows)):
        total += _directions(profiles, rows[at]).sum(axis=0)
    return total


def _spread(profiles: np.ndarray, reference: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(D, D): u of it u is the sum of squared deviations of u's similarities to the controls from their mean.

    About the mean direction, not about 0: the squares of similarities that are all near 1 differ by little.
    """
    spread = np.zeros((profiles.shape[1],) * 2)
    for at in blocks(len(reference)):
        deviations = _directions(profiles, reference[at]) - centre
        spread += deviations.T @ deviations
    return spread


def _to_controls(
    directions: np.ndarray, is_control: np.ndarray, centre: np.ndarray, spread: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population sd of each one's similarities to the controls (itself left out); an sd of 0 for too few."""
    mean = directions @ centre
    squares = np.einsum("nd,nd->n", directions @ spread, directions)
    others = count - is_control
    # taking a value of 1 out of n values changes their mean and their sum of squares by this much
    apart = is_control * (1 - mean)
    mean = mean - apart / np.maximum(others, 1)
    squares = squares - apart**2 * count / np.maximum(others, 1)
    return mean, np.where(others > 1, np.sqrt(np.maximum(squares, 0) / np.maximum(others, 1)), 0.0)


def _directions(profiles: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(B, D) of some rows, of mean 0 and length 1, so that a product is a correlation."""
    centred = profiles[rows].astype(np.float64)
    centred -= centred.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True))
