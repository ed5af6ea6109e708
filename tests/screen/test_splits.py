import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from debatch.config.splits import Splits
from debatch.errors import DataError
from debatch.screen.splits import balance, check_split, make_split, split_sha256
from debatch.screen.subsets import images_in, scored_images


def joined(index, split):
    return index.merge(split, on="image_id")


def test_separated_holds_out_a_third_of_each_cell_types_batches():
    index = make_index(experiments=9, wells=4, cell_types=2)  # 5 of C0, 4 of C1
    rows = joined(index, make_split("separated", index, Splits()))
    held_out = rows[rows["subset"] == "test"].groupby("cell_type")["batch"].nunique()
    assert held_out.to_dict() == {"C0": 2, "C1": 1}


def test_separated_takes_named_batches_or_the_metadatas_own_column():
    index = make_index(experiments=4, wells=4)
    rows = joined(index, make_split("separated", index, Splits(test_batches=["E02"])))
    assert set(rows.loc[rows["subset"] == "test", "batch"]) == {"E02"}
    index["official_subset"] = np.where(index["batch"] == "E01", "test", "train")
    rows = make_split("separated", index, Splits())
    assert rows.loc[rows["subset"] == "test", "image_id"].str.startswith("E01").all()
    with pytest.raises(DataError, match="no batch 'E9'"):
        make_split("separated", index, Splits(test_batches=["E9"]))


def test_one_well_of_each_class_in_each_batch_is_level_in_both_margins():
    """51 batches of which 18 test, and 102 classes with one well each: exactly 18 of 51 in both margins."""
    index = make_index(experiments=51, wells=102, classes=102)
    tested = sorted(index["batch"].unique())[:18]
    rows = joined(index, make_split("stratified", index, Splits(test_batches=tested)))
    test = rows["subset"] == "test"
    assert set(test.groupby(rows["label"]).sum()) == {18}
    assert set(test.groupby(rows["batch"]).sum()) == {36}


@settings(max_examples=25)
@given(experiments=st.integers(3, 12), classes=st.integers(2, 9), copies=st.integers(1, 4), seed=st.integers(0, 5))
def test_stratified_is_level_in_both_margins_and_keeps_wells_whole(experiments, classes, copies, seed):
    index = make_index(experiments, wells=classes * copies, sites=2, classes=classes)
    rows = joined(index, make_split("stratified", index, Splits(seed=seed)))
    wells = rows.drop_duplicates(["experiment", "well"])
    assert (rows.groupby(["experiment", "well"])["subset"].nunique() == 1).all()
    assert len(rows) == len(index)
    test = wells["subset"] == "test"
    by_class = test.groupby(wells["label"]).sum()
    by_batch = test.groupby(wells["batch"]).sum()
    assert by_class.max() - by_class.min() <= 1
    assert by_batch.max() - by_batch.min() <= 1
    assert test.mean() == pytest.approx(round(experiments / 3) / experiments)


def of_four_cell_types(missing: int, classes: int = 60) -> tuple[pd.DataFrame, Splits]:
    """A screen of RxRx1's batches: a well of each class in each, but for some that are missing."""
    batches = {"HUVEC": (16, 8), "RPE": (7, 4), "HEPG2": (7, 4), "U2OS": (3, 2)}
    rows = [
        {"experiment": f"{kind}-{at:02d}", "cell_type": kind, "label": label, "official_subset": side}
        for kind, (train, test) in batches.items()
        for at, side in enumerate(["train"] * train + ["test"] * test)
        for label in range(classes)
    ]
    index = pd.DataFrame(rows).assign(plate="1", site="1", batch=lambda own: own["experiment"])
    index["well"], index["perturbation"] = index["label"].astype(str), index["label"].astype(str)
    index["image_id"] = index["experiment"] + "_1_" + index["well"] + "_1"
    lost = np.random.default_rng(missing).choice(len(index), missing, replace=False)
    return index.drop(index.index[lost]).reset_index(drop=True), Splits()


def own_training_wells(index: pd.DataFrame, split: pd.DataFrame) -> pd.Series:
    """By cell type and class that is tested: training wells of that class in that cell type."""
    rows = joined(index, split)
    counts = rows.groupby(["cell_type", "label", "subset"]).size().unstack(fill_value=0)
    return counts.loc[counts["test"] > 0, "train"]


@pytest.mark.parametrize("missing", [0, 150])
@pytest.mark.parametrize("name", ["stratified", "stratified_site"])
def test_no_test_image_has_fewer_training_wells_of_its_class_and_cell_type_than_under_separated(name, missing):
    """Else the upper bound that unseen batches are held against would be handicapped."""
    index, config = of_four_cell_types(missing)
    separated = own_training_wells(index, make_split("separated", index, config))
    stratified = own_training_wells(index, make_split(name, index, config))
    both = stratified.align(separated, join="inner")
    assert len(both[0]) == len(stratified)
    assert (both[0] >= both[1]).all()
    if not missing:
        assert both[0].groupby("cell_type").unique().map(list).to_dict() == {
            "HUVEC": [16], "RPE": [7], "HEPG2": [7], "U2OS": [3]
        }  # fmt: skip


