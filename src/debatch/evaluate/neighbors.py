"""Nearest neighbours by cosine similarity."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

_BLOCK = 2048


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


def nearest_neighbor_accuracy(embeddings: np.ndarray, labels: np.ndarray, exclude: np.ndarray | None = None) -> float:
    """How often the nearest neighbour by cosine similarity has the same label; itself never is one.

    NSC (not same compound) bars neighbours of the same compound or treatment, NSCB those of the same batch too.

    Args:
        embeddings: (N, D).
        labels: (N,), as mechanisms.
        exclude: (N,) or (N, K): neighbours that share any of these are barred.

    Returns:
        Accuracy over the embeddings that have a neighbour left; NaN where none has.

    Source: Ljosa et al. 2013; Ando et al. 2017.
    """
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = np.divide(embeddings, lengths, out=np.zeros_like(embeddings, dtype=np.float64), where=lengths > 0)
    columns = [] if exclude is None else list(np.asarray(exclude).reshape(len(labels), -1).T)
    codes = [np.unique(column, return_inverse=True)[1] for column in columns]
    right = counted = 0
    for start in range(0, len(unit), _BLOCK):
        block = slice(start, start + _BLOCK)
        similarity = unit[block] @ unit.T
        similarity[np.arange(len(similarity)), np.arange(start, start + len(similarity))] = -np.inf
        for code in codes:
            similarity[code[block, None] == code[None]] = -np.inf
        has_one = np.isfinite(similarity.max(axis=1))
        nearest = similarity.argmax(axis=1)
        right += int((np.asarray(labels)[nearest] == np.asarray(labels)[block])[has_one].sum())
        counted += int(has_one.sum())
    return right / counted if counted else float("nan")
