"""Named tasks: nearest neighbours by hand and by scikit-learn, groups left out, the published means."""

import csv

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from debatch.config.splits import Splits
from debatch.errors import DataError
from debatch.evaluate import f1_by_class, macro_f1, nearest_label
from debatch.evaluate.tasks import ALL, ood_means, task_scores

TASKS = Splits(
    names=["tasks"],
    tasks={"one": {"familiar": True}, "two": {}, "three": {"leave_out": {"B": "plate_name"}}},
)


def test_f1_of_scikit_learn():
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 5, 200), generator.integers(0, 9, 200)
    classes, f1, counts = f1_by_class(labels, predicted)
    expected = f1_score(labels, predicted, labels=classes, average=None)
    np.testing.assert_allclose(f1, expected)
    assert macro_f1(labels, predicted) == pytest.approx(expected.mean())
    assert counts.tolist() == np.bincount(labels).tolist()


def test_f1_counts_classes_that_are_there_alone():
    # a: 1 of 2 found, called once; b: found, called twice; c is called once and is nowhere
    labels, predicted = np.array(["a", "a", "b"]), np.array(["a", "b", "b"])
    assert macro_f1(labels, predicted) == pytest.approx(2 / 3)
    assert macro_f1(labels, np.array(["c", "c", "c"])) == 0.0
    assert np.isnan(macro_f1(np.array([]), np.array([])))
    with pytest.raises(ValueError, match="need one each"):
        macro_f1(labels, predicted[:2])


def test_nearest_label_of_scikit_learn():
    generator = np.random.default_rng(1)
    bank, queries = generator.standard_normal((300, 6)), generator.standard_normal((1100, 6))
    labels = generator.integers(0, 7, 300)
    expected = KNeighborsClassifier(1, metric="cosine").fit(bank, labels).predict(queries)
    np.testing.assert_array_equal(nearest_label(bank, labels, queries), expected)


def test_nearest_label_of_other_groups_is_that_of_a_bank_without_the_group():
    generator = np.random.default_rng(2)
    train, task = generator.standard_normal((40, 4)), generator.standard_normal((700, 4))
    train_labels, labels = generator.integers(0, 4, 40), generator.integers(4, 9, 700)
    groups = generator.integers(0, 3, 700)
    bank, of_bank = np.concatenate([train, task]), np.concatenate([train_labels, labels])
    found = nearest_label(bank, of_bank, task, np.concatenate([np.full(40, -1), groups]), groups)
    for group in range(3):
        left = np.concatenate([np.full(40, True), groups != group])
        expected = nearest_label(bank[left], of_bank[left], task[groups == group])
        np.testing.assert_array_equal(found[groups == group], expected)
    with pytest.raises(ValueError, match="all 700 embeddings of the bank are of the group 0"):
        nearest_label(task, labels, task, np.zeros(700, int), np.zeros(700, int))


def test_an_embedding_without_a_direction_is_no_neighbour_and_gets_the_most_frequent_label():
    bank = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.1, 1.0]])
    labels, groups = np.array(["none", "x", "y", "y"]), np.array([-1, 0, 1, 1])
    queries = np.array([[0.0, 0.0], [1.0, 0.1]])
    assert nearest_label(bank, labels, queries).tolist() == ["y", "x"]
    assert nearest_label(bank, labels, queries, groups, np.array([1, 0])).tolist() == ["y", "y"]


