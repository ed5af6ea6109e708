import contextlib

import imagecodecs
import numpy as np
import pandas as pd
import pytest
from helpers.raw_screens import ingest, make_screen, problems, write_png_screen
from hypothesis import given
from hypothesis import strategies as st

from debatch.config.images import Source
from debatch.config.screen import PlateFormat
from debatch.errors import ConfigError, UserError
from debatch.screen.ingest.source import Pattern, find_files, read_name, read_patterns
from debatch.screen.names.identifiers import image_ids
from debatch.screen.names.wells import WellNameError, row_and_column, row_letters, row_number, well_at, well_name

PLATE = PlateFormat(rows=16, columns=24)


def read(pattern, name, **fields):
    return Pattern(pattern, fields).match(name, PLATE)


def test_names_of_common_microscopes():
    """PerkinElmer's row and column, ImageXpress's suffix, Opera's row letter, RxRx1's folders."""
    fields = {"experiment": "E", "plate": 1}
    harmony = read("r{row:d}c{column:d}f{site:d}p*-ch{channel}sk*.tiff", "r03c12f03p01-ch1sk1fk1fl1.tiff", **fields)
    assert harmony == {"experiment": "E", "plate": "1", "well": "C12", "site": "3", "channel": "1"}
    express = read("IXM_{well}_s{site:d}_w{channel:1}*.tif", "IXM_A01_s2_w1AA6B1894-F561.tif", **fields)
    assert (express["well"], express["site"], express["channel"]) == ("A01", "2", "1")
    letters = read("{row}-{column}_{site}_{channel}.TIF", "b-7_01_DAPI.tif", **fields)
    assert (letters["well"], letters["site"], letters["channel"]) == ("B07", "1", "DAPI")
    rxrx1 = read("{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.png", "HUVEC-01/Plate04/b2_s1_w6.PNG")
    assert rxrx1 == {"experiment": "HUVEC-01", "plate": "4", "well": "B02", "site": "1", "channel": "6"}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{experiment}/{plate}/{wel}_{site}_{channel}.png", r"no field \{wel\}; there is experiment, plate, well"),
        ("{experiment}/{plate}/{plate}/{well}_{site}_{channel}.png", r"the field \{plate\} stands twice"),
        ("{experiment}/{plate}/{well}{row}_{site}_{channel}.png", r"both \{well\} and \{row\} or \{column\}"),
        ("{experiment}/{plate}/{row}_{site}_{channel}.png", r"the field \{well\} is not in"),
        ("{experiment}/{well}_{site}_{channel}.png", r"the field \{plate\} is not in .*`fields: \{plate: 1\}`"),
        ("{experiment}/{plate:x}/{well}_{site}_{channel}.png", "a brace that is no field"),
    ],
)
def test_pattern_that_cannot_work_says_why(pattern, message):
    with pytest.raises(ConfigError, match=message):
        Pattern(pattern, {})


def test_constant_that_the_names_have_too_is_a_clash():
    source = Source(root=".", pattern="{experiment}/{plate}/{well}_{site}_{channel}.png", channels={"1": "D"})
    with pytest.raises(ConfigError, match=r"`fields.plate` is a constant, and source.pattern reads \{plate\}"):
        read_patterns(source, {"plate": 1})


def test_two_patterns_whose_fields_clash_are_a_problem_of_that_file():
    texts = ["{well}_{site}_{channel}.png", "{well}_{channel}_{site}.png"]
    source = Source(root=".", pattern=texts, channels={"1": "D"})
    patterns = read_patterns(source, {"experiment": "E", "plate": 1})
    values, why = read_name("B02_1_2.png", patterns, PLATE)
    assert values is None
    assert "it fits two patterns that read it differently: site is '1' by" in why
    assert read_name("B02_1_1.png", patterns, PLATE)[0]["site"] == "1"


def test_patterns_are_all_of_one_kind():
    source = Source(root=".", pattern=["{well}_{site}_{channel}.png", "{well}_{site}.tif"], channels={"1": "D"})
    with pytest.raises(ConfigError, match=r"either all patterns have \{channel\} .* or none"):
        read_patterns(source, {"experiment": "E", "plate": 1})


@pytest.mark.parametrize("text", ["B2", "b02", "B002", " B2 "])
def test_a_well_has_one_spelling(text):
    assert well_name(text, PLATE) == "B02"


@pytest.mark.parametrize("text", ["Z99", "B25", "Q1", "B0", "A00"])
def test_a_well_beyond_the_plate_is_refused(text):
    with pytest.raises(WellNameError, match="beyond a plate of rows A to P and columns 1 to 24; see `plate_format`"):
        well_name(text, PLATE)


@pytest.mark.parametrize("text", ["", "22", "Blank", "B2B", "B-2", "Ä2", "B²"])
def test_what_is_no_well_is_refused(text):
    with pytest.raises(WellNameError, match="is not a row letter and a column number"):
        well_name(text, PLATE)


@given(row=st.integers(1, 32), column=st.integers(1, 48))
def test_wells_go_there_and_back(row, column):
    assert row_number(row_letters(row)) == row
    assert row_and_column(well_at(row, column, PlateFormat())) == (row, column)


@given(name=st.text(max_size=40))
def test_no_file_name_ends_in_anything_but_a_reading_or_a_reason(name):
    pattern = Pattern("{experiment}/p{plate:d}/{well}_s{site}_w{channel:1}*.png", {})
    values, why = read_name(name, [pattern], PLATE)
    assert (values is None) == bool(why)


