import numpy as np
import pandas as pd
from helpers.images import make_index

from debatch.embedding_table import prediction_table
from debatch.evaluate.nulls import class_frequencies, position_only, score_nulls
from debatch.evaluate.tidy import of_all


def test_classes_are_as_frequent_as_in_training():
    np.testing.assert_allclose(np.exp(class_frequencies(np.array([3, 1, 3, 0]), 2)), [[0.25, 0.25, 0.5]] * 2)


def test_of_two_classes_that_are_as_frequent_the_first_is_guessed():
    index = make_index(2, 8)
    index["label"] = pd.array([2, 1, 1, 2, 0, 2, 1, 3] * 2, dtype="Int64")
    guess = prediction_table(index, class_frequencies(np.array([2, 1, 1, 2]), len(index)), np.array([1, 2]))
    assert set(guess["predicted"]) == set(guess["class_1"]) == set(guess["predicted_well"]) == {1}
    assert set(guess["class_2"]) == {2}
    assert set(guess["class_3"]) == {-1}


def test_a_guess_of_five_classes_takes_the_most_frequent_ones():
    index = make_index(4, 16, classes=16)
    index["label"] = pd.array(np.resize([0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 6, 7, 8, 9, 10], len(index)), dtype="Int64")
    scores = score_nulls(index, index["image_id"][:32], index["image_id"][32:])
    chosen = of_all(scores[(scores["subset"] == "all") & (scores["null"] == "majority_class")])
    by_metric = chosen.set_index("metric")["value"]
    assert by_metric["accuracy"] == 2 / 16
    assert by_metric["accuracy_top5"] == 10 / 16


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
    assert position_only(train, np.array([5, 5, 6]), test).argmax(axis=1).tolist() == [0, 1]


def test_unlabelled_images_are_not_scored():
    index = make_index(3, 8)
    index.loc[index.index[-1], "label"] = pd.NA
    scores = score_nulls(index, index["image_id"][:16], index["image_id"][16:])
    chosen = of_all(scores[(scores["metric"] == "accuracy") & (scores["subset"] == "all")])
    assert set(chosen["n"]) == {7}
