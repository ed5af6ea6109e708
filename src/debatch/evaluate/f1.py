"""F1: the harmonic mean of how many of a class were found, and how many that were called so are."""

import numpy as np


def f1_by_class(labels: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F1 of each class that is there; a class that was only predicted has none.

    Args:
        labels: (N,).
        predicted: (N,).

    Returns:
        (K,) the classes of `labels` in order, (K,) F1 in [0, 1], (K,) how many of each there are.

    Raises:
        ValueError: lengths that do not match.
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels and predictions need one each, not the shapes {labels.shape} and {predicted.shape}")
    classes, own, there = np.unique(labels, return_inverse=True, return_counts=True)
    found = np.bincount(own[labels == predicted], minlength=len(classes))
    called = np.array([(predicted == name).sum() for name in classes], np.int64)
    return classes, 2 * found / (there + called), there


def macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the classes that are there, each weighing the same; NaN where there is no label."""
    f1 = f1_by_class(labels, predicted)[1]
    return float(f1.mean()) if len(f1) else float("nan")
