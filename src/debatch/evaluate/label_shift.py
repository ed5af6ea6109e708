"""How far a test batch's mix of classes is from the training set's: the condition that adaptive batch norm rests on."""

import numpy as np
import pandas as pd


def label_shift(labels: np.ndarray, batches: np.ndarray, train_labels: np.ndarray) -> pd.DataFrame:
    """Compare each test batch's class frequencies with the training set's.

    Args:
        labels: (M,) classes of the test images.
        batches: (M,) their batches.
        train_labels: (N,) classes of the training images.

    Returns:
        A row a test batch: batch, n (images), classes (how many it holds), total_variation (half the summed absolute
        difference of frequencies: 0 the same mix, 1 no class in common).
    """
    train = pd.Series(train_labels).value_counts(normalize=True)
    records = []
    for batch, own in pd.Series(labels).groupby(np.asarray(batches)):
        frequencies = own.value_counts(normalize=True)
        both = frequencies.index.union(train.index)
        difference = frequencies.reindex(both, fill_value=0.0) - train.reindex(both, fill_value=0.0)
        records.append((str(batch), len(own), int(own.nunique()), float(difference.abs().sum() / 2)))
    return pd.DataFrame(records, columns=["batch", "n", "classes", "total_variation"])
