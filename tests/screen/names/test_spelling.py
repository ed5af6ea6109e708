import pandas as pd
import pytest

from debatch.screen.names.spelling import difference, doubtful_names, look_alikes, unlisted_look_alike
from debatch.text_cells import is_one_of, plain


@pytest.mark.parametrize(
    ("name", "spelt"),
    [("3.000000", "3"), ("0.10", "0.1"), ("1e-05", "0.00001"), ("1.50E-3", "0.0015"), ("-2.0", "-2")],
)
def test_a_decimal_number_has_one_spelling(name, spelt):
    assert plain(name) == spelt


@pytest.mark.parametrize("code", ["3", "007", "2310009E13", "1E1", "1.2.3", "A1.0", "3.0 uM", ""])
def test_a_code_is_left_as_it_is(code):
    assert plain(code) == code


@pytest.mark.parametrize(
    ("names", "by"),
    [
        (["DMSO", "dmso"], "case"),
        (["5 uM", "5uM"], "blanks"),
        (["a\u200bb", "ab"], "blanks"),
        (["5 \u00b5M", "5 \u03bcM"], "Unicode form"),
        (["AMG\u2013900", "AMG-900"], "Unicode form"),
        (["drug_3", "drug_3.0"], "the format of numbers"),
        (["drug_0.5", "drug_.5"], "the format of numbers"),
        (["drug_0.5", "drug_0,5"], "the format of numbers"),
        (["drug_5", "drug_+5"], "the format of numbers"),
        (["drug_1000", "drug_1,000"], "the format of numbers"),
        (["0.3", "0.30000000000000004"], "the format of numbers"),
        (["01", "1"], "the format of numbers"),
        (["DM\u00adSO", "DMSO"], "blanks"),
        (["Drug 3.0", "drug 3"], "the format of numbers and case"),
    ],
)
def test_names_that_look_alike_are_grouped_and_told_by_what_they_differ(names, by):
    assert look_alikes([*names, "other"]) == [sorted(names)]
    assert difference(names) == by


def test_names_that_differ_are_not_grouped():
    assert look_alikes(["drug_3", "drug_30", "drug_0.3", "drug3a", "AMG900", "AMG-900"]) == []


def wells(**columns):
    count = len(next(iter(columns.values())))
    base = {
        "experiment": ["E"] * count,
        "plate": ["1"] * count,
        "well": [f"A{well:02d}" for well in range(1, count + 1)],
        "cell_type": ["U2OS"] * count,
        "batch": ["E"] * count,
        "perturbation": ["a"] * count,
    }
    return pd.DataFrame({**base, **columns})


def test_doubtful_names_are_counted_and_shown_with_what_to_do():
    names = ["alpha", "Alpha", "nan", "nan", "2-Sep", "Mar-01", None]
    found = doubtful_names(wells(perturbation=names), None)
    assert len(found) == 3
    assert found[0].startswith("perturbation: 'Alpha' (1), 'alpha' (1) wells differ by case alone")
    assert found[1].startswith("perturbation: 2 wells are called 'nan'; if that means none, say `missing: ['nan']`")
    assert found[2].startswith("perturbation: '2-Sep', 'Mar-01' (2 wells) look like dates")
    assert len(doubtful_names(wells(perturbation=names), [])) == 2


def test_sites_of_one_well_count_once_and_plates_are_compared_within_their_experiment():
    rows = wells(perturbation=["nan", "b"])
    assert doubtful_names(pd.concat([rows.assign(site="1"), rows.assign(site="2")]), None)[0].startswith(
        "perturbation: 1 wells"
    )
    two = wells(plate=["P1", "p1"])
    assert "plate: 'P1' (1), 'p1' (1)" in doubtful_names(two, None)[0]
    assert doubtful_names(two.assign(experiment=["E", "F"], batch=["E", "F"]), None) == []


def test_a_word_that_looks_like_a_listed_one():
    assert unlisted_look_alike(["DMSO", "dmso", "drug"], {"DMSO": 0}) == ("dmso", "DMSO")
    assert unlisted_look_alike(["DMSO", "dmso"], {"DMSO": 0, "dmso": 0}) is None


def test_a_choice_of_numbers_is_one_of_numbers():
    cells = pd.Series(["3.0", "3", "30", None, "x"], dtype="str")
    assert is_one_of(cells, [3]).tolist() == [True, True, False, False, False]
    assert is_one_of(cells, ["x", 30.0]).tolist() == [False, False, True, False, True]