def test_classes_are_tested_on_many_different_sets_of_batches_and_each_batch_on_its_share():
    index, config = of_four_cell_types(0)
    rows = joined(index, make_split("stratified", index, config))
    test = rows[rows["subset"] == "test"]
    for cell_type, least in (("HUVEC", 50), ("RPE", 40), ("HEPG2", 40), ("U2OS", 10)):  # of 60; U2OS has 10 at most
        own = test[test["cell_type"] == cell_type]
        assert own.groupby("label")["batch"].agg(lambda batches: tuple(sorted(batches))).nunique() >= least
        counts = own["batch"].value_counts()
        assert counts.max() - counts.min() <= 1
    drawn = {split_sha256(make_split("stratified", index, Splits(seed=seed))) for seed in range(6)}
    assert len(drawn) == 6


def test_class_that_separated_has_on_one_side_alone_is_drawn_by_the_papers_share():
    """As where plates hold perturbations of their own: `separated` could score none of them."""
    index = make_index(experiments=4, wells=102, classes=2)
    index["label"] += 2 * index["batch"].factorize()[0]
    index["perturbation"] = index["label"].astype(str)
    rows = joined(index, make_split("stratified", index, Splits()))
    assert set((rows["subset"] == "test").groupby(rows["label"]).sum()) == {18}


def test_split_depends_on_the_seed_and_on_nothing_else():
    index = make_index(experiments=6, wells=8)
    first = make_split("stratified", index, Splits(seed=0))
    assert split_sha256(make_split("stratified", index, Splits(seed=0))) == split_sha256(first)
    assert split_sha256(first.sample(frac=1, random_state=0)) == split_sha256(first)
    assert split_sha256(make_split("stratified", index, Splits(seed=1))) != split_sha256(first)


def test_image_without_a_label_never_trains_and_feeds_statistics_of_a_test_batch():
    index = make_index(experiments=3, wells=4)
    index.loc[index["well"] == "B02", ["label", "perturbation"]] = [pd.NA, None]
    rows = joined(index, make_split("separated", index, Splits(test_batches=["E00"])))
    unlabelled = rows[rows["label"].isna()]
    assert set(unlabelled["subset"]) == {"test"}
    assert set(unlabelled["batch"]) == {"E00"}


def test_class_that_was_never_trained_is_named():
    index = make_index(experiments=3, wells=4)
    index.loc[(index["batch"] != "E00") & (index["label"] == 2), ["label", "perturbation"]] = [0, "T0"]
    with pytest.raises(DataError, match="1 of the test set's classes have no training image: T2"):
        make_split("separated", index, Splits(test_batches=["E00"]))


def test_leaks_are_found():
    index = make_index(experiments=3, wells=4, sites=2)
    split = make_split("stratified", index, Splits())
    straddling = split.copy()
    at = straddling.index[straddling["subset"] == "test"][0]
    straddling.loc[at, "subset"] = "train"
    with pytest.raises(DataError, match="1 well on both sides"):
        check_split("stratified", straddling, index)
    with pytest.raises(DataError, match="batch on both sides"):
        check_split("separated", split, index)
    twice = pd.concat([split, split.iloc[[at]].assign(subset="train")])
    with pytest.raises(DataError, match="image_id on both sides"):
        check_split("stratified", twice, index)


def test_one_batch_only_says_so():
    with pytest.raises(DataError, match="no image in test; the screen has 1 batches: E00"):
        make_split("separated", make_index(experiments=1, wells=4), Splits())


def test_validation_split_holds_out_one_training_batch_of_each_cell_type_and_has_no_test_image():
    index = make_index(experiments=9, wells=4, cell_types=2)
    config = Splits(seed=3)
    separated = make_split("separated", index, config).set_index("image_id")["subset"]
    validation = make_split("separated_val", index, config).set_index("image_id")["subset"]
    assert set(validation) == {"train", "val"}
    assert set(validation.index) == set(separated.index[separated == "train"])
    held_out = index[index["image_id"].isin(validation.index[validation == "val"])]
    assert held_out.groupby("cell_type")["batch"].nunique().to_dict() == {"C0": 1, "C1": 1}
    assert scored_images(validation.reset_index()) == set(held_out["image_id"])
    assert scored_images(separated.reset_index()) == set(separated.index[separated == "test"])


