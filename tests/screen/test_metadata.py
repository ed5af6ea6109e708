import csv

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debatch.config import Screen
from debatch.config.images import Source
from debatch.config.metadata import Columns, Derive, Metadata, MetadataFile
from debatch.errors import DataError
from debatch.screen.metadata import class_labels, natural_key, read_catalogue

ROWS = """experiment,plate,well,sirna_id,cell_type,well_type,dataset
E-1,01,B02,10,HUVEC,treatment,train
E-1,01,B03,2,HUVEC,negative_control,train
E-2,2,B02,,HUVEC,treatment,test
"""


def screen(**changes):
    return Screen(
        source=Source(root=".", pattern="{experiment}/{plate}_{well}_{site}_{channel}.png", channels={"1": "DNA"}),
        metadata=Metadata(file="wells.csv", **changes.pop("metadata", {})),
        columns=Columns(perturbation="sirna_id", **changes.pop("columns", {})),
        **changes,
    )


def catalogue(tmp_path, text=ROWS, experiments=("E-1", "E-2"), **changes):
    file = tmp_path / "wells.csv"
    file.write_text(text)
    return read_catalogue(screen(**changes), [MetadataFile(file=str(file))], list(experiments))


def test_columns_get_the_screens_words(tmp_path):
    wells = catalogue(tmp_path)
    assert wells["plate"].tolist() == ["1", "1", "2"]
    assert wells["perturbation"].tolist()[:2] == ["10", "2"]
    assert wells["batch"].tolist() == ["E-1", "E-1", "E-2"]
    assert wells["dataset"].tolist() == ["train", "train", "test"]  # the user's own column stays


def test_labels_are_in_natural_order_and_missing_ones_are_none(tmp_path):
    assert class_labels(catalogue(tmp_path)["perturbation"]) == {"2": 0, "10": 1}


def test_batch_of_several_columns(tmp_path):
    assert catalogue(tmp_path, columns={"batch": ["experiment", "plate"]})["batch"].tolist() == [
        "E-1_01",
        "E-1_01",
        "E-2_2",
    ]


def test_derived_and_constant_columns(tmp_path):
    wells = catalogue(
        tmp_path,
        columns={"cell_type": "kind", "well_type": "type"},
        derive={"kind": Derive(source="experiment", pattern="([A-Z])-")},
        fields={"type": "treatment"},
    )
    assert set(wells["cell_type"]) == {"E"}
    assert set(wells["well_type"]) == {"treatment"}


def test_selection_marks_rows(tmp_path):
    wells = catalogue(tmp_path, metadata={"select": {"well": ["B02"]}})
    assert wells["selected"].tolist() == [True, False, True]


def test_column_that_is_not_there_is_named_with_its_role(tmp_path):
    with pytest.raises(DataError, match=r"no column 'kind', which the screen names as `columns.cell_type`"):
        catalogue(tmp_path, columns={"cell_type": "kind"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("B03,2,HUVEC,negative_control", "B03,2,HUVEC,control", "line 3: well type 'control' is not one of"),
        ("E-1,01,B03", "E-1,1,B02", r"line 3: repeats experiment E-1, plate 1, well B02"),
        ("E-1,01,B03", ",01,B03", "line 3: an empty experiment"),
        ("E-1,01,B02,10,HUVEC", "E-1,01,B02,10,", "line 2: an empty cell_type"),
    ],
)
def test_wrong_rows(tmp_path, old, new, message):
    with pytest.raises(DataError, match=message):
        catalogue(tmp_path, ROWS.replace(old, new))


def test_well_types_in_the_users_own_words(tmp_path):
    text = ROWS.replace("negative_control", "DMSO")
    with pytest.raises(DataError, match=r"line 3: well type 'DMSO' is not one of .*`well_types: \{DMSO: …\}`"):
        catalogue(tmp_path, text)
    with pytest.raises(DataError, match=r"line 2: well type 'DMSO', 'drug' is not one of"):
        catalogue(tmp_path, text.replace("treatment", "drug"))
    empty = text.replace(",treatment,", ",,")
    with pytest.raises(DataError, match=r"line 2: an empty well_type; .*`well_types: \{\"\": treatment\}`"):
        catalogue(tmp_path, empty)
    translated = catalogue(tmp_path, empty, well_types={"DMSO": "negative_control", "": "treatment"})
    assert translated["well_type"].tolist() == ["treatment", "negative_control", "treatment"]
    wells = catalogue(tmp_path, text, well_types={"DMSO": "negative_control"})
    assert wells["well_type"].tolist() == ["treatment", "negative_control", "treatment"]


def test_experiment_without_rows(tmp_path):
    with pytest.raises(DataError, match="no row for experiment E-9"):
        catalogue(tmp_path, experiments=["E-1", "E-9"])


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"no such file; see `metadata\.file`"):
        read_catalogue(screen(), [MetadataFile(file=str(tmp_path / "no.csv"))], ["E-1"])


@given(st.lists(st.text("aB01²_", max_size=4), max_size=12))
def test_natural_order_is_an_order(words):
    in_order = sorted(words, key=natural_key)
    backwards = words[::-1]
    assert sorted(backwards, key=natural_key) == in_order
    assert sorted(in_order) == sorted(words)
    assert sorted(["T10", "T2", "T1"], key=natural_key) == ["T1", "T2", "T10"]


