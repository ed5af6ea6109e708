import pandas as pd
import pytest
from helpers.images import make_index

from debatch.config.splits import Splits
from debatch.errors import DataError
from debatch.screen.splits import balance, make_split
from debatch.screen.subsets import images_in, scored_images
from debatch.screen.tasks import left_out_groups

SAYS = {
    "names": ["tasks"],
    "tasks": {"one": {"familiar": True}, "two": {}, "three": {"leave_out": {"B": "plate_name"}}},
    "trains": {"side": ["Train"]},
}


@pytest.fixture
def index():
    """Two parts of 12 images each. In B alone there is a third task, of two plates and of classes that do not train."""
    rows = make_index(experiments=2, wells=12, classes=4).assign(part=["A"] * 12 + ["B"] * 12)
    number = rows.groupby("part").cumcount()
    new = (rows["part"] == "B") & (rows["label"] >= 2)
    rows["side"] = "Test"
    rows.loc[~new & (number < 8), "side"] = "Train"
    tested = ~new & (rows["side"] == "Test")
    rows["one"] = pd.Series("False", rows.index).mask(tested, "True")
    rows["two"] = pd.Series("0", rows.index).mask(tested & (number >= 10), "1").mask(new & (number < 8), "1")
    rows["three"] = pd.Series("FALSE", rows.index).mask(new, "TRUE").where(rows["part"] == "B")
    rows["plate_name"] = ("P" + (number % 2).astype(str)).where(rows["part"] == "B")
    return rows


def test_the_metadata_says_which_images_train_and_which_are_of_a_task(index):
    split = make_split("tasks", index, Splits(**SAYS))
    own = index.set_index("image_id")
    assert split["subset"].unique().tolist() == ["train", "one", "two", "three"]
    assert images_in(split, "train") == set(own.index[own["side"] == "Train"])
    for task in ("one", "two", "three"):
        assert images_in(split, task) == set(own.index[own[task].fillna("no").str.lower().isin(["true", "1"])])
    # of a task without images in a part there is nothing to be said; an image may be in two
    assert {image.split("_")[0] for image in images_in(split, "three")} == {"E01"}
    assert images_in(split, "one") & images_in(split, "two")
    assert scored_images(split) == set(own.index[own["side"] == "Test"])
    assert balance(split, index).set_index("subset").loc["three", "images"] == 6


def test_what_is_in_no_task_trains_where_nothing_else_is_said(index):
    config = Splits(**{**SAYS, "trains": None})
    assert make_split("tasks", index, config).equals(make_split("tasks", index, Splits(**SAYS)))


def test_images_without_a_label_never_train(index, caplog):
    index.loc[0, ["label", "perturbation"]] = None
    split = make_split("tasks", index, Splits(**SAYS))
    assert index["image_id"][0] not in set(split["image_id"])
    assert "1 images that would train have no label and do not, the first E00_1_B02_1" in caplog.text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda rows: rows.drop(columns="two"), "splits.tasks.two: the index has no column 'two'"),
        (lambda rows: rows.assign(two="maybe"), "the column 'two' says 'maybe' of E00_1_B02_1, and neither True nor"),
        (
            lambda rows: rows.assign(three="False"),
            "no image is in the task three: the column 'three' says True of none",
        ),
        (lambda rows: rows.assign(side="train"), "no image trains; see `splits.trains`"),
        (lambda rows: rows.assign(one="True"), r"leaks: \d+ images are in train and in the task one"),
        (
            lambda rows: rows.assign(side=rows["side"].mask(rows["part"] == "B", "no")),
            "8 images of B are in tasks, and none of it trains",
        ),
        (
            lambda rows: rows.assign(perturbation=rows["perturbation"].mask(rows["part"] == "A", "T0")),
            "images of A that train are of the class 'T0', so that there is nothing to tell apart",
        ),
        (
            lambda rows: rows.assign(plate_name="P0"),
            "splits.tasks.three.leave_out: all 6 images of B in the task three have the plate_name 'P0'",
        ),
        (
            lambda rows: rows.assign(plate_name=rows["plate_name"].mask(rows["plate_name"] == "P1")),
            "3 of 6 images of B in the task three have no 'plate_name', the first E01_1_B05_1",
        ),
    ],
)
def test_a_split_of_tasks_that_cannot_be_drawn_is_said(index, change, error):
    with pytest.raises(DataError, match=error):
        make_split("tasks", change(index), Splits(**SAYS))


def test_groups_are_left_out_where_the_task_says_so(index):
    config = Splits(**SAYS)
    own = index[(index["part"] == "B") & (index["three"] == "TRUE")]
    assert left_out_groups(own, config, "three", "B").tolist() == ["P0", "P1"] * 3
    assert left_out_groups(index[index["part"] == "A"], config, "three", "A") is None
    assert left_out_groups(own, config, "one", "B") is None
