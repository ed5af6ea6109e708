"""A run's predictions, scored by every metric of predictions, of every group of images that tables show."""

import pandas as pd

from debatch.evaluate.metrics import OF_PREDICTIONS
from debatch.evaluate.tidy import ALL, COLUMNS, of_all

# of a metric: its name, a share, and of how many
Score = tuple[str, float, int]


def score_predictions(predictions: pd.DataFrame, index: pd.DataFrame, training_batches: set[str]) -> pd.DataFrame:
    """Score a run's test predictions; images without a label are not scored.

    Args:
        predictions: as `prediction_table` makes them.
        index: the screen's images: image_id, experiment, plate, well, cell_type, well_type.
        training_batches: batches that the batch head was trained on; the accuracy of the others is not defined.

    Returns:
        Tidy: metric, subset, cell_type, batch, value (a share in [0, 1]), n (what it is a share of). Metrics: those of
        `OF_PREDICTIONS`, over all classes, controls included; `batch_accuracy`, of the batch head. Subsets: `all`,
        `treatments`. `cell_type` and `batch` are empty where a row is of all of them. And `statistics_images`, the
        fewest images that batch-norm statistics come from.
    """
    columns = ["image_id", "experiment", "plate", "well", "cell_type", "well_type"]
    rows = predictions.merge(index[columns], on="image_id", how="left", validate="one_to_one")
    scored = rows[rows["label"].notna()]
    records = []
    for subset, chosen in (("all", scored), ("treatments", scored[scored["well_type"] == "treatment"])):
        whole: dict[str, tuple[int, list[Score]]] = {}
        for (kind, batch), images in _groups(chosen):
            # a batch of one cell type, and a screen of one, is scored once
            size, scores = whole.get(batch, (0, []))
            if len(images) != size:
                scores = [(name, *metric.score(images)) for name, metric in OF_PREDICTIONS.items() if metric.score]
            if not kind:
                whole[batch] = len(images), scores
            records += [(name, subset, kind, batch, value, n) for name, value, n in scores]
    for group, images in _groups(rows):
        records.append(("statistics_images", "all", *group, float(images["statistics_images"].min()), len(images)))
    seen = rows[rows["batch"].isin(training_batches) & rows["batch_predicted"].notna()]
    for group, images in _groups(seen):
        right = (images["batch_predicted"] == images["batch"]).mean()
        records.append(("batch_accuracy", "all", *group, float(right), len(images)))
    return pd.DataFrame(records, columns=COLUMNS)


def score_all(predictions: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """The metrics of predictions over all test images: metric, value, n."""
    scores = of_all(score_predictions(predictions, index, set()))
    return scores.loc[(scores["subset"] == "all") & scores["metric"].isin(OF_PREDICTIONS), ["metric", "value", "n"]]


def score_split(predictions: pd.DataFrame, index: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """`score_predictions` of a run that was trained on a split: image_id, subset."""
    trained = set(split.loc[split["subset"] == "train", "image_id"])
    return score_predictions(predictions, index, set(index.loc[index["image_id"].isin(trained), "batch"]))


def _groups(images: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Cell type and batch of each group of images, and the images."""
    if images.empty:
        return []
    parts: list[tuple[tuple[str, str], pd.DataFrame]] = [((ALL, ALL), images)]
    parts += [((str(kind), ALL), part) for kind, part in images.groupby("cell_type")]
    parts += [((ALL, str(batch)), part) for batch, part in images.groupby("batch")]
    parts += [((str(kind), str(batch)), part) for (kind, batch), part in images.groupby(["cell_type", "batch"])]
    return parts