def test_real_rxrx1_controls(real_data):
    file = real_data / "rxrx1_metadata/train_controls.csv"
    experiments = sorted(pd.read_csv(file)["experiment"].unique())
    wells = read_catalogue(
        screen(
            columns={"cell_type": "cell"},
            derive={"cell": Derive(source="experiment", pattern="([A-Z0-9]+)-")},
        ).model_copy(update={"columns": Columns(perturbation="sirna", cell_type="cell")}),
        [MetadataFile(file=str(file))],
        experiments,
    )
    assert len(experiments) == 33
    assert wells["cell_type"].nunique() == 4
    assert (wells[wells["well_type"] == "negative_control"].groupby(["experiment", "plate"]).size() >= 1).all()


def test_mixed_types_in_a_column_stay_text(tmp_path):
    text = ROWS.replace(",10,", ",1.0,").replace(",2,HUVEC", ",NA,HUVEC")
    wells = catalogue(tmp_path, text + "E-2,2,B03,sirna_7,HUVEC,treatment,test\n")
    assert wells["perturbation"].dropna().tolist() == ["1.0", "NA", "sirna_7"]
    assert list(class_labels(wells["perturbation"])) == ["1.0", "NA", "sirna_7"]


@pytest.mark.parametrize(
    ("well", "message"),
    [
        (
            "Z99",
            r"wells.csv, line 2: well Z99 is beyond a plate of rows A to AF and columns 1 to 48; see `plate_format`",
        ),
        ("Blank", r"wells.csv, line 2: well 'Blank' is not a row letter and a column number, as in B02"),
    ],
)
def test_well_that_is_none_names_file_and_line(tmp_path, well, message):
    with pytest.raises(DataError, match=message):
        catalogue(tmp_path, ROWS.replace("E-1,01,B02", f"E-1,01,{well}"))


def test_well_named_b2_is_b02(tmp_path):
    assert catalogue(tmp_path, ROWS.replace("E-1,01,B02", "E-1,01,b2"))["well"].tolist()[0] == "B02"
    with pytest.raises(DataError, match="line 3: repeats experiment E-1, plate 1, well B02"):
        catalogue(tmp_path, ROWS.replace("E-1,01,B03", "E-1,1,B2"))


def test_a_row_an_image_repeats_wells_and_says_what_to_name(tmp_path):
    text = "experiment,plate,well,site,sirna_id\nE-1,1,B02,1,4\nE-1,1,B02,2,4\n"
    columns = {"cell_type": None, "well_type": None}
    with pytest.raises(DataError, match=r"name its site column as `columns.site`"):
        catalogue(tmp_path, text, ["E-1"], columns=columns)
    assert catalogue(tmp_path, text, ["E-1"], columns={**columns, "site": "site"})["site"].tolist() == ["1", "2"]


def test_column_that_is_misspelt_offers_the_nearest(tmp_path):
    with pytest.raises(DataError, match=r"no column 'cell_typ'.*did you mean 'cell_type'\?"):
        catalogue(tmp_path, columns={"cell_type": "cell_typ"})
    with pytest.raises(DataError, match=r"`metadata.select` names 'datset'.*did you mean 'dataset'\?"):
        catalogue(tmp_path, metadata={"select": {"datset": ["train"]}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a table"),
        (b"\xff\xfe\x00experiment", "cannot be read as a table"),
        (b'experiment,plate\n"a,1\n', "line 2: 1 fields where the header names 2"),
    ],
)
def test_what_is_no_table_says_so(tmp_path, content, message):
    file = tmp_path / "wells.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_catalogue(screen(), [MetadataFile(file=str(file))], ["E-1"])


def test_constants_of_one_of_several_tables(tmp_path):
    first, second = tmp_path / "train.csv", tmp_path / "test.csv"
    first.write_text("experiment,plate,well,sirna_id\nE-1,1,B02,3\n")
    second.write_text("experiment,plate,well\nE-2,1,B02\n")
    tables = [
        MetadataFile(file=str(first), fields={"dataset": "train"}),
        MetadataFile(file=str(second), fields={"dataset": "test", "sirna_id": None}),
    ]
    wells = read_catalogue(
        screen(columns={"cell_type": None, "well_type": None, "subset": "dataset"}), tables, ["E-1", "E-2"]
    )
    assert wells["official_subset"].tolist() == ["train", "test"]
    assert wells["perturbation"].isna().tolist() == [False, True]


words = st.text(max_size=5) | st.sampled_from(["E-1", "B02", "treatment", "1"])
column_names = st.sampled_from(["experiment", "plate", "well", "sirna_id", "cell_type", "well_type", "site", "x"])


@settings(max_examples=150)
@given(header=st.lists(column_names, max_size=8), rows=st.lists(st.lists(words, max_size=8), max_size=6))
def test_no_catalogue_ends_in_anything_but_wells_or_a_clear_error(tmp_path_factory, header, rows):
    file = tmp_path_factory.mktemp("fuzz") / "wells.csv"
    with file.open("w", newline="", encoding="utf-8", errors="surrogatepass") as lines:
        csv.writer(lines).writerows([header, *rows])
    try:
        wells = read_catalogue(screen(), [MetadataFile(file=str(file))], ["E-1"])
    except DataError as error:
        assert str(file) in str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert not wells.duplicated(["experiment", "plate", "well"]).any()
        assert wells["well"].str.fullmatch("[A-Z]{1,2}[0-9]{2}").all()
