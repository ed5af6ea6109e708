"""Post-hoc probes: what can still be read from frozen embeddings, whatever a head trained beside them says."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from debatch.evaluate.neighbors import knn_predict

FOLDS = 5
Predictor = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def batch_probe(train: np.ndarray, train_batches: np.ndarray, test: np.ndarray, test_batches: np.ndarray) -> float:
    """How often a shrinkage LDA (Ledoit and Wolf), fitted on standardised embeddings, tells an image's batch.

    Its settings are fixed: a probe that was tuned for one method would not be fair to another.

    Args:
        train: (N, D) embeddings that it is fitted on.
        train_batches: (N,) their batches.
        test: (M, D) embeddings that it is scored on.
        test_batches: (M,) their batches.

    Returns:
        Accuracy; NaN where there are fewer than two batches, or nothing to score.
    """
    if len(np.unique(train_batches)) < 2 or len(test) == 0:
        return float("nan")
    return float(np.mean(lda_predict(train, train_batches, test) == test_batches))


def lda_predict(train: np.ndarray, batches: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(M,) batches that the probe predicts for test embeddings (M, D), fitted on (N, D) and their batches (N,)."""
    scaler = StandardScaler().fit(train)  # a constant feature becomes 0
    probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(scaler.transform(train), batches)
    return np.asarray(probe.predict(scaler.transform(test)))


PROBES: dict[str, Predictor] = {"lda": lda_predict, "knn": knn_predict}


def probe_seen_batches(
    train: np.ndarray, train_images: pd.DataFrame, test: np.ndarray, test_images: pd.DataFrame
) -> pd.DataFrame:
    """Probes fitted on training images and scored on other wells of the same batches.

    Args:
        train: (N, D) embeddings.
        train_images: (N, …) batch, cell_type.
        test: (M, D) embeddings.
        test_images: (M, …) batch, cell_type.

    Returns:
        Tidy: metric (`probe_lda`, `probe_knn`, and `probe_guess`, always answering with the most frequent batch),
        subset (`all`), group (`all`; `within`, one probe for each cell type; `cell_type=…`; `batch=…`), value, n. NaN
        where there are fewer than two batches.
    """
    kinds, batches = train_images["cell_type"].to_numpy(str), train_images["batch"].to_numpy(str)

    def predict(probe: Predictor, of_train: np.ndarray, of_test: np.ndarray) -> np.ndarray | None:
        if len(np.unique(batches[of_train])) < 2:
            return None
        return probe(train[of_train], batches[of_train], test[of_test])

    return _score(predict, kinds, test_images["cell_type"].to_numpy(str), test_images["batch"].to_numpy(str))


def probe_unseen_batches(embeddings: np.ndarray, images: pd.DataFrame, wells: np.ndarray) -> pd.DataFrame:
    """Probes in five folds of whole wells of the same batches: fitted on four, scored on the fifth.

    The images whose batch-norm statistics the embeddings were made with must not be among them: such statistics push a
    probe below chance.

    Args:
        embeddings: (N, D).
        images: (N, …) batch, cell_type.
        wells: (N,) a well's images stay on one side.

    Returns:
        As `probe_seen_batches`; NaN too where a batch has fewer than five wells.
    """
    batches, kinds = images["batch"].to_numpy(str), images["cell_type"].to_numpy(str)

    def predict(probe: Predictor, own: np.ndarray, _: np.ndarray) -> np.ndarray | None:
        names = np.unique(batches[own])
        if len(names) < 2 or min(len(np.unique(wells[own & (batches == name)])) for name in names) < FOLDS:
            return None
        x, y = embeddings[own], batches[own]
        predicted = np.empty_like(y)
        for train, test in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(x, y, wells[own]):
            predicted[test] = probe(x[train], y[train], x[test])
        return predicted

    return _score(predict, kinds, kinds, batches)


def _score(
    predict: Callable[[Predictor, np.ndarray, np.ndarray], np.ndarray | None],
    train_kinds: np.ndarray,
    test_kinds: np.ndarray,
    test_batches: np.ndarray,
) -> pd.DataFrame:
    """Every probe over all images, and within each cell type: knowing the type alone tells much of the batch."""
    records = []
    for name, probe in {**PROBES, "guess": None}.items():
        right_within = []
        for group, in_train, in_test in _groups(train_kinds, test_kinds):
            truth = test_batches[in_test]
            predicted = _most_frequent(truth) if probe is None else predict(probe, in_train, in_test)
            if not len(truth):
                predicted = None
            right = None if predicted is None else predicted == truth
            records.append((f"probe_{name}", group, np.nan if right is None else right.mean(), len(truth)))
            if group == "all" and right is not None:
                own = [(batch, right[truth == batch]) for batch in np.unique(truth)]
                records += [(f"probe_{name}", f"batch={batch}", of.mean(), len(of)) for batch, of in own]
            # a type of one batch has nothing to tell apart
            if group != "all" and right is not None and len(np.unique(truth)) > 1:
                right_within.append(right)
        pooled = np.concatenate(right_within) if right_within else np.array([])
        records.append((f"probe_{name}", "within", pooled.mean() if len(pooled) else np.nan, len(pooled)))
    frame = pd.DataFrame(records, columns=["metric", "group", "value", "n"])
    frame.insert(1, "subset", "all")
    return frame


def _groups(train_kinds: np.ndarray, test_kinds: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    yield "all", np.ones(len(train_kinds), bool), np.ones(len(test_kinds), bool)
    for kind in np.unique(test_kinds):
        yield f"cell_type={kind}", train_kinds == kind, test_kinds == kind


def _most_frequent(batches: np.ndarray) -> np.ndarray:
    names, counts = np.unique(batches, return_counts=True)
    return np.full(len(batches), names[counts.argmax()]) if len(names) else batches
