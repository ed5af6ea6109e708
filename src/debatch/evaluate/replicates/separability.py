"""Separability: by how much perturbations stand out from the negative controls of their own batch, and what is kept."""

from hashlib import blake2b

import numpy as np
import pandas as pd

from debatch.evaluate.vectors import blocks, finite, unit

# What is equally similar differs by the rounding of the products.
_EQUAL = 1e-9
# A separability before correction of this or less leaves nothing to keep.
_TOO_LITTLE = 0.55
_FEWEST_TO_HALVE = 4


def separability(
    embeddings: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, controls: np.ndarray
) -> pd.DataFrame:
    """How surely a profile is more like its replicates than the negative controls of its own batch are.

    A profile's replicates, itself left out, give the mean direction of a perturbation. The score is the share of the
    negative controls of the profile's batch that are less similar to it (cosine) than the profile is, ties counting one
    half: an area under the ROC curve, 0.5 by chance. The profile and the controls share a batch, so that an offset of
    the batch favours neither. What is all zero has a similarity of 0 to everything.

    Args:
        embeddings: (N, D).
        perturbations: (N,); those of controls do not matter.
        batches: (N,).
        controls: (N,) bool, negative ones.

    Returns:
        perturbation, separability (mean over its profiles, in [0, 1]), n (profiles). Profiles without a replicate, or
        without a negative control in their batch, do not count; a perturbation of such alone is not in it.

    Raises:
        ValueError: lengths that do not match, values that are not finite.
    """
    return _with_margins(embeddings, perturbations, batches, controls).drop(columns="margin")


def _with_margins(
    embeddings: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, controls: np.ndarray
) -> pd.DataFrame:
    """`separability`, and margin: how much more similar profiles are than controls, to rank what all stands out."""
    controls = np.asarray(controls, dtype=bool)
    embeddings = finite(embeddings, perturbations=perturbations, batches=batches, controls=controls)
    names, of, sizes = np.unique(np.asarray(perturbations)[~controls], return_inverse=True, return_counts=True)
    repeated = sizes > 1
    row_of_name = np.cumsum(repeated) - 1
    scored, of = np.flatnonzero(~controls)[repeated[of]], row_of_name[of[repeated[of]]]
    names, sizes = names[repeated], sizes[repeated]
    totals = np.zeros((len(names), embeddings.shape[1]))
    for at in blocks(len(scored)):
        np.add.at(totals, of[at], _units(embeddings, scored[at]))
    scores, margins = np.full((2, len(scored)), np.nan)
    batches = np.asarray(batches)
    for batch in np.unique(batches[controls]):
        reference = _units(embeddings, np.flatnonzero(controls & (batches == batch)))
        own = np.flatnonzero(batches[scored] == batch)
        for at in blocks(len(own)):
            profiles, group = _units(embeddings, scored[own[at]]), of[own[at]]
            directions = (totals[group] - profiles) / (sizes[group] - 1)[:, None]
            ahead = np.einsum("nd,nd->n", directions, profiles)[:, None] - directions @ reference.T
            margins[own[at]] = ahead.mean(axis=1)
            scores[own[at]] = (ahead > _EQUAL).mean(axis=1) + (np.abs(ahead) <= _EQUAL).mean(axis=1) / 2
    found = pd.DataFrame({"perturbation": names[of], "separability": scores, "margin": margins})
    by_perturbation = found.dropna(subset="separability").groupby("perturbation")
    return by_perturbation.agg(
        separability=("separability", "mean"), margin=("margin", "mean"), n=("separability", "size")
    ).reset_index()


def positive_control_retention(
    before: np.ndarray,
    after: np.ndarray,
    perturbations: np.ndarray,
    batches: np.ndarray,
    controls: np.ndarray,
    positive: np.ndarray,
) -> float:
    """What a correction keeps of the positive controls' separability above chance: 1 is all of it.

    Much less means over-corrected: biology went with the batch effect. More than 1: they stand out better than before.

    Args:
        before: (N, D) embeddings.
        after: (N, D') the same, corrected.
        perturbations: (N,).
        batches: (N,).
        controls: (N,) bool, negative ones.
        positive: (N,) bool, positive ones.

    Returns:
        (after - 0.5) / (before - 0.5), of means over the positive controls' perturbations; NaN where before is at most
        0.55, or there are none: nothing there to keep.

    Raises:
        ValueError: lengths that do not match, values that are not finite, a control that is both.
    """
    controls, positive = np.asarray(controls, dtype=bool), np.asarray(positive, dtype=bool)
    before, after = _both(before, after, perturbations, batches, controls, positive)
    if both := int((controls & positive).sum()):
        raise ValueError(f"{both} of {len(before)} profiles are both positive and negative controls; they can be one")
    used = controls | positive
    of_used = np.asarray(perturbations)[used], np.asarray(batches)[used], controls[used]
    first, second = (separability(values[used], *of_used)["separability"].mean() for values in (before, after))
    return float((second - 0.5) / (first - 0.5)) if first > _TOO_LITTLE else float("nan")


