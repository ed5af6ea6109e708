import numpy as np
import pandas as pd
from helpers.images import make_index

from debatch.evaluate.nulls import majority_class, position_only, score_nulls
from debatch.evaluate.tidy import of_all


def test_most_frequent_class_is_that_of_training():
    assert majority_class(np.array([3, 1, 3, 0])) == 3
    assert majority_class(np.array([2, 1, 1, 2])) == 1


def test_fixed_layout_is_told_by_the_place_alone_and_a_shuffled_one_is_not():
    index = make_index(6, 40, classes=8)
    train, test = (index["experiment"] < "E04"), (index["experiment"] >= "E04")
    scores = score_nulls(index, index.loc[train, "image_id"], index.loc[test, "image_id"])
    chosen = of_all(scores[(scores["metric"] == "accuracy") & (scores["subset"] == "all")])
    by_null = chosen.set_index("null")["value"]
    assert by_null["position_only"] == 1.0
    assert by_null["majority_class"] == 1 / 8
    shuffled = index.copy()
    shuffled["label"] = pd.array(np.random.default_rng(0).permutation(index["label"]), dtype="Int64")
    scores = score_nulls(shuffled, index.loc[train, "image_id"], index.loc[test, "image_id"])
    by_null = of_all(scores[scores["metric"] == "accuracy"]).groupby("null")["value"].max()
    assert by_null["position_only"] < 0.4


def test_unseen_place_tells_nothing_and_does_not_fail():
    train = pd.DataFrame({"plate": ["1", "1", "1"], "well": ["B02", "B02", "B03"]})
    test = pd.DataFrame({"plate": ["2", "1"], "well": ["P24", "B03"]})
    assert position_only(train, np.array([5, 5, 6]), test).tolist() == [5, 6]


def test_unlabelled_images_are_not_scored():
    index = make_index(3, 8)
    index.loc[index.index[-1], "label"] = pd.NA
    scores = score_nulls(index, index["image_id"][:16], index["image_id"][16:])
    chosen = of_all(scores[(scores["metric"] == "accuracy") & (scores["subset"] == "all")])
    assert set(chosen["n"]) == {7}
