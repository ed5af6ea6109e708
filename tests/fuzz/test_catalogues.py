"""Catalogues as people write them: every row is a well of the screen, or an error names it."""

import csv

from helpers.fuzz import examples, one_line
from hypothesis import given
from hypothesis import strategies as st

from debatch.config import Screen
from debatch.config.images import Source
from debatch.config.metadata import Columns, Derive, Metadata, MetadataFile
from debatch.screen.contents import contents
from debatch.screen.index import expected_index
from debatch.screen.layout import layout
from debatch.screen.metadata import read_catalogue
from debatch.screen.names.identifiers import plate_ids, well_ids
from debatch.screen.names.spelling import difference, doubtful_names, look_alikes
from debatch.text_cells import plain

NUMBERS = [
    "1",
    "01",
    "1.0",
    "1.",
    "1e0",
    "1E+00",
    "10",
    "1,5",
    "1.50",
    "-1",
    "1e-05",
    "0.00001",
    "nan",
    "inf",
    "1_0",
    "\u0661",
    "\u00b2",
    "1e400",
]
WORDS = [
    "DMSO",
    "dmso",
    "DMSO ",
    " DMSO",
    "D MSO",
    "taxol",
    "Taxol",
    "\u03bcM",
    "\u00b5M",
    "\u00e4",
    "a\u0308",
    "\u2013",
    "-",
    "A_1",
    "A",
    "1_2",
    "2",
]
NOTHING = ["", " ", "NA", "NaN", "None", "null", "#N/A", "<NA>", "\u00a0", "\ufeff"]
DATES = ["2-Sep", "SEPT2", "2024-01-05", "2024-01-05 00:00:00", "Mar-1"]
NAMES = (
    st.sampled_from([*NUMBERS, *WORDS, *NOTHING, *DATES])
    | st.text("aA1._~% -\u0308\u212b", max_size=4)
    | st.text(max_size=5)
)
WELLS = st.sampled_from(
    [
        "A1",
        "a1",
        "A01",
        "A001",
        " a01 ",
        "B02",
        "B2",
        "AA1",
        "AF48",
        "A0",
        "Q25",
        "C3",
        "A1.0",
        "13",
        "",
        "A\u0661",
        "\uff211",
    ]
)
PLATES = st.sampled_from(["1", "01", "1.0", "2", "P1", "p1", "1_2", "P_1", "", "\u00b2", "1e0"])
EXPERIMENTS = st.sampled_from(["E-1", "E_1", "E~1", "E", "E-1 ", "e-1", "1", "1.0", "E%7E1", "_", ""])
TYPES = st.sampled_from(["treatment", "negative_control", "positive_control"] * 3 + ["DMSO", "drug", "", "Treatment"])
SITES = st.sampled_from(["1", "01", "2", "s1", "1_2", "2_1", "", "1.0"])
COLUMNS = {"experiment": EXPERIMENTS, "plate": PLATES, "well": WELLS, "site": SITES, "well_type": TYPES}
OTHERS = (
    "cell_type",
    "perturbation",
    "batch",
    "compound",
    "dose",
    "label",
    "selected",
    "intensity_mean",
    " at",
    "subset",
)


