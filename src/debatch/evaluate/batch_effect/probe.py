"""Post-hoc probes: what can still be read from frozen embeddings, whatever a head trained beside them says."""

import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from debatch.evaluate.neighbors import knn_predict
from debatch.evaluate.tidy import ALL, COLUMNS, WITHIN

Predictor = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def batch_probe(train: np.ndarray, train_batches: np.ndarray, test: np.ndarray, test_batches: np.ndarray) -> float:
    """How often a shrinkage LDA (Ledoit and Wolf), fitted on standardised embeddings, predicts an image's batch.

    Its settings are fixed: a probe that was tuned for one method would not be fair to another.

    Args:
        train: (N, D) embeddings that it is fitted on.
        train_batches: (N,) their batches.
        test: (M, D) embeddings that it is scored on.
        test_batches: (M,) their batches.

    Returns:
        Accuracy; NaN where there are fewer than two batches, no batch has two images, or there is nothing to score.
    """
    if not _can_be_told_apart(train_batches) or len(test) == 0:
        return float("nan")
    return float(np.mean(lda_predict(train, train_batches, test) == test_batches))


def lda_predict(train: np.ndarray, batches: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(M,) batches that the probe predicts for test embeddings (M, D), fitted on (N, D) and their batches (N,)."""
    scaler = StandardScaler().fit(train)  # a constant feature becomes 0
    probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(scaler.transform(train), batches)
    return np.asarray(probe.predict(scaler.transform(test)))


# one hidden layer, fitted by all images at once; within 200 steps the loss is level, and more tell no more
MLP_SETTINGS = {
    "hidden_layer_sizes": (64,), "solver": "lbfgs", "alpha": 3.0, "tol": 3e-3, "max_iter": 200, "random_state": 0,
}  # fmt: skip


def mlp_predict(train: np.ndarray, batches: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(M,) batches that a small network predicts for test embeddings (M, D), fitted on (N, D) and their batches (N,).

    It reads what no linear probe can, as a batch that shows in how two features go together. Its settings are fixed, as
    those of the other probes; they were chosen by how much it reads of training wells.
    """
    scaler = StandardScaler().fit(train)
    probe = MLPClassifier(**MLP_SETTINGS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(scaler.transform(train), batches)
    return np.asarray(probe.predict(scaler.transform(test)))


PROBES: dict[str, Predictor] = {"lda": lda_predict, "knn": knn_predict, "mlp": mlp_predict}


def probe_seen_batches(
    train: np.ndarray,
    train_images: pd.DataFrame,
    test: np.ndarray,
    test_images: pd.DataFrame,
    probes: Sequence[str] = tuple(PROBES),
) -> pd.DataFrame:
    """Probes fitted on training images and scored on other wells of the same batches.

    Args:
        train: (N, D) embeddings.
        train_images: (N, …) batch, cell_type.
        test: (M, D) embeddings.
        test_images: (M, …) batch, cell_type.
        probes: some of `PROBES`.

    Returns:
        Tidy: metric (`probe_lda`, `probe_knn`, `probe_mlp`, and `probe_guess`, always answering with the most frequent
        batch), subset (`all`; `WITHIN`, a probe for each cell type, all their answers), cell_type, batch (empty: all),
        value, n. NaN where there are fewer than two batches, or none has two training images.
    """
    kinds, batches = train_images["cell_type"].to_numpy(str), train_images["batch"].to_numpy(str)

    def predict(probe: Predictor, of_train: np.ndarray, of_test: np.ndarray) -> np.ndarray | None:
        if not _can_be_told_apart(batches[of_train]):
            return None
        return probe(train[of_train], batches[of_train], test[of_test])

    tested = test_images["cell_type"].to_numpy(str), test_images["batch"].to_numpy(str)
    return _score(predict, kinds, *tested, probes)


def probe_unseen_batches(
    embeddings: np.ndarray, images: pd.DataFrame, side: np.ndarray, probes: Sequence[str] = tuple(PROBES)
) -> pd.DataFrame:
    """Probes fitted on one side of every batch and scored on the other, both ways.

    Where embeddings were made under a batch's own statistics, the two sides must have statistics of their own, from
    wells that are on neither side. Statistics from images that are scored push a probe below chance; statistics that
    both sides share push it above: what the sample that they come from has by chance is then a mark of the batch.

    Args:
        embeddings: (N, D).
        images: (N, …) batch, cell_type.
        side: (N,) bool; a well's images are on one side.
        probes: some of `PROBES`.

    Returns:
        As `probe_seen_batches`; NaN too where a batch is on one side only, or none has two images on a side.
    """
    batches, kinds = images["batch"].to_numpy(str), images["cell_type"].to_numpy(str)

    def predict(probe: Predictor, own: np.ndarray, _: np.ndarray) -> np.ndarray | None:
        first, second = own & side, own & ~side
        if not (set(batches[first]) == set(batches[second]) == set(batches[own])):
            return None
        if not all(_can_be_told_apart(batches[side_of_own]) for side_of_own in (first, second)):
            return None
        predicted = batches.copy()
        predicted[second] = probe(embeddings[first], batches[first], embeddings[second])
        predicted[first] = probe(embeddings[second], batches[second], embeddings[first])
        return predicted[own]

    return _score(predict, kinds, kinds, batches, probes)


def _can_be_told_apart(batches: np.ndarray) -> bool:
    """Whether a probe can be fitted on images of these batches: of one image a batch nothing is known of its spread."""
    return 1 < len(np.unique(batches)) < len(batches)


def _score(
    predict: Callable[[Predictor, np.ndarray, np.ndarray], np.ndarray | None],
    train_kinds: np.ndarray,
    test_kinds: np.ndarray,
    test_batches: np.ndarray,
    probes: Sequence[str],
) -> pd.DataFrame:
    """Probes over all images, and within each cell type: the type alone narrows the batch down."""
    records = []
    answered: set[str] = set()
    for name, probe in {**{name: PROBES[name] for name in probes}, "guess": None}.items():
        within = []
        for group, in_train, in_test in _groups(train_kinds, test_kinds):
            truth = test_batches[in_test]
            predicted = None
            if probe is None:  # on those images that a probe was scored on
                predicted = _most_frequent(truth) if group in answered else None
            elif len(truth):
                predicted = predict(probe, in_train, in_test)
            if predicted is None:
                records.append((f"probe_{name}", "all", group, ALL, np.nan, len(truth)))
                continue
            answered.add(group)
            right = predicted == truth
            records.append((f"probe_{name}", "all", group, ALL, right.mean(), len(truth)))
            if group != ALL:
                within.append(right)
            elif probe is not None:
                records += _by_batch(f"probe_{name}", right, test_kinds, truth)
        pooled = np.concatenate(within) if within else np.array([])
        mean = pooled.mean() if len(pooled) else np.nan
        records.append((f"probe_{name}", WITHIN, ALL, ALL, mean, len(pooled)))
    return pd.DataFrame(records, columns=COLUMNS)


def _by_batch(
    metric: str, right: np.ndarray, kinds: np.ndarray, batches: np.ndarray
) -> list[tuple[str, str, str, str, float, int]]:
    """Of each batch, and of each cell type in it."""
    records = []
    for batch in np.unique(batches):
        own = batches == batch
        for kind in (ALL, *np.unique(kinds[own])):
            of = right[own & ((kinds == kind) | (kind == ALL))]
            records.append((metric, "all", str(kind), str(batch), float(of.mean()), len(of)))
    return records


def _groups(train_kinds: np.ndarray, test_kinds: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    yield ALL, np.ones(len(train_kinds), bool), np.ones(len(test_kinds), bool)
    for kind in np.unique(test_kinds):
        yield str(kind), train_kinds == kind, test_kinds == kind


def _most_frequent(batches: np.ndarray) -> np.ndarray:
    names, counts = np.unique(batches, return_counts=True)
    return np.full(len(batches), names[counts.argmax()])
