import numpy as np
import pandas as pd
import pytest
from conftest import make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from debatch.config.screen import Splits
from debatch.errors import DataError
from debatch.screen.splits import check_split, make_split, split_sha256


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


def test_one_well_of_each_class_in_each_batch_gives_a_latin_square():
    """51 batches and 102 classes with one well each: exactly 18 of 51 in both margins."""
    index = make_index(experiments=51, wells=102, classes=102)
    rows = joined(index, make_split("stratified", index, Splits()))
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
    assert abs(test.mean() - 18 / 51) < 0.5 / (experiments * copies) + 0.01


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
