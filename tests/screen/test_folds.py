"""Folds of whole batches: in a drawn order, in their own, and by a column of the metadata."""

import pandas as pd
import pytest
from helpers.images import make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from debatch.config.splits import Split, Splits
from debatch.errors import DataError
from debatch.screen.splits import make_split, split_sha256

HUVEC = Splits(names=["fold1"], folds=6, fold_order="natural", fold_validation=True)
REPLICATES = HUVEC.model_copy(update={"folds": 5, "fold_column": "replicate"})


def sides(index: pd.DataFrame, config: Splits, column: str = "batch") -> list[dict[str, list[str]]]:
    """Of each fold the values of a column in each subset."""
    found = []
    for number in range(1, config.folds + 1):
        rows = index.merge(make_split(f"fold{number}", index, config), on="image_id")
        assert len(rows) == len(index)
        found.append({side: sorted(own[column].unique()) for side, own in rows.groupby("subset")})
    return found


def huvec() -> pd.DataFrame:
    """24 experiments as RxRx1 has of HUVEC, of two wells of two sites each."""
    index = make_index(experiments=24, wells=2, sites=2, classes=2)
    named = {f"E{at:02d}": f"HUVEC-{at + 1:02d}" for at in range(24)}
    return index.assign(experiment=index["experiment"].map(named), batch=index["batch"].map(named))


def experiments(*spans: tuple[int, int]) -> list[str]:
    return sorted(f"HUVEC-{at:02d}" for first, last in spans for at in range(first, last + 1))


def test_folds_in_order_are_the_published_ones_of_rxrx1_huvec():
    """The six folds of the released code (experiments by name, 16 train, 4 validate, 4 test)."""
    train = [[(1, 16)], [(5, 20)], [(9, 24)], [(1, 4), (13, 24)], [(1, 8), (17, 24)], [(1, 12), (21, 24)]]
    held_out = [(1, 4), (5, 8), (9, 12), (13, 16), (17, 20), (21, 24)]
    found = sides(huvec().sample(frac=1, random_state=0), HUVEC)
    for number, own in enumerate(found):
        assert own == {
            "train": experiments(*train[number]),
            "val": experiments(held_out[number - 2]),
            "test": experiments(held_out[number - 1]),
        }


def replicates(of: list[str]) -> pd.DataFrame:
    """Batches with a replicate each."""
    index = make_index(experiments=len(of), wells=4)
    return index.assign(replicate=index["batch"].map(dict(zip(index["batch"].unique(), of, strict=True))))


def test_folds_by_a_column_are_the_published_ones_of_cpg0004():
    """The five folds of the released code: replicates 1, 2, 3 train, 4 validates, 5 tests, and so on around."""
    index = replicates([str(at % 5 + 1) for at in range(12)])
    train = ["123", "234", "345", "145", "125"]
    assert sides(index, REPLICATES, "replicate") == [
        {"train": [*own], "val": [val], "test": [test]} for own, val, test in zip(train, "45123", "51234", strict=True)
    ]


def test_values_of_a_column_come_in_natural_order_and_numbers_are_numbers():
    index = replicates(["10", "9", "2.0", "2", "1", "8"])
    (own,) = sides(index, REPLICATES.model_copy(update={"folds": 5}), "replicate")[:1]
    assert own == {"train": ["1", "2", "2.0", "8"], "val": ["9"], "test": ["10"]}
    pairs = sides(index, Splits(folds=3, fold_order="natural", fold_column="replicate"), "replicate")
    assert [own["test"] for own in pairs] == [["10"], ["1", "2", "2.0"], ["8", "9"]]


def test_a_column_whose_name_is_our_own_is_found_where_the_index_keeps_it():
    index = replicates(["1", "2", "3"]).rename(columns={"replicate": "source_label"})
    found = sides(index, Splits(folds=3, fold_order="natural", fold_column="label"), "source_label")
    assert [own["test"] for own in found] == [["3"], ["1"], ["2"]]


@settings(max_examples=30)
@given(
    experiments=st.integers(4, 14),
    cell_types=st.integers(1, 3),
    folds=st.integers(3, 4),
    seed=st.integers(0, 3),
    order=st.sampled_from(["drawn", "natural"]),
)
def test_each_batch_validates_and_tests_in_exactly_one_fold(experiments, cell_types, folds, seed, order):
    index = make_index(experiments, wells=4, cell_types=cell_types)
    config = Splits(folds=folds, seed=seed, fold_order=order, fold_validation=True)
    found = sides(index, config)
    for side in ("test", "val"):
        sizes = [len(own[side]) for own in found]
        assert sorted(batch for own in found for batch in own[side]) == sorted(index["batch"].unique())
        assert max(sizes) - min(sizes) <= 1
    # what one fold validates on, the fold before it tests on
    assert [own["val"] for own in found] == [found[at - 1]["test"] for at in range(folds)]
    without = sides(index, config.model_copy(update={"fold_validation": False}))
    assert [own["test"] for own in without] == [own["test"] for own in found]