@st.composite
def catalogues(draw):
    """(tables, screen): what stands in each file, and what the screen says of it."""
    chosen = {"experiment", "plate", "well", "perturbation", *draw(st.sets(st.sampled_from([*COLUMNS, *OTHERS])))}
    header = draw(st.permutations(sorted(chosen)))
    easy = draw(st.booleans())
    values = {name: COLUMNS.get(name, NAMES) for name in header}
    if easy:  # else hardly a table has nothing wrong
        values |= {
            "experiment": st.sampled_from(["E_1", "E~1", "E"]),
            "plate": st.sampled_from(["1", "01", "P_1", "1_2", "2"]),
        }
        values |= {
            "well": st.sampled_from(["A1", "a01", "B02", "AA1", "C3", "D04"]),
            "site": st.sampled_from(["1", "01", "1_2", "s1"]),
        }
        values |= {
            "well_type": st.sampled_from(["treatment", "negative_control"]),
            "cell_type": st.just("U2OS"),
            "batch": st.sampled_from("ab"),
        }
    row = st.tuples(*(values[name] for name in header))
    tables = draw(st.lists(st.lists(row, max_size=10, unique=easy), min_size=1, max_size=2))
    roles = {
        name: name if name in chosen else None for name in ("site", "cell_type", "well_type", "compound", "subset")
    }
    batch = st.sampled_from(["experiment", ["experiment", "plate"], *(["batch"] if "batch" in chosen else [])])
    perturbation = st.sampled_from(["perturbation", *([["perturbation", "dose"]] if "dose" in chosen else [])])
    changes = {
        "columns": Columns(**roles, batch=draw(batch), perturbation=draw(perturbation)),
        "missing": draw(st.none() | st.just([]) | st.just(["NA", "nan", "DMSO"])),
        "well_types": draw(st.sampled_from([{}, {"": "treatment"}, {"DMSO": "negative_control", "*": "treatment"}])),
        "derive": draw(st.sampled_from([{}, {}, {"letters": Derive(source="plate", pattern="([A-Z]*)")}])),
        "experiment_names": draw(st.sampled_from([{}, {}, {"E_1": "E1"}, {"E": "E_1"}])),
    }
    selects = [{}, {}, {"experiment": ["E_1", "E-1"]}, {"perturbation": ["DMSO", 1]}]
    return (
        header,
        tables,
        changes,
        draw(st.sampled_from(selects)),
        draw(st.none() | st.just(["1", "02"]) | st.just([1, 2])),
    )


def is_blank(row):
    return not any(cell.strip("\u200b\u200c\u200d\u2060\ufeff \t\n\r\u00a0").strip() for cell in row)


@examples(0.13)
@given(case=catalogues())
def test_every_row_is_a_well_or_an_error_names_it(tmp_path, case):
    header, tables, changes, select, sites = case
    files = []
    for number, rows in enumerate(tables):
        path = tmp_path / f"{number}.csv"
        with path.open("w", newline="", encoding="utf-8", errors="ignore") as lines:
            csv.writer(lines).writerows([header, *rows])
        files.append(MetadataFile(file=str(path)))
    source = Source(
        root=str(tmp_path), pattern="{experiment}/{plate}/{well}_{site}_{channel}.png", channels={"1": "D"}, sites=sites
    )
    screen = Screen(source=source, metadata=Metadata(file=[each.file for each in files], select=select), **changes)
    wells = one_line(read_catalogue, screen, files, None)
    if wells is None:
        return
    written = [row for rows in tables for row in rows if not is_blank(row)]
    assert len(wells) == len(written)
    keys = ["experiment", "plate", "well", *(["site"] if "site" in wells else [])]
    assert wells[keys].notna().all(axis=None)
    assert not wells.duplicated(keys).any()
    assert wells["well"].str.fullmatch("[A-Z]{1,2}[0-9]{2}").all()
    by_well = wells.drop_duplicates(["experiment", "plate", "well"])
    assert len(set(well_ids(by_well))) == len(by_well)
    assert plate_ids(by_well).nunique() == len(by_well[["experiment", "plate"]].drop_duplicates())
    for sentence in doubtful_names(wells, changes["missing"]):
        assert len(sentence.splitlines()) == 1
    index = one_line(expected_index, wells, source)
    if index is None:
        assert sites is None
        assert "site" not in wells
        return
    selected = wells[wells["selected"]]
    each = 1 if "site" in wells else len(sites)
    assert len(index) == each * len(selected)
    assert index["image_id"].is_unique
    assert (index["label"].isna() == index["perturbation"].isna()).all()
    pairs = index[["label", "perturbation"]].dropna().drop_duplicates()
    assert pairs["label"].is_unique
    assert pairs["perturbation"].is_unique
    assert set(pairs["label"]) == set(range(len(pairs)))
    contents(index)
    layout(index)


@examples(0.03)
@given(names=st.lists(NAMES, max_size=8))
def test_names_that_look_alike_say_by_what_and_others_are_kept(names):
    groups = look_alikes(names)
    assert all(len(set(group)) == len(group) > 1 for group in groups)
    assert all(difference(group) for group in groups)
    assert len({name for group in groups for name in group}) == sum(map(len, groups))
    for name in names:
        assert plain(plain(name)) == plain(name)