@given(pattern=st.text(alphabet="{}:*/_.dwelsitchanpxrmo1", max_size=60))
def test_no_pattern_ends_in_anything_but_a_clear_error(pattern):
    source = Source(root=".", pattern=pattern, channels={"1": "D"})
    with contextlib.suppress(UserError):
        read_patterns(source, {"experiment": "E"})


def test_plate1_and_plate01_are_one_plate_and_its_images_duplicates(tmp_path):
    write_png_screen(tmp_path)
    copy = tmp_path / "E-1/Plate01"
    copy.mkdir()
    (copy / "B02_s1_w1.png").write_bytes((tmp_path / "E-1/Plate1/B02_s1_w1.png").read_bytes())
    rows = ingest(tmp_path, on_problem="drop")
    assert len(rows) == 6
    (found,) = problems(tmp_path)["problem"]
    assert found.startswith("a second file of the same image and channel, beside")
    assert "Plate01/B02_s1_w1.png" in found


def test_file_of_an_impossible_well_is_listed_with_the_reason(tmp_path):
    write_png_screen(tmp_path)
    (tmp_path / "E-1/Plate1/Z99_s1_w1.png").write_bytes((tmp_path / "E-1/Plate1/B02_s1_w1.png").read_bytes())
    ingest(tmp_path, on_problem="drop", plate_format=PLATE)
    (found,) = problems(tmp_path)["problem"]
    assert found.startswith("well Z99 is beyond a plate of rows A to P")


def test_short_well_names_of_files_meet_the_metadatas_long_ones(tmp_path):
    write_png_screen(tmp_path)
    for path in sorted((tmp_path / "E-1/Plate1").glob("B0*")):
        path.rename(path.with_name(path.name.replace("B0", "b")))
    assert ingest(tmp_path)["well"].tolist() == [f"B{well:02d}" for well in range(2, 8)]


def test_experiments_of_other_names_are_left_alone(tmp_path):
    write_png_screen(tmp_path)
    (tmp_path / "E-1").rename(tmp_path / "E-10")
    write_png_screen(tmp_path, wells=2)
    source = make_screen(tmp_path).source
    patterns = read_patterns(source, {})
    assert len(find_files(source, patterns, "E-1", PLATE).files) == 4
    assert len(find_files(source, patterns, "E-10", PLATE).files) == 12


def test_missing_site_is_noticed_where_the_source_lists_sites(tmp_path):
    write_png_screen(tmp_path)
    rows = ingest(tmp_path, source={"sites": [1, 2]}, on_problem="drop")
    assert len(rows) == 6
    found = problems(tmp_path)
    assert set(found["site"]) == {"2"}
    assert set(found["problem"]) == {"the metadata lists it, and no file is there"}


@pytest.mark.parametrize(("number", "well"), [("0001", "A01"), ("0013", "A13"), ("0025", "B01"), ("0384", "P24")])
def test_a_well_by_its_number_is_counted_along_the_rows(number, well):
    pattern = Pattern("W{well:d}F{site:d}T0001Z001C{channel}.tif", {"experiment": "E", "plate": 1})
    assert pattern.match(f"W{number}F0002T0001Z001C1.tif", PLATE)["well"] == well


def test_a_well_by_its_number_needs_the_plates_columns_and_is_no_row_and_column():
    pattern = Pattern("W{well:d}F{site:d}C{channel}.tif", {"experiment": "E", "plate": 1})
    with pytest.raises(WellNameError, match="needs the plate's columns; state `plate_format`"):
        pattern.match("W0013F1C1.tif", PlateFormat())
    with pytest.raises(WellNameError, match=r"a well by its number is read from file names by \{well:d\}"):
        well_name("W0013", PLATE)
    with pytest.raises(WellNameError, match="`derive:` one of a column"):
        well_name("A01.a1", PLATE)
    assert Pattern("{well:3}.{site}_{channel}.tif", {"experiment": "E", "plate": 1}).match("A01.a1_2.tif", PLATE) == {
        "experiment": "E", "plate": "1", "well": "A01", "site": "a1", "channel": "2",
    }  # fmt: skip


def test_an_experiment_whose_name_is_no_folders_gets_another_one(tmp_path):
    write_png_screen(tmp_path)
    (tmp_path / "E-1").rename(tmp_path / "R\u00f6hre 1")
    metadata = (tmp_path / "wells.csv").read_text().replace("E-1", "R\u00f6hre 1")
    (tmp_path / "wells.csv").write_text(metadata)
    rows = ingest(tmp_path, experiment_names={"R\u00f6hre 1": "E-1"})
    assert rows["image_id"].tolist() == [f"E-1_1_B{well:02d}_1" for well in range(2, 8)]
    with pytest.raises(ValueError, match="two experiments would both be called 'E-1'"):
        make_screen(tmp_path, experiment_names={"a": "E-1", "b": "E-1"})


def test_two_wells_never_share_an_identifier(tmp_path):
    for experiment, plate in (("S", "1_2"), ("S_1", "2")):
        folder = tmp_path / experiment / plate
        folder.mkdir(parents=True)
        for channel in (1, 2):
            (folder / f"B02_s1_w{channel}.png").write_bytes(imagecodecs.png_encode(np.ones((40, 40), np.uint8)))
    source = Source(
        root=str(tmp_path), pattern="{experiment}/{plate}/{well}_s{site}_w{channel}.png", channels={"1": "D"}
    )
    patterns = read_patterns(source, {})
    places = [
        {"experiment": experiment, "plate": file.plate, "well": file.well, "site": file.site}
        for experiment in ("S", "S_1")
        for file in find_files(source, patterns, experiment, PLATE).files
        if file.channel == "1"
    ]
    assert sorted(image_ids(pd.DataFrame(places))) == ["S_1_2_B02_1", "S~1_2_B02_1"]