def test_the_published_mean_of_fixed_channels(root):
    """Three decimals of the paper, from its row's tasks: each part weighs the same, whatever its tasks."""
    with open(root / "resources/published/published.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["paper"] == "chammi" and row["table"] == "table3"]
    own = {row["column"]: float(row["value"]) for row in rows if row["row"] == "FixedChannels"}
    scores = {
        part: {name: value for name, value in own.items() if name.startswith(f"{part}_task")}
        for part in ("wtc", "hpa", "cp")
    }
    assert [len(tasks) for tasks in scores.values()] == [1, 2, 3]
    means = ood_means(scores)
    assert round(means[ALL], 3) == own["ood_mean"] == 0.614
    assert {f"ood_{part}": pytest.approx(means[part], abs=0.0006) for part in scores} == {
        name: own[name] for name in ("ood_wtc", "ood_hpa", "ood_cp")
    }
    assert ood_means({"a": {"x": 0.861}, "b": {"x": 0.932, "y": 0.551}, "c": {"x": 0.484, "y": 0.123, "z": 0.112}})[
        ALL
    ] == pytest.approx(0.614, abs=0.0005)


def made(rows):
    """Index, split and embeddings of rows: part, subsets, class, plate, direction in degrees."""
    index = pd.DataFrame(
        [(f"{part}{n}", part, label, plate) for n, (part, _, label, plate, _) in enumerate(rows)],
        columns=["image_id", "part", "perturbation", "plate_name"],
    )
    pairs = [(image, subset) for image, row in zip(index["image_id"], rows, strict=True) for subset in row[1].split()]
    split = pd.DataFrame(pairs, columns=["image_id", "subset"])
    angles = np.deg2rad([row[4] for row in rows])
    frame = pd.DataFrame(
        {"Metadata_Image": index["image_id"], "embedding_0": np.cos(angles), "embedding_1": np.sin(angles)}
    ).astype({"embedding_0": np.float32, "embedding_1": np.float32})
    train = np.array([row[1] == "train" for row in rows])
    return frame[train], frame[~train], index, split


ROWS = [
    ("A", "train", "a", None, 0),
    ("A", "train", "b", None, 90),
    ("A", "one", "a", None, 10),
    ("A", "one two", "b", None, 80),
    ("A", "two", "b", None, 20),
    # of the other part's training images none is a neighbour, however near
    ("B", "train", "c", None, 85),
    ("B", "train", "d", None, 200),
    ("B", "one", "c", None, 5),
    # new classes: neighbours of the other plate alone
    ("B", "three", "e", "P1", 300),
    ("B", "three", "e", "P2", 302),
    ("B", "three", "f", "P1", 320),
    ("B", "three", "f", "P2", 321),
    # nearest of its own plate, which is barred
    ("B", "three", "e", "P1", 322),
]


def scores(rows, config=TASKS):
    return task_scores(*made(rows), config).set_index(["metric", "part", "task", "class"])["value"]


def test_scores_by_hand():
    found = scores(ROWS)
    assert found["task_f1", "A", "one", ""] == 1.0
    # task two: both b; the one at 20 degrees is called a
    assert found["task_f1", "A", "two", ""] == found["class_f1", "A", "two", "b"] == pytest.approx(2 / 3)
    assert found["task_accuracy", "A", "two", ""] == 0.5
    assert found["task_f1", "B", "one", ""] == 1.0
    # three: the e at 322 is called f, as the f of the other plate is nearest
    assert found["class_f1", "B", "three", "e"] == pytest.approx(2 * 2 / (3 + 2))
    assert found["class_f1", "B", "three", "f"] == pytest.approx(2 * 2 / (2 + 3))
    assert found["ood_f1", "A", "", ""] == pytest.approx(2 / 3)
    assert found["ood_f1", "B", "", ""] == found["task_f1", "B", "three", ""] == pytest.approx(0.8)
    assert found["ood_f1", "", "", ""] == pytest.approx((2 / 3 + 0.8) / 2)
    assert ("task_f1", "B", "two", "") not in found.index


def test_without_groups_left_out_new_classes_cannot_be_right():
    plain = Splits(names=["tasks"], tasks={"one": {}, "two": {}, "three": {}})
    assert scores(ROWS, plain)["task_f1", "B", "three", ""] == 0.0


def test_no_number_depends_on_the_order_of_images():
    training, scored, index, split = made(ROWS)
    first = task_scores(training, scored, index, split, TASKS)
    again = task_scores(training.iloc[::-1], scored.sample(frac=1, random_state=0), index, split.iloc[::-1], TASKS)
    pd.testing.assert_frame_equal(first, again)


def test_a_run_of_one_part_has_no_mean_over_parts():
    training, scored, index, split = made(ROWS)
    own = [frame[frame["Metadata_Image"].str.startswith("B")] for frame in (training, scored)]
    found = task_scores(*own, index, split, TASKS)
    assert set(found["part"]) == {"B"}
    assert found.loc[found["metric"] == "ood_f1", "part"].tolist() == ["B"]


def test_images_without_a_label_or_a_direction_are_left_out(caplog):
    rows = [*ROWS, ("A", "one", None, None, 45)]
    assert scores(rows).equals(scores(ROWS))
    assert "1 of 10 images have no label or no finite embedding" in caplog.text


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([row for row in ROWS if row[:2] != ("B", "train")], "no training image of B has a label"),
        ([row for row in ROWS if row[1] == "train"], "no image of any task of the split has a label"),
        (
            [(*row[:3], row[3] and "P1", row[4]) for row in ROWS],
            "all 5 images of B in the task three have the plate_name 'P1', so that without them none",
        ),
    ],
)
def test_what_cannot_be_scored_is_said(rows, error):
    with pytest.raises(DataError, match=error):
        scores(rows)
