"""Features whose spread no measurement has, as of a division by almost nothing."""

import numpy as np

# of one feature's sd to the features' usual one. Raw moments of shapes reach 1e12 times the sd of a texture
LARGEST_RATIO = 1e13
# of a value's distance from the feature's median to the feature's usual distance from it
FARTHEST = 1e9


def usual_spread(features: np.ndarray) -> float:
    """The median over features (N, D) of their standard deviations, of those that vary."""
    spread = features.std(axis=0, dtype=np.float64)
    return float(np.median(spread[spread > 0])) if (spread > 0).any() else 0.0


def beyond_reason(features: np.ndarray) -> list[tuple[int, float]]:
    """Features (N, D) that would drown the others, or one of whose values would: position and standard deviation.

    Such a feature is what cosine similarity and distances are of, and variances of it leave float32.
    """
    values = features.astype(np.float64)
    spread = values.std(axis=0)
    usual = usual_spread(features)
    far = np.abs(values - np.median(values, axis=0))
    typical = np.median(far, axis=0)
    single = (typical > 0) & (far.max(axis=0, initial=0) > FARTHEST * typical)
    return [
        (int(at), float(spread[at])) for at in np.flatnonzero((spread > LARGEST_RATIO * usual) & (usual > 0) | single)
    ]
