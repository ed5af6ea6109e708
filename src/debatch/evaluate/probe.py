"""Post-hoc probes: what can still be read from frozen embeddings, whatever a head trained beside them says."""

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

FOLDS = 5


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
    return float(np.mean(_predictions(train, train_batches, test) == test_batches))


def batch_probe_across_wells(embeddings: np.ndarray, batches: np.ndarray, wells: np.ndarray) -> float:
    """As `batch_probe`, in five folds of whole wells of the same batches: fitted on four, scored on the fifth.

    The images whose batch-norm statistics the embeddings were made with must not be among them: such statistics push a
    probe below chance.

    Args:
        embeddings: (N, D).
        batches: (N,).
        wells: (N,) a well's images stay on one side.

    Returns:
        Accuracy over all images; NaN where there are fewer than two batches, or a batch has fewer than five wells.
    """
    fewest = min((len(np.unique(wells[batches == batch])) for batch in np.unique(batches)), default=0)
    if len(np.unique(batches)) < 2 or fewest < FOLDS:
        return float("nan")
    right = np.zeros(len(batches), bool)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for train, test in folds.split(embeddings, batches, wells):
        right[test] = _predictions(embeddings[train], batches[train], embeddings[test]) == batches[test]
    return float(right.mean())


def batch_probe_within_cell_types(
    train: np.ndarray,
    train_batches: np.ndarray,
    train_cell_types: np.ndarray,
    test: np.ndarray,
    test_batches: np.ndarray,
    test_cell_types: np.ndarray,
) -> dict[str, float]:
    """`batch_probe` within each cell type: to know the cell type alone already tells much of the batch.

    Returns:
        Cell type -> accuracy.
    """
    found = {}
    for cell_type in np.unique(test_cell_types):
        fitted, scored = train_cell_types == cell_type, test_cell_types == cell_type
        found[str(cell_type)] = batch_probe(train[fitted], train_batches[fitted], test[scored], test_batches[scored])
    return found


def _predictions(train: np.ndarray, batches: np.ndarray, test: np.ndarray) -> np.ndarray:
    scaler = StandardScaler().fit(train)  # a constant feature becomes 0
    probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(scaler.transform(train), batches)
    return np.asarray(probe.predict(scaler.transform(test)))