def test_metadatas_own_validation_batches_count():
    index = make_index(experiments=4, wells=4)
    index["official_subset"] = index["batch"].map({"E00": "train", "E01": "train", "E02": "val", "E03": "test"})
    rows = joined(index, make_split("separated_val", index, Splits()))
    assert rows.groupby("subset")["batch"].unique().map(sorted).to_dict() == {"train": ["E00", "E01"], "val": ["E02"]}


def test_official_column_with_another_word_says_so():
    index = make_index(experiments=3, wells=4)
    index["official_subset"] = "holdout"
    with pytest.raises(DataError, match=r"columns.subset: 'holdout' is not one of train, val, test"):
        make_split("separated", index, Splits())


@settings(max_examples=20)
@given(experiments=st.integers(4, 12), cell_types=st.integers(1, 3), folds=st.integers(2, 4), seed=st.integers(0, 5))
def test_each_batch_is_tested_in_exactly_one_fold(experiments, cell_types, folds, seed):
    index = make_index(experiments, wells=4, cell_types=cell_types)
    config = Splits(names=["fold1"], folds=folds, seed=seed)
    tested = []
    for number in range(1, folds + 1):
        rows = joined(index, make_split(f"fold{number}", index, config))
        assert len(rows) == len(index)
        tested.append(sorted(rows.loc[rows["subset"] == "test", "batch"].unique()))
    assert sorted(batch for fold in tested for batch in fold) == sorted(index["batch"].unique())
    sizes = [len(fold) for fold in tested]
    assert max(sizes) - min(sizes) <= 1


def test_more_folds_than_batches_say_so():
    with pytest.raises(DataError, match=r"3 batches cannot fill 5 folds; set fewer `splits.folds`"):
        make_split("fold5", make_index(experiments=3, wells=4), Splits(names=["fold1"], folds=5))
    with pytest.raises(ValueError, match="fold4 needs `folds: 4` or more"):
        Splits(names=["fold4"], folds=3)


@settings(max_examples=20)
@given(experiments=st.integers(2, 6), sites=st.integers(2, 5), seed=st.integers(0, 5))
def test_stratified_site_splits_sites_of_a_well_and_stays_level(experiments, sites, seed):
    index = make_index(experiments, wells=12, sites=sites, classes=4)
    split = make_split("stratified_site", index, Splits(seed=seed))
    rows = joined(index, split)
    assert len(rows) == len(index)
    test = rows["subset"] == "test"
    by_class = test.groupby(rows["label"]).sum()
    assert by_class.max() - by_class.min() <= 1
    assert test.mean() == pytest.approx(round(experiments / 3) / experiments)
    with pytest.raises(DataError, match="well on both sides"):
        check_split("stratified", split, index)


def test_training_image_without_a_label_is_left_out_and_said(caplog):
    index = make_index(experiments=3, wells=8)
    index.loc[index["image_id"] == "E01_1_B04_1", ["label", "perturbation"]] = [pd.NA, None]
    with caplog.at_level("WARNING"):
        split = make_split("separated", index, Splits(test_batches=["E00"]))
    assert "1 images of its training side have no label and do not train, the first E01_1_B04_1" in caplog.text
    assert "E01_1_B04_1" not in set(split["image_id"])
    with caplog.at_level("WARNING"):
        make_split("separated", index.assign(site="1." + index["site"].str.zfill(2)), Splits(test_batches=["E00"]))
    assert "1 tiles of its training side have no label" in caplog.text


def test_balance_counts_each_side():
    index = make_index(experiments=3, wells=8, sites=2)
    table = balance(make_split("separated", index, Splits(test_batches=["E00"])), index).set_index("subset")
    assert table.loc["train", ["images", "wells", "batches", "classes", "unlabelled"]].tolist() == [32, 16, 2, 4, 0]
    assert table.loc["test", ["class_min", "class_max", "batch_min", "batch_max"]].tolist() == [4, 4, 16, 16]
    assert table["share"].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_cell_type_of_one_training_batch_is_not_validated():
    index = make_index(experiments=9, wells=8)
    index.loc[index["batch"].isin(["E07", "E08"]), "cell_type"] = "rare"
    separated = make_split("separated", index, Splits(test_batches=["E00", "E07"]))
    assert "E08" in set(index.merge(separated.query("subset == 'train'"), on="image_id")["batch"])
    held_out = make_split("separated_val", index, Splits(test_batches=["E00", "E07"])).query("subset == 'val'")
    assert index.merge(held_out, on="image_id")["cell_type"].unique().tolist() == ["C0"]


def test_split_whose_test_images_have_no_label_is_refused():
    index = make_index(experiments=3, wells=8)
    index.loc[index["batch"] == "E01", "label"] = pd.NA
    index.loc[index["batch"] == "E01", "perturbation"] = None
    with pytest.raises(DataError, match="no image in test has a label"):
        make_split("separated", index, Splits(test_batches=["E01"]))


