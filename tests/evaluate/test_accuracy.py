import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index, with_runners_up

from debatch.evaluate.predictions import score_predictions
from debatch.evaluate.uncertainty import pooled_interval, ratio_interval


@pytest.fixture
def scored():
    """Two batches, 8 images each in 4 wells of 2 sites; class 3 is the control."""
    index = make_index(experiments=2, wells=4, sites=2, cell_types=2)
    predictions = index[["image_id", "label", "batch"]].copy()
    predictions["predicted"] = [0, 1, 1, 1, 2, 0, 3, 3, 0, 0, 1, 1, 2, 2, 0, 3]
    predictions["predicted_well"] = [0, 0, 1, 1, 0, 0, 3, 3, 0, 0, 1, 1, 2, 2, 0, 0]
    predictions["batch_predicted"] = ["E00"] * 12 + ["E01"] * 4
    predictions["statistics_images"] = [64] * 8 + [5] * 8
    return with_runners_up(predictions, predictions["label"].where(predictions.index < 14, 9)), index


def value(metrics, metric, subset="all", cell_type="", batch=""):
    keys = ["metric", "subset", "cell_type", "batch"]
    return metrics.set_index(keys).loc[(metric, subset, cell_type, batch), ["value", "n"]].tolist()


def test_by_hand(scored):
    metrics = score_predictions(*scored, {"E00", "E01"})
    assert value(metrics, "accuracy") == [13 / 16, 16]
    assert value(metrics, "accuracy_well") == [6 / 8, 8]
    assert value(metrics, "accuracy_macro") == [np.mean([3 / 4, 1, 3 / 4, 3 / 4]), 4]
    assert value(metrics, "accuracy", "treatments") == [10 / 12, 12]
    assert value(metrics, "accuracy_top5") == [15 / 16, 16]
    assert value(metrics, "accuracy", cell_type="C0") == [6 / 8, 8]
    assert value(metrics, "accuracy", batch="E01") == [7 / 8, 8]
    assert value(metrics, "accuracy", cell_type="C0", batch="E00") == [6 / 8, 8]
    assert value(metrics, "batch_accuracy") == [12 / 16, 16]
    assert value(metrics, "statistics_images") == [5, 16]
    assert value(metrics, "statistics_images", batch="E00") == [64, 8]


def test_batch_accuracy_is_not_defined_for_unseen_batches(scored):
    metrics = score_predictions(*scored, {"E00"})
    assert value(metrics, "batch_accuracy") == [1.0, 8]
    assert "batch_accuracy" not in set(score_predictions(*scored, set())["metric"])


def test_images_without_a_label_are_not_scored(scored):
    predictions, index = scored
    predictions = predictions.astype({"label": "Int64"})
    predictions.loc[:7, "label"] = pd.NA
    assert value(score_predictions(predictions, index, set()), "accuracy") == [7 / 8, 8]


def test_few_batches_give_their_range_and_more_a_bootstrap():
    assert pooled_interval([0.2, 0.9, 0.5], [1, 1, 1]) == (0.2, 0.9)
    low, high = pooled_interval(np.linspace(0.4, 0.6, 11), np.ones(11))
    assert 0.44 < low < 0.49
    assert 0.51 < high < 0.56
    assert pooled_interval([0.5] * 6, [1] * 6) == (0.5, 0.5)


def test_ratio_interval():
    assert ratio_interval([0.4, 0.6], [1, 1], [0.8, 0.8], [1, 1]) == pytest.approx((0.5, 0.75))
    low, high = ratio_interval(np.linspace(0.4, 0.6, 9), np.ones(9), np.full(9, 0.5), np.ones(9))
    assert low < 1 < high
