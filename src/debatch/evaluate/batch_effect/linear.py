"""Linear probe: what a linear classifier reads from frozen embeddings."""

import warnings

import numpy as np

from debatch.evaluate.vectors import finite

# Fixed for all embeddings: a probe that was tuned for one method would not be fair to another. The decay is that of the
# mean loss, not of the sum, so that the probe is as strict with many images as with few; a tenth of it, or of the
# tolerance, changes accuracy on made-up embeddings by a few tenths of a point.
_DECAY, _TOLERANCE, _MOST_ITERATIONS = 1e-3, 1e-4, 100


def linear_probe(train: np.ndarray, train_labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Predict by multinomial logistic regression, fitted on standardised embeddings.

    Args:
        train: (N, D) embeddings whose labels are known.
        train_labels: (N,).
        test: (M, D).

    Returns:
        (M,) labels; the one there is, where all of train has one.

    Raises:
        ValueError: as `linear_probe_log_probabilities`.
    """
    classes, log_probabilities = linear_probe_log_probabilities(train, train_labels, test)
    return np.asarray(classes[log_probabilities.argmax(axis=1)])


def linear_probe_log_probabilities(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What `linear_probe` predicts from: a well's prediction is the largest mean over its images.

    Features are standardised by train's mean and population sd; one that is constant there is left out.

    Args:
        train: (N, D) embeddings whose labels are known.
        train_labels: (N,).
        test: (M, D).

    Returns:
        (K,) classes of train in their order, and (M, K) float32 log-probabilities.

    Raises:
        ValueError: nothing to fit on, lengths or features that do not match, values that are not finite.
    """
    train, test = finite(train, "train embeddings", labels=train_labels), finite(test, "test embeddings")
    if not len(train):
        raise ValueError("no train embeddings: the linear probe has nothing to be fitted on")
    if train.shape[1] != test.shape[1]:
        raise ValueError(f"train has {train.shape[1]} features and test {test.shape[1]}; give them the same")
    classes = np.unique(train_labels)
    if len(classes) == 1:
        return classes, np.zeros((len(test), 1), np.float32)
    return classes, _fitted_log_probabilities(train, train_labels, test)


def _fitted_log_probabilities(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(M, K) of two classes or more."""
    # here, since they take a second to import and the other metrics need none of it
    from scipy.special import log_softmax
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    model = LogisticRegression(C=1 / (_DECAY * len(train)), tol=_TOLERANCE, max_iter=_MOST_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is one of the settings
        model.fit(scaler.transform(train).astype(np.float32, copy=False), labels)
    if not len(test):
        return np.zeros((0, len(model.classes_)), np.float32)
    scores = model.decision_function(scaler.transform(test).astype(np.float32, copy=False))
    if scores.ndim == 1:  # of two classes, the second one's against the first's
        scores = np.stack([np.zeros_like(scores), scores], axis=1)
    return np.asarray(log_softmax(scores, axis=1), np.float32)
