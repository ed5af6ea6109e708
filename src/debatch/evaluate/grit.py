"""grit: how far a perturbation's replicates stand out from the controls."""

import numpy as np


def grit(profiles: np.ndarray, groups: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """How much more alike a profile is to its replicates than to controls, in sds of the latter.

    Similarity is Pearson's correlation; a profile's similarities to the controls (itself left out) give mean and
    population sd, by which those to its replicates are standardised and averaged.

    Args:
        profiles: (N, D), as of wells.
        groups: (N,) the perturbation of each.
        controls: (N,) bool.

    Returns:
        (N,); NaN without a replicate, or without two controls that differ.

    Source: Way et al. 2022 (cytominer-eval).
    """
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, lengths, out=np.full_like(centred, np.nan, dtype=np.float64), where=lengths > 0)
    to_controls = unit @ unit[controls].T
    own = np.full(len(profiles), -1)
    own[controls] = np.arange(controls.sum())
    scores = np.full(len(profiles), np.nan)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        alike = unit[members] @ unit[members].T
        for at, member in enumerate(members):
            reference = np.delete(to_controls[member], own[member]) if own[member] >= 0 else to_controls[member]
            replicates = np.delete(alike[at], at)
            sd = reference.std() if len(reference) > 1 else 0.0
            if len(replicates) and sd > 0:
                scores[member] = (replicates.mean() - reference.mean()) / sd
    return scores
