"""Accuracy of a run's predictions, in every form that the tables need."""

import pandas as pd

from debatch.evaluate.tidy import ALL, COLUMNS


def score_predictions(predictions: pd.DataFrame, index: pd.DataFrame, training_batches: set[str]) -> pd.DataFrame:
    """Score a run's test predictions; images without a label are not scored.

    Args:
        predictions: image_id, label, predicted, predicted_well, batch, batch_predicted, statistics_images.
        index: the screen's images: image_id, experiment, plate, well, cell_type, well_type.
        training_batches: batches that the batch head was trained on; the accuracy of the others is not defined.

    Returns:
        Tidy: metric, subset, cell_type, batch, value (a share in [0, 1]), n (what it is a share of). Metrics:
        `accuracy` per image, micro-averaged over all classes, controls included (RxRx1 paper, section 3.2.1);
        `accuracy_well`; `accuracy_macro`, the mean over classes; `batch_accuracy`, of the batch head.
        Subsets: `all`, `treatments`. `cell_type` and `batch` are empty where a row is of all of them. And
        `statistics_images`, the fewest images that batch-norm statistics come from.
    """
    columns = ["image_id", "experiment", "plate", "well", "cell_type", "well_type"]
    rows = predictions.merge(index[columns], on="image_id", how="left", validate="one_to_one")
    scored = rows[rows["label"].notna()].copy()
    scored["correct"] = scored["predicted"] == scored["label"]
    scored["correct_well"] = scored["predicted_well"] == scored["label"]
    records = []
    for subset, chosen in (("all", scored), ("treatments", scored[scored["well_type"] == "treatment"])):
        for group, images in _groups(chosen):
            records += _accuracies(images, subset, group)
    for group, images in _groups(rows):
        records.append(("statistics_images", "all", *group, float(images["statistics_images"].min()), len(images)))
    seen = rows[rows["batch"].isin(training_batches) & rows["batch_predicted"].notna()]
    for group, images in _groups(seen):
        right = (images["batch_predicted"] == images["batch"]).mean()
        records.append(("batch_accuracy", "all", *group, float(right), len(images)))
    return pd.DataFrame(records, columns=COLUMNS)


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


def _accuracies(images: pd.DataFrame, subset: str, group: tuple[str, str]) -> list[tuple]:
    wells = images.drop_duplicates(["experiment", "plate", "well"])
    by_class = images.groupby("label")["correct"].mean()
    return [
        ("accuracy", subset, *group, float(images["correct"].mean()), len(images)),
        ("accuracy_well", subset, *group, float(wells["correct_well"].mean()), len(wells)),
        ("accuracy_macro", subset, *group, float(by_class.mean()), len(by_class)),
    ]
