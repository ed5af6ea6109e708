import pandas as pd
import pytest
from helpers.images import make_index

from debatch.screen.contents import contents, named


@pytest.fixture
def rows():
    """Two plates of three treatments, of two compounds, two positive controls and an untreated well; two sites each."""
    index = make_index(experiments=2, wells=6, sites=2, classes=6)
    index["perturbation"] = index["label"].map(dict(enumerate(["a_1", "a_2", "b_1", "p", "q", "DMSO"])))
    kinds = {"p": "positive_control", "q": "positive_control", "DMSO": "negative_control"}
    index["well_type"] = index["perturbation"].map(kinds).fillna("treatment")
    index["compound"] = index["perturbation"].map(
        {"a_1": "a", "a_2": "a", "b_1": "b", "p": "p", "q": "a", "DMSO": "DMSO"}
    )
    index["mechanism"] = index["compound"].map({"a": "actin", "p": "actin"})
    return index


def test_controls_are_counted_by_themselves_and_wells_once(rows):
    assert contents(rows) == [
        ("wells by type", "6 treatment, 4 positive control, 2 negative control"),
        ("perturbations", "3 treatments, 2 positive controls (p, q), 1 negative control (DMSO)"),
        ("compounds", "2 of treatments, 2 of positive controls (a, p), 1 of negative controls (DMSO); 4 in all"),
        ("mechanisms", "1 of treatments, 1 of positive controls (actin); 1 in all"),
        ("mechanism known", "of 8 of 10 wells of treatments and positive controls"),
    ]


def test_many_controls_are_counted_and_not_named():
    wells = pd.DataFrame({"well_type": "positive_control", "perturbation": [f"p{n}" for n in range(1100)]})
    assert named(wells, "perturbation") == "1,100 positive controls"


def test_wells_without_a_name_count_for_nothing():
    wells = pd.DataFrame({"well_type": ["treatment", "negative_control"], "perturbation": ["a", None]})
    assert named(wells, "perturbation") == "1 treatment"


def test_what_the_screen_does_not_know_is_not_there(rows):
    bare = rows.drop(columns=["compound", "mechanism"]).assign(perturbation=None)
    assert [what for what, _ in contents(bare)] == ["wells by type"]
