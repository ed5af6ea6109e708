"""What can be scored without looking at an image: beside these numbers stand all others."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sklearn.naive_bayes import CategoricalNB

from debatch.embedding_table import prediction_table
from debatch.evaluate.predictions import score_predictions
from debatch.evaluate.tidy import COLUMNS


def score_nulls(index: pd.DataFrame, train: Iterable[str], test: Iterable[str]) -> pd.DataFrame:
    """Score two guesses on a split's test images.

    `majority_class` always answers with the most frequent class of the training images. `position_only` knows nothing
    of an image but its plate's name and its well's place: where layouts repeat, they give the class away.

    Args:
        index: the screen's images.
        train: image_id of the training images.
        test: image_id of the test images.

    Returns:
        Tidy, as `score_predictions` gives it, with the guess in a first column `null`.
    """
    rows = index[index["label"].notna()]
    trained, tested = rows[rows["image_id"].isin(set(train))], rows[rows["image_id"].isin(set(test))]
    labels = trained["label"].to_numpy(np.int64)
    guesses = {
        "majority_class": class_frequencies(labels, len(tested)),
        "position_only": position_only(trained, labels, tested),
    }
    scored = []
    for name, guess in guesses.items():
        metrics = score_predictions(prediction_table(tested, guess, np.unique(labels)), index, set())
        scored.append(metrics[metrics["metric"] != "statistics_images"].assign(null=name))
    return pd.concat(scored, ignore_index=True)[["null", *COLUMNS]]


def class_frequencies(train_labels: np.ndarray, images: int) -> np.ndarray:
    """(images, K) logarithms of how frequent the K classes are: the same for every image."""
    _, counts = np.unique(train_labels, return_counts=True)
    return np.broadcast_to(np.log(counts / counts.sum()), (images, len(counts)))


def position_only(train: pd.DataFrame, train_labels: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    """Log-probabilities of the classes from the plate's name and the well, by naive Bayes.

    Args:
        train: (N, …) plate, well.
        train_labels: (N,).
        test: (M, …) plate, well; a name that training has not seen counts for nothing.

    Returns:
        (M, K), the classes in order.
    """
    columns = ["plate", "well"]
    codes = [pd.factorize(pd.concat([train[column], test[column]]), sort=True) for column in columns]
    features = np.stack([code for code, _ in codes], axis=1)
    # little smoothing: a well that held one class in every training batch predicts it
    model = CategoricalNB(alpha=0.01, min_categories=[len(names) for _, names in codes])
    model.fit(features[: len(train)], train_labels)
    for likelihood, counts in zip(model.feature_log_prob_, model.category_count_, strict=True):
        likelihood[:, counts.sum(axis=0) == 0] = 0  # else an unseen name would speak for the rare classes
    places, place = np.unique(features[len(train) :], axis=0, return_inverse=True)
    return np.asarray(model.predict_log_proba(places))[place.ravel()]
