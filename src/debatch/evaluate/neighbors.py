"""Nearest neighbours by cosine similarity."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier


def knn_predict(
    bank: np.ndarray, bank_labels: np.ndarray, queries: np.ndarray, k: int = 10, temperature: float = 0.1
) -> np.ndarray:
    """Predict by a vote of the k nearest neighbours, each weighing exp(cosine similarity / temperature).

    Args:
        bank: (N, D) embeddings whose labels are known.
        bank_labels: (N,).
        queries: (M, D).
        k: neighbours asked; all of the bank where it has fewer.
        temperature: the lower, the more the nearest ones count.

    Returns:
        (M,) labels.

    Source: Wu et al. 2018, section 3.4.
    """
    model = KNeighborsClassifier(
        n_neighbors=min(k, len(bank)),
        metric="cosine",
        algorithm="brute",
        # over the largest weight, so that a low temperature does not overflow
        weights=lambda distances: np.exp((distances.min(axis=1, keepdims=True) - distances) / temperature),
    )
    return np.asarray(model.fit(bank, bank_labels).predict(queries))
