"""Images that the metadata lists, their channels side by side in one file."""

import re

import imagecodecs
import numpy as np
import pandas as pd
import pytest
from helpers.raw_screens import ingest, make_screen, problems

from debatch.config import Screen
from debatch.config.metadata import Columns, Metadata
from debatch.errors import DataError
from debatch.screen.index import expected_index
from debatch.screen.ingest.check import check_screen
from debatch.screen.metadata import read_catalogue
from debatch.screen.names.identifiers import image_ids, well_ids
from debatch.screen.store import ImageReader

LISTED = {
    "pattern": None,
    "files": "file_path",
    "channel_width": "channel_width",
    "channels": {"1": "DNA", "2": "ER", "3": "RNA"},
}
WELLS = Columns(cell_type=None, well_type=None, well=None, plate="plate")
HEIGHT, WIDTH = 20, 16


@pytest.fixture
def raw(tmp_path):
    """Six images of three channels, of 20 x 16 pixels, in two folders."""
    generator = np.random.default_rng(0)
    rows = []
    for n in range(6):
        path = tmp_path / f"{'ab'[n % 2]}/cell_{n}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(imagecodecs.png_encode(generator.integers(0, 255, (HEIGHT, 3 * WIDTH), dtype=np.uint8)))
        name = path.relative_to(tmp_path).as_posix()
        rows.append({"experiment": "E-1", "plate": 1, "file_path": name, "channel_width": WIDTH,
                     "perturbation": f"T{n % 2}", "label": f"T{n % 2}"})  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "wells.csv", index=False)
    return tmp_path


def change(raw, row, **cells):
    table = pd.read_csv(raw / "wells.csv", dtype=str)
    for column, value in cells.items():
        table.loc[row, column] = value
    table.to_csv(raw / "wells.csv", index=False)


def read(raw, **changes):
    return ingest(raw, LISTED, columns=WELLS, **changes)


def test_channels_side_by_side_are_unfolded_from_left_to_right(raw):
    rows = read(raw)
    assert rows["image_id"].tolist() == [f"E-1_1_{'ab'[n % 2]}.cell~{n}_1" for n in (0, 2, 4, 1, 3, 5)]
    images = ImageReader({"E-1": raw / "out/E-1.zarr"}, 1).read(rows)
    assert images.shape == (6, 3, HEIGHT, WIDTH)
    for image, name in zip(images, rows["file_path"], strict=True):
        file = imagecodecs.png_decode((raw / name).read_bytes())
        # as the data set's own code unfolds it
        np.testing.assert_array_equal(image, np.reshape(file, (HEIGHT, WIDTH, -1), order="F").transpose(2, 0, 1))
    assert len(problems(raw)) == 0


def test_some_of_the_channels_in_another_order(raw):
    rows = ingest(raw, {**LISTED, "channels": {"3": "RNA", "1": "DNA"}}, columns=WELLS)
    image = ImageReader({"E-1": raw / "out/E-1.zarr"}, 1).read(rows.iloc[[0]])[0]
    file = imagecodecs.png_decode((raw / rows["file_path"][0]).read_bytes())
    np.testing.assert_array_equal(image, np.stack([file[:, 2 * WIDTH :], file[:, :WIDTH]]))


def test_a_width_in_pixels_serves_where_names_tell_the_files(raw):
    columns = Columns(cell_type=None, well_type=None)
    image = (raw / "a/cell_0.png").read_bytes()
    for well in ("B02", "B03"):
        (raw / f"E-1_{well}.png").write_bytes(image)
    pd.DataFrame({"experiment": "E-1", "plate": 1, "well": ["B02", "B03"], "perturbation": "T0"}).to_csv(
        raw / "wells.csv", index=False
    )
    source = {"pattern": "{experiment}_{well}.png", "channels": {"1": "DNA", "2": "ER", "3": "RNA"}}
    fields = {"site": 1, "plate": 1}
    rows = ingest(raw, {**source, "channel_width": WIDTH, "ignore": ["[ab]/*"]}, columns=columns, fields=fields)
    assert rows["image_id"].tolist() == ["E-1_1_B02_1", "E-1_1_B03_1"]


def test_images_that_are_not_selected_are_not_looked_for(raw):
    (raw / "b/cell_1.png").unlink()
    screen = Metadata(file=str(raw / "wells.csv"), select={"perturbation": ["T0"]})
    assert len(read(raw, metadata=screen)) == 3
    assert len(problems(raw)) == 0


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"file_path": "a/none.png"}, "the metadata lists it, and no file is there"),
        ({"file_path": "../cell.png"}, "says '../cell.png', which is no path below the root"),
        ({"file_path": "/tmp/cell.png"}, "says '/tmp/cell.png', which is no path below the root"),
        ({"channel_width": "wide"}, "the metadata's column 'channel_width' says 'wide', which is no number of pixels"),
        ({"channel_width": "0"}, "which is no number of pixels"),
        ({"channel_width": "13"}, "48 pixels wide, which is no multiple of the channel width 13"),
        ({"channel_width": "24"}, "2 channels of 24 pixels side by side; most files hold 3"),
        ({"channel_width": "96"}, "48 pixels wide, which is no multiple of the channel width 96"),
    ],
)
def test_what_is_wrong_with_an_image_is_listed(raw, cells, problem):
    change(raw, 2, **cells)
    assert len(read(raw, on_problem="drop")) == 5
    (row,) = problems(raw).to_dict("records")
    assert problem in row["problem"]
    assert row["action"] == "left out"
    assert row["plate"] == "1"
    assert row["file"]
    with pytest.raises(DataError, match="1 problem with its images"):
        read(raw)