def test_each_cell_types_batches_are_cut_by_themselves():
    index = make_index(experiments=12, wells=4, cell_types=2)
    for own in sides(index, Splits(folds=3, fold_order="natural", fold_validation=True)):
        for batches in own.values():
            kinds = [index.loc[index["batch"] == batch, "cell_type"].iloc[0] for batch in batches]
            assert kinds.count("C0") == kinds.count("C1")


def test_folds_that_were_drawn_before_stay_as_they_were():
    """What a run was trained on: another split of the same name would train everything again."""
    index = make_index(experiments=10, wells=4, cell_types=2)
    config = Splits(names=["fold1"], folds=3, seed=1)
    digests = [split_sha256(make_split(f"fold{number}", index, config))[:12] for number in (1, 2, 3)]
    assert digests == ["88f53397928e", "46560bebabaa", "593c22a53991"]
    assert config.looked_at(Split.named("fold1")) == {"folds": 3, "seed": 1, "test_batches": None}


def test_a_split_is_drawn_by_what_it_looks_at_and_nothing_else():
    config = REPLICATES.model_copy(update={"seed": 2, "cell_types": {"C0": 3, "C1": 2}})
    looked_at = {
        "fold1": {"folds": 5, "fold_order": "natural", "fold_column": "replicate", "fold_validation": True},
        "separated": {"seed": 2, "test_batches": None},
        "stratified": {"seed": 2, "test_batches": None},
        "few_C1_draw0": {"seed": 2, "test_batches": None, "cell_types": {"C1": 2}, "few_batches": 3},
    }
    assert {name: config.looked_at(Split.named(name)) for name in looked_at} == looked_at
    index = replicates(["1", "2", "3", "4", "5"])
    own = make_split("fold2", index, Splits(**config.looked_at(Split.named("fold2"))))
    assert split_sha256(own) == split_sha256(make_split("fold2", index, config))


@pytest.mark.parametrize(
    ("column", "values", "error"),
    [
        ("replicat", ["1", "2", "3"], r"fold_column: the index has no column 'replicat'; did you mean 'replicate'"),
        ("replicate", ["1", "2", "2"], r"fold1': 2 values of the column 'replicate' cannot fill 3 folds; set fewer"),
        ("replicate", ["1", None, "3"], r"fold_column: 4 of 12 rows have no 'replicate', the first E01_1_B02_1"),
    ],
)
def test_a_column_that_gives_no_folds_says_so(column, values, error):
    config = Splits(folds=3, fold_order="natural", fold_column=column)
    with pytest.raises(DataError, match=error):
        make_split("fold1", replicates(values), config)


def test_a_batch_in_two_blocks_is_refused():
    index = replicates(["1", "2", "3"])
    index.loc[index["image_id"] == "E01_1_B03_1", "replicate"] = "3"
    with pytest.raises(DataError, match=r"1 batches are in two blocks, as 'E01'; a fold holds out whole batches"):
        make_split("fold1", index, Splits(folds=3, fold_order="natural", fold_column="replicate"))


def test_two_values_in_one_block_part_no_batch():
    index = replicates(["1", "2", "3", "4"])
    index.loc[index["image_id"] == "E02_1_B03_1", "replicate"] = "4"
    first, second = sides(index, Splits(folds=2, fold_order="natural", fold_column="replicate"))
    assert first == {"train": ["E00", "E01"], "test": ["E02", "E03"]}
    assert second == {"train": ["E02", "E03"], "test": ["E00", "E01"]}


def test_a_batch_of_two_cell_types_that_would_be_in_two_blocks_is_refused():
    index = make_index(experiments=6, wells=4)
    index.loc[(index["batch"] > "E01") & (index["well"] == "B02"), "cell_type"] = "rare"
    with pytest.raises(DataError, match=r"\d batches are in two blocks, as 'E0\d'"):
        make_split("fold1", index, Splits(folds=3, fold_order="natural"))


def test_too_few_batches_in_order_say_so():
    index = make_index(experiments=4, wells=4)
    with pytest.raises(DataError, match=r"4 batches cannot fill 5 folds; set fewer `splits\.folds`"):
        make_split("fold1", index, Splits(folds=5, fold_order="natural"))
    with pytest.raises(DataError, match="4 batches cannot fill 5 folds"):
        make_split("fold4", index, Splits(folds=5, fold_validation=True))