def weak_separability(
    before: np.ndarray,
    after: np.ndarray,
    perturbations: np.ndarray,
    batches: np.ndarray,
    controls: np.ndarray,
    share: float = 0.25,
) -> float:
    """Separability after a correction of those treatments that stood out least before.

    Weak perturbations are what an over-correction takes first, and what a mean over all hides. Those that scored lowest
    before would score higher after by chance alone, if it were on the same profiles or against the same controls: so
    they are chosen on one half of each perturbation's profiles and of each batch's controls, and scored on the other
    half, both ways. Where few controls leave many equal, those with the smaller margin are weaker.

    The halves alternate along the batches (within one by a hash of the embedding before), whatever the order of rows.

    Args:
        before: (N, D) embeddings.
        after: (N, D') the same, corrected.
        perturbations: (N,); those of controls do not matter.
        batches: (N,).
        controls: (N,) bool, negative ones.
        share: of treatments that are chosen, in (0, 1]; at least one is.

    Returns:
        Mean separability, chance 0.5; directions are of half the replicates, so it is somewhat below that of
        `separability`. Perturbations of fewer than 4 profiles cannot be halved and do not count; a batch needs two
        controls for both halves of its profiles to count. NaN where nothing is left.

    Raises:
        ValueError: lengths that do not match, values that are not finite, a share that is none.
    """
    found = weak_perturbations(before, after, perturbations, batches, controls, share)
    return float(found.groupby("half")["separability"].mean().mean()) if len(found) else float("nan")


def weak_perturbations(
    before: np.ndarray,
    after: np.ndarray,
    perturbations: np.ndarray,
    batches: np.ndarray,
    controls: np.ndarray,
    share: float = 0.25,
) -> pd.DataFrame:
    """The weak perturbations of `weak_separability`, one by one.

    Args:
        before: (N, D) embeddings.
        after: (N, D') the same, corrected.
        perturbations: (N,); those of controls do not matter.
        batches: (N,).
        controls: (N,) bool, negative ones.
        share: as above.

    Returns:
        perturbation, separability (after), half (0 or 1: of the profiles that chose it; most are chosen by one).

    Raises:
        ValueError: as above.
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share of treatments must be above 0 and at most 1, not {share}")
    controls = np.asarray(controls, dtype=bool)
    before, after = _both(before, after, perturbations, batches, controls)
    perturbations, batches = np.asarray(perturbations), np.asarray(batches)
    half = _halves(before, perturbations, batches, controls)
    found = []
    for number, (choosing, scoring) in enumerate(((half == 0, half == 1), (half == 1, half == 0))):
        chosen_by, scored_by = (
            _with_margins(values[rows], perturbations[rows], batches[rows], controls[rows]).set_index("perturbation")
            for values, rows in ((before, choosing), (after, scoring))
        )
        both = chosen_by.join(scored_by.add_suffix("_after"), how="inner")
        if len(both):
            count = max(1, round(share * len(both)))
            weak = both.sort_values(["separability", "margin"], kind="stable")["separability_after"].iloc[:count]
            found.append(weak.rename("separability").reset_index().assign(half=number))
    return (
        pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["perturbation", "separability", "half"])
    )


def _halves(embeddings: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """(N,) 0 or 1, in turn along a perturbation's profiles and a batch's controls; -1 for what cannot be halved."""
    hashes = [blake2b(row.tobytes(), digest_size=8).hexdigest() for row in embeddings]
    places = pd.DataFrame({"batch": batches, "hash": hashes}).sort_values(["batch", "hash"], kind="stable")
    half = np.full(len(embeddings), -1)
    for mask, by, fewest in ((controls, batches, 1), (~controls, perturbations, _FEWEST_TO_HALVE)):
        rows = places.index[mask[places.index]].to_numpy()
        members = pd.Series(rows).groupby(by[rows])
        half[rows] = np.where(members.transform("size") >= fewest, members.cumcount() % 2, -1)
    return half


def _both(before: np.ndarray, after: np.ndarray, *columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings before and after a correction, finite and one for one."""
    names = ("perturbations", "batches", "controls", "positive")
    named = dict(zip(names, columns, strict=False))
    return finite(before, "embeddings before", **named), finite(after, "embeddings after", **named)


def _units(embeddings: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return unit(embeddings[rows].astype(np.float64))
