"""How accuracy depends on whose images the batch-norm statistics come from."""

from collections.abc import Iterable, Mapping

import pandas as pd

from debatch.evaluate import tidy
from debatch.evaluate.label_shift import label_shift
from debatch.evaluate.metrics import OF_PREDICTIONS
from debatch.evaluate.predictions import score_predictions

COLUMNS = ["statistics", *tidy.COLUMNS, "domain"]
# the subset of all test images
EVERY_IMAGE = "all"


def score_under_statistics(
    statistics: str, predictions: pd.DataFrame, index: pd.DataFrame, subsets: Mapping[str, set[str]]
) -> pd.DataFrame:
    """Every metric of predictions of test images under one choice of test-time statistics.

    Args:
        statistics: its name.
        predictions: as for `score_predictions`; the network chose among all classes that it was trained on.
        index: the screen's images.
        subsets: name -> the images that are scored by themselves.

    Returns:
        `COLUMNS`: the metrics as `score_predictions` has them, of each subset, over all batches and by batch.
    """
    frames = []
    for subset, images in subsets.items():
        metrics = score_predictions(predictions[predictions["image_id"].isin(images)], index, set())
        own = (metrics["subset"] == EVERY_IMAGE) & metrics["metric"].isin(OF_PREDICTIONS)
        chosen = metrics[own & (metrics["cell_type"] == tidy.ALL)]
        frames.append(chosen.assign(statistics=statistics, subset=subset, domain="")[COLUMNS])
    return pd.concat(frames, ignore_index=True)


def count_statistics_images(statistics: str, counts: Iterable[tuple[str, int, int]]) -> pd.DataFrame:
    """How many images the statistics of each batch or plate come from, or could come from.

    Args:
        statistics: their name.
        counts: of each batch or plate: its name, those images, and the test images that are predicted under them.

    Returns:
        `COLUMNS`: metric `statistics_images`; `domain` is the batch or plate.
    """
    shared = (statistics, "statistics_images", EVERY_IMAGE, tidy.ALL, tidy.ALL)
    return pd.DataFrame([(*shared, used, predicted, name) for name, used, predicted in counts], columns=COLUMNS)


def score_label_shift(rows: pd.DataFrame, train_labels: pd.Series, subsets: Mapping[str, set[str]]) -> pd.DataFrame:
    """How far the mix of classes of each test batch is from training, where it holds the images of a subset alone.

    Args:
        rows: of the index, the labelled test images.
        train_labels: (N,) of the training images.
        subsets: name -> images.

    Returns:
        `COLUMNS`: metrics `classes` and `total_variation` (`label_shift`) of each subset, by batch;
        statistics: `none`, since no model is involved.
    """
    found = []
    for subset, images in subsets.items():
        own = rows[rows["image_id"].isin(images)]
        shift = label_shift(own["label"].to_numpy(int), own["batch"].to_numpy(str), train_labels.to_numpy(int))
        for metric in ("classes", "total_variation"):
            shared = {"statistics": "none", "metric": metric, "subset": subset, "cell_type": tidy.ALL, "domain": ""}
            values = {"batch": shift["batch"], "value": shift[metric].astype(float), "n": shift["n"]}
            found.append(pd.DataFrame({**shared, **values}))
    return pd.concat(found, ignore_index=True)[COLUMNS]