@settings(max_examples=20)
@given(experiments=st.integers(12, 18), seed=st.integers(0, 5), size=st.integers(1, 3))
def test_few_batches_are_drawn_from_the_training_side_and_tested_on_the_cell_types_own(experiments, seed, size):
    index = make_index(experiments, wells=4, cell_types=2)
    config = Splits(seed=seed, few_batches=size)
    separated = joined(index, make_split("separated", index, config))
    own = separated[separated["cell_type"] == "C1"]
    draws = []
    for draw in range(3):
        rows = joined(index, make_split(f"few_C1_draw{draw}", index, config))
        batches = rows.groupby("subset")["batch"].unique().map(set)
        assert len(batches["train"]) == size
        assert batches["train"] <= set(own.loc[own["subset"] == "train", "batch"])
        assert batches["test"] == set(own.loc[own["subset"] == "test", "batch"])
        assert set(rows["cell_type"]) == {"C1"}
        assert len(rows) == 4 * len(set(rows["batch"]))
        draws.append(frozenset(batches["train"]))
    assert len(set(draws)) == 3


def test_draws_depend_on_the_seed_and_end_where_no_other_choice_is_left():
    index = make_index(experiments=6, wells=4)  # 4 of them train: 4 choices of three
    draws = [
        {split_sha256(make_split(f"few_C0_draw{draw}", index, Splits(seed=seed))) for draw in range(4)}
        for seed in (0, 0)
    ]
    assert draws[0] == draws[1]
    assert len(draws[0]) == 4
    with pytest.raises(DataError, match="4 training batches have only 4 different choices of 3"):
        make_split("few_C0_draw4", index, Splits())


def test_cell_type_with_fewer_batches_trains_on_all_of_them():
    index = make_index(experiments=3, wells=4)
    rows = joined(index, make_split("few_C0_draw0", index, Splits()))
    assert rows.loc[rows["subset"] == "train", "batch"].nunique() == 2


def test_batches_that_the_screen_counts_wrong_are_said():
    index = make_index(experiments=6, wells=4)
    with pytest.raises(DataError, match=r"splits.cell_types: C0 has 4 training batches of `separated` and not 5: E0"):
        make_split("few_C0_draw0", index, Splits(cell_types={"C0": 5}))
    with pytest.raises(DataError, match=r"no cell type 'C7'; there is: C0; see `splits\.cell_types`"):
        make_split("few_C7_draw0", index, Splits())


def test_test_images_of_a_class_that_few_batches_lack_stay_and_are_counted(caplog):
    """One class is in a single training batch: a draw without that batch still scores its test images."""
    index = make_index(experiments=6, wells=4, sites=2)
    config = Splits(test_batches=["E04", "E05"])
    index.loc[index["batch"].isin(["E01", "E02", "E03"]) & (index["label"] == 2), ["label", "perturbation"]] = [0, "T0"]
    without = [draw for draw in range(4) if "E00" not in _training_batches(index, draw, config)]
    assert len(without) == 1
    with caplog.at_level("WARNING"):
        rows = joined(index, make_split(f"few_C0_draw{without[0]}", index, config))
    assert "4 test images are of 1 classes that the drawn batches do not show, as T2" in caplog.text
    assert (rows[rows["subset"] == "test"]["perturbation"] == "T2").sum() == 4


def _training_batches(index, draw, config):
    rows = joined(index, make_split(f"few_C0_draw{draw}", index, config))
    return set(rows.loc[rows["subset"] == "train", "batch"])


def test_image_may_be_in_several_tasks_but_in_none_that_it_was_trained_for():
    index = make_index(experiments=3, wells=4)
    split = make_split("separated", index, Splits(test_batches=["E00"]))
    tested = sorted(images_in(split, "test"))
    tasks = [pd.DataFrame({"image_id": tested[at:], "subset": f"task{at + 1}"}) for at in range(2)]
    whole = pd.concat([split, *tasks], ignore_index=True)
    check_split("separated", whole, index)
    table = balance(whole, index).set_index("subset")
    assert table["images"].to_dict() == {"train": 8, "test": 4, "task1": 4, "task2": 3}
    assert table["share"].tolist() == pytest.approx([8 / 12, 4 / 12, 4 / 12, 3 / 12])
    assert scored_images(whole) == set(tested)
    assert split_sha256(whole) != split_sha256(split)
    trained = whole.assign(image_id=whole["image_id"].mask(whole["subset"] == "task2", "E01_1_B02_1")).drop_duplicates()
    with pytest.raises(DataError, match="1 images are in train and in the task task2, as E01_1_B02_1"):
        check_split("separated", trained, index)
    with pytest.raises(DataError, match="the image E00_1_B02_1 is twice in task1"):
        check_split("separated", pd.concat([whole, tasks[0]]), index)