def test_widths_of_a_column_that_a_program_made_numbers_of_are_read(raw):
    change(raw, slice(None), channel_width=f"{WIDTH}.0")
    assert len(read(raw)) == 6


def test_an_unknown_channel_is_said(raw):
    with pytest.raises(DataError, match="6 problems"):
        ingest(raw, {**LISTED, "channels": {"1": "DNA", "4": "Mito"}}, columns=WELLS)
    assert set(problems(raw)["problem"]) == {"no channel '4': the file holds 3 of 16 pixels side by side"}
    assert set(problems(raw)["channel"]) == {"4"}
    with pytest.raises(ValueError, match="no channel 'Mito' side by side with others: they are called by their places"):
        make_screen(raw, {**LISTED, "channels": {"1": "DNA", "Mito": "Mito"}})


def test_an_image_listed_twice_is_an_error_with_its_line(raw):
    change(raw, 4, file_path="a/cell_0.png")
    with pytest.raises(DataError, match=r"wells.csv, line 6: repeats experiment E-1, plate 1, well a.cell_0 "):
        read(raw)
    # as two images of two plates it is one all the same
    change(raw, 4, plate="2")
    assert len(read(raw, on_problem="drop")) == 5
    assert problems(raw)["problem"].tolist() == ["the metadata lists its file for another image too"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"label": "T9"}, "wells.csv, line 4: label is 'T9' and perturbation is 'T0' (1 such row)"),
        ({"label": None}, "wells.csv, line 4: label is empty and perturbation is 'T0'"),
        ({"file_path": None}, "wells.csv, line 4: an empty file_path, where the image's file should stand"),
    ],
)
def test_a_row_that_contradicts_itself_is_an_error_with_its_line(raw, changes, error):
    change(raw, 2, **changes)
    metadata = Metadata(file=str(raw / "wells.csv"), same={"label": "perturbation", "not there": "label"})
    with pytest.raises(DataError, match=re.escape(error)):
        read(raw, metadata=metadata)


def test_columns_that_are_not_there_are_said(raw):
    with pytest.raises(DataError, match=r"no column .path., which the screen names as `source.files`"):
        ingest(raw, {**LISTED, "files": "path"}, columns=WELLS)
    with pytest.raises(DataError, match=r"source.channel_width: the metadata has no column 'width'"):
        ingest(raw, {**LISTED, "channel_width": "width"}, columns=WELLS)


@pytest.mark.parametrize(
    ("source", "changes", "error"),
    [
        ({**LISTED, "pattern": "{well}.png"}, {}, "either by `pattern:`, as they are named, or by `files:`"),
        ({"pattern": None}, {}, "either by `pattern:`, as they are named, or by `files:`"),
        ({"channel_width": "wide"}, {}, "`channel_width` names a column where `files:` does too"),
        (LISTED, {"metadata": None, "experiments": ["E-1"]}, "and there is no `metadata:`"),
        ({}, {"columns": WELLS}, "`columns.well: null` names images by their files"),
    ],
)
def test_sources_that_cannot_be(raw, source, changes, error):
    with pytest.raises(ValueError, match=error):
        make_screen(raw, source, **changes)


def test_check_counts_what_is_listed(raw):
    change(raw, 2, file_path="a/none.png")
    screen = make_screen(raw, LISTED, columns=WELLS, expected_images=7)
    findings = check_screen(screen, screen.source, screen.metadata.tables(), ["E-1"], sampled=6)
    assert findings.fit == 5
    assert "the metadata lists 6 images, and `expected_images` says 7" in findings.errors
    assert findings.problems["problem"].tolist() == ["the metadata lists it, and no file is there"]
    assert findings.stored[0] == (3, HEIGHT, WIDTH)


def test_images_are_known_before_they_are_there(raw):
    screen = make_screen(raw, LISTED, columns=WELLS)
    catalogue = read_catalogue(screen, screen.metadata.tables(), ["E-1"])
    expected = expected_index(catalogue, screen.source)
    assert set(expected["image_id"]) == set(read(raw)["image_id"])


def test_names_of_images_are_unique_whatever_their_files_are_called():
    rows = pd.DataFrame(
        [("E", "1", "a_b", "1"), ("E", "1_a", "b", "1"), ("E", "1", "a~b", "1")],
        columns=["experiment", "plate", "well", "site"],
    )
    assert image_ids(rows).is_unique
    assert len(set(well_ids(rows))) == 3


def test_a_screen_in_parts_sums_what_they_expect():
    source = {"root": ".", **LISTED}
    parts = {name: {"source": source, "experiments": [name], "expected_images": n} for name, n in (("A", 3), ("B", 4))}
    columns = {"well": None, "cell_type": None, "well_type": None}
    screen = Screen(parts=parts, metadata={"file": "m.csv"}, columns=columns)
    assert screen.images_expected() == 7
    parts["B"]["expected_images"] = None
    assert Screen(parts=parts, metadata={"file": "m.csv"}, columns=columns).images_expected() is None
