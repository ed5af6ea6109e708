import pandas as pd
import pytest
from helpers.images import make_index, with_runners_up

from debatch.evaluate.many_statistics import count_statistics_images, score_label_shift, score_under_statistics

INDEX = make_index(experiments=2, wells=4, sites=2)


def scored():
    """E00: 6 of 8 images right, E01: 2 of 8; class 0 always wrong, and so is class 1 in E01."""
    wrong = (INDEX["label"] == 0) | ((INDEX["batch"] == "E01") & (INDEX["label"] < 3))
    predictions = INDEX[["image_id", "label", "batch"]].assign(
        predicted=INDEX["label"].where(~wrong, 9), batch_predicted=None, statistics_images=8
    )
    predictions["predicted_well"] = INDEX["label"]
    predictions = with_runners_up(predictions, 9)
    subsets = {"all": set(INDEX["image_id"]), "classes_50": set(INDEX.loc[INDEX["label"] < 2, "image_id"])}
    return score_under_statistics("n8", predictions, INDEX, subsets)


def value(frame, metric, subset, batch="", domain=""):
    keys = ["metric", "subset", "cell_type", "batch", "domain"]
    return tuple(frame.set_index(keys).loc[(metric, subset, "", batch, domain), ["value", "n"]])


def test_accuracies_by_hand():
    frame = scored()
    assert set(frame["statistics"]) == {"n8"}
    assert value(frame, "accuracy", "all") == (0.5, 16)
    assert value(frame, "accuracy", "all", "E00") == (0.75, 8)
    assert value(frame, "accuracy", "classes_50") == (0.25, 8)
    assert value(frame, "accuracy", "classes_50", "E01") == (0, 4)
    assert value(frame, "accuracy_well", "all") == (1.0, 8)


def test_images_that_statistics_come_from_are_counted_by_place():
    frame = count_statistics_images("plate_n8", [("E00_1", 8, 20), ("E00_2", 0, 3)])
    assert value(frame, "statistics_images", "all", domain="E00_2") == (0, 3)
    assert frame["value"].tolist() == [8, 0]


def test_half_of_the_classes_alone_is_half_a_shift():
    subsets = {"all": set(INDEX["image_id"]), "classes_50": set(INDEX.loc[INDEX["label"] < 2, "image_id"])}
    frame = score_label_shift(INDEX, pd.Series([0, 1, 2, 3]), subsets)
    assert value(frame, "total_variation", "all", "E00") == (0.0, 8)
    assert value(frame, "classes", "all", "E00") == (4, 8)
    # two classes at 1/2 in place of four at 1/4
    assert value(frame, "total_variation", "classes_50", "E01") == (pytest.approx(0.5), 4)
    assert value(frame, "classes", "classes_50", "E01") == (2, 4)
