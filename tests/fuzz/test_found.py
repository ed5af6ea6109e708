"""Faults that searches found, each by name, so that it cannot come back."""

import gzip
import io
import struct

import anndata
import numpy as np
import pandas as pd
import pytest
import tifffile
from helpers.fuzz import of_user
from helpers.odd_images import ome, pixels, png, tiff
from helpers.raw_screens import ingest, make_screen, write_png_screen

from debatch.config import Screen
from debatch.config.images import ImageProcessing
from debatch.config.metadata import Columns, Metadata, MetadataFile
from debatch.config.profiles import ProfileSet
from debatch.config.read import check_entry_name, read_yaml, validate
from debatch.embedding_table import METADATA
from debatch.errors import ConfigError, DataError
from debatch.screen.ingest.check import check_screen
from debatch.screen.ingest.decode import ImageProblem, decode, decode_channels, truncation
from debatch.screen.ingest.plan import Problems
from debatch.screen.ingest.source import walk_all
from debatch.screen.metadata import read_catalogue
from debatch.screen.profiles.index import embed_profiles, index_profiles
from debatch.screen.profiles.read import read_profiles
from debatch.text_table import open_table, read_columns, read_text_table


def table(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_packed_table_with_broken_bytes_is_refused_in_one_line(tmp_path):
    packed = bytearray(gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(2000))))
    packed[40:60] = b"\xff" * 20
    path = table(tmp_path / "a.csv.gz", bytes(packed))
    with pytest.raises(DataError, match="cannot be read as a table: Error -3 while decompressing"):
        open_table(path, "metadata.file")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('a,b\r1,2\r3,"4\r5,6\r', 3),  # lines that end as on an old Mac
        ('a,b\n1,"2\n3,"4\n5,6\n', 2),  # a second mark closes the first
        ('a,b\n1,2\n3,"4\n5,6"7\n8,9\n', 3),
        ('"a,b\n1,2\n3,4\n', 1),  # in the header
        ('a,b\n\u2200,2\n3,"4\n5,6\n'.encode("utf-16"), 3),  # U+2200 holds the byte of a mark
    ],
)
def test_an_open_quotation_mark_never_takes_rows_for_one_cell(tmp_path, content, line):
    with pytest.raises(DataError, match=rf"a\.csv, line {line}: a quotation mark opens there and nothing closes it"):
        read_text_table(table(tmp_path / "a.csv", content), "metadata.file")


def test_cells_of_several_lines_and_marks_in_cells_are_read(tmp_path):
    content = 'size,"note\nof two lines"\n5",\n3,"one\ntwo ""three"""\n'
    read = read_text_table(table(tmp_path / "a.csv", content), "metadata.file")
    assert read.fillna("").to_numpy().tolist() == [['5"', ""], ["3", 'one\ntwo "three"']]


def test_an_open_mark_in_a_large_table_is_named_as_the_likely_reason(tmp_path):
    rows = "".join(f"{n},aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" for n in range(260_000))
    path = table(tmp_path / "a.csv", "a,b\n" + "1,2\n" * 400 + '1,"2\n' + rows)
    with pytest.raises(DataError, match="a row of more than 4 MB; a quotation mark that nothing closes"):
        read_text_table(path, "metadata.file")


@pytest.mark.parametrize("content", [",b\n0,2\n1,4\n", "a,b\n,2\n,4\n"])
def test_rows_are_counted_whatever_the_first_column_holds(tmp_path, content):
    assert len(read_text_table(table(tmp_path / "a.csv", content), "metadata.file", [])) == 2


def test_texts_without_numbers_have_as_many_rows_as_the_numbers(tmp_path):
    texts, numbers = read_columns(open_table(table(tmp_path / "a.csv", "a,b\n1,2\n,\n3,4\n"), "profiles"), ["a"], [])
    assert texts["a"].tolist() == ["1", "3"]
    assert numbers.shape == (2, 0)


def test_a_blank_first_line_is_named_as_such(tmp_path):
    with pytest.raises(DataError, match="its first line names no column"):
        open_table(table(tmp_path / "a.csv", "\na,b\n1,2\n"), "metadata.file")


def test_a_line_is_told_by_its_number_in_the_file_behind_empty_rows_too(tmp_path):
    path = table(tmp_path / "a.csv", "experiment,plate,well,perturbation\nE,1,A01,x\n,,,\n,,,\nE,1,,y\n")
    screen = make_screen(tmp_path)
    with pytest.raises(DataError, match=r"a\.csv, line 5: an empty well"):
        read_catalogue(screen, [MetadataFile(file=str(path))], None)


@pytest.mark.parametrize("doses", [["", ""], ["3.0", ""]])
def test_a_perturbation_of_columns_that_are_empty_is_none(tmp_path, doses):
    rows = "".join(f"E,1,A0{at},x,{dose}\n" for at, dose in enumerate(doses, start=1))
    path = table(tmp_path / "a.csv", "experiment,plate,well,perturbation,dose\n" + rows)
    columns = Columns(cell_type=None, well_type=None, perturbation=["dose", "perturbation"])
    wells = read_catalogue(make_screen(tmp_path, columns=columns), [MetadataFile(file=str(path))], None)
    assert wells["perturbation"].fillna("").tolist() == ["3_x" if dose else "" for dose in doses]


@pytest.mark.parametrize("cut", [0.6, 0.9])
def test_a_cut_jpeg_within_a_tiff_is_not_filled_up_with_grey(tmp_path, cut):
    content = tiff(pixels((40, 12)), compression="jpeg")
    path = table(tmp_path / "a.tif", content[: int(cut * len(content))])
    assert truncation(path) == "cut off: its pixels end beyond the file"
    with pytest.raises(ImageProblem, match="cut off: its pixels end beyond the file"):
        decode(path)


def test_a_tiff_whose_second_page_was_cut_off_is_no_image_of_one_page(tmp_path):
    content = tiff(pixels(), pages=2)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        second = file.pages[1].offset
    path = table(tmp_path / "a.tif", content[:second])
    for read in (decode, lambda path: decode_channels(path, ["1"])):
        with pytest.raises(ImageProblem, match="it names a page that is not there"):
            read(path)
    assert truncation(path) == "cut off or broken: it names a page that is not there"


def test_a_tiff_whose_description_was_cut_off_is_not_read_without_it(tmp_path):
    """Bio-Formats writes it behind the pixels: without it, planes of a stack over z pass for channels."""
    content = bytearray(ome(np.stack([pixels(), pixels()]), axes="ZYX"))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        tag = file.pages[0].tags["ImageDescription"]
        description = bytes(content[tag.valueoffset : tag.valueoffset + tag.count])
        content[tag.offset + 8 : tag.offset + 12] = struct.pack("<I", len(content))
    whole = table(tmp_path / "whole.ome.tif", bytes(content) + description)
    with pytest.raises(ImageProblem, match="a stack of 2 z planes"):
        decode_channels(whole, ["1", "2"])
    path = table(tmp_path / "cut.ome.tif", bytes(content) + description[:50])
    with pytest.raises(ImageProblem, match="cut off or broken: its ImageDescription cannot be read"):
        decode_channels(path, ["1", "2"])


def test_a_png_with_something_behind_its_end_is_whole(tmp_path):
    path = table(tmp_path / "a.png", png(pixels()) + b"more behind it")
    assert truncation(path) == ""
    assert decode(path).shape == (20, 20)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"downsample": 64}, "40 x 40 pixels, fewer than `image.downsample: 64` averages to one"),
        ({"tiles": 41}, "40 x 40 pixels, too few for 41 x 41 tiles; see `image.tiles`"),
        ({"downsample": 20, "tiles": 3}, "2 x 2 pixels, too few for 3 x 3 tiles"),
    ],
)
def test_images_of_which_no_pixel_would_be_left_are_refused(tmp_path, image, message):
    write_png_screen(tmp_path)
    with pytest.raises(DataError, match=message):
        ingest(tmp_path, image=ImageProcessing(**image))
    screen = make_screen(tmp_path, image=ImageProcessing(**image))
    findings = check_screen(screen, screen.source, screen.metadata.tables(), ["E-1"], 3)
    assert any(message in error for error in findings.errors)


def test_a_folder_with_a_blank_behind_its_name_is_the_experiments_for_ingestion_too(tmp_path):
    write_png_screen(tmp_path)
    (tmp_path / "E-1").rename(tmp_path / "E-1 ")
    assert len(ingest(tmp_path)) == 6


def test_a_folder_and_a_link_to_it_are_both_looked_at(tmp_path):
    """Which of the two was met first hid the other one from `check`."""
    write_png_screen(tmp_path)
    (tmp_path / "A-link").symlink_to("E-1")
    (tmp_path / "E-1/Plate1/up").symlink_to(tmp_path)
    source = make_screen(tmp_path).source
    found = [str(path.relative_to(tmp_path)) for path, _ in walk_all(source) if path.suffix == ".png"]
    assert len(found) == 24
    assert {name.split("/")[0] for name in found} == {"A-link", "E-1"}


def profile_screen(path, **changes):
    profiles = {"own": ProfileSet(file=str(path), features=changes.pop("features", None))}
    return Screen(profiles=profiles, **{"columns": Columns(batch="Metadata_Batch"), **changes})


def profile_rows(**columns):
    rows = {"Metadata_Plate": ["1", "2"], "Metadata_Well": ["A01", "B01"], "Metadata_Batch": ["a", "b"]}
    return pd.DataFrame({**rows, "Metadata_Perturbation": ["x", "y"], **columns})


def test_a_set_of_profiles_that_fills_in_no_plate_matches_nothing(tmp_path):
    for name, plates in (("own", ["1", "2"]), ("other", ["", ""])):
        profile_rows(Metadata_Plate=plates, f0=[1.0, 2.0]).to_csv(tmp_path / f"{name}.csv", index=False)
    screen = profile_screen(tmp_path / "own.csv")
    both = {**screen.profiles, "other": ProfileSet(file=str(tmp_path / "other.csv"))}
    with pytest.raises(DataError, match=r"matches none of the 2 profiles of .*other\.csv"):
        index_profiles(screen.model_copy(update={"profiles": both}))


@pytest.mark.parametrize("value", ["", "0"])
def test_a_set_without_a_usable_profile_is_refused(tmp_path, value):
    profile_rows(f0=[value, value], f1=[value, value]).to_csv(tmp_path / "a.csv", index=False)
    screen = profile_screen(tmp_path / "a.csv", features=["f*"], on_problem="drop")
    own = screen.profiles["own"]
    with pytest.raises(DataError, match="no usable profile or feature is left"):
        embed_profiles(read_profiles(own, screen), own, screen, index_profiles(screen), Problems("own", "left out"))


def test_an_empty_column_of_words_that_are_translated_is_text(tmp_path):
    path = table(tmp_path / "a.csv", "experiment,plate,well,perturbation,role\nE,1,A01,x,\nE,1,A02,y,\n")
    columns = Columns(cell_type=None, well_type="role")
    screen = make_screen(tmp_path, columns=columns, well_types={"": "treatment"})
    wells = read_catalogue(screen, [MetadataFile(file=str(path))], None)
    assert wells["well_type"].tolist() == ["treatment", "treatment"]


def anndata_of(path, obs, features):
    kept = anndata.AnnData(np.ones((len(obs), len(features)), np.float32), obs.astype(object))
    kept.obs_names = pd.Index(["0", "1"], dtype=object)
    kept.var_names = pd.Index(features, dtype=object)
    kept.write_h5ad(path, convert_strings_to_categoricals=False)
    return path


def test_a_feature_that_is_called_as_metadata_are_is_refused(tmp_path):
    screen = profile_screen(anndata_of(tmp_path / "a.h5ad", profile_rows(), ["f0", "Metadata_f"]))
    with pytest.raises(DataError, match="'Metadata_f' would be a feature, and Metadata_… is what metadata are called"):
        read_profiles(screen.profiles["own"], screen)


def test_a_column_and_a_feature_of_one_name_are_refused(tmp_path):
    screen = profile_screen(anndata_of(tmp_path / "a.h5ad", profile_rows(dose=["1", "2"]), ["f0", "dose"]))
    with pytest.raises(DataError, match="2 columns of `obs` and features of `var` are called 'dose'"):
        read_profiles(screen.profiles["own"], screen)


def test_a_date_is_no_feature(tmp_path):
    rows = profile_rows(f0=[1.0, 2.0], day=pd.to_datetime(["2024-01-05", None]))
    rows.to_parquet(tmp_path / "a.parquet")
    screen = profile_screen(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"row 1: the column 'day' holds .*2024-01-05.*, which is no number"):
        read_profiles(screen.profiles["own"], screen)


@pytest.mark.parametrize("name", ["a.h5ad", "a.parquet"])
def test_a_broken_file_of_profiles_is_refused_in_one_line_whatever_its_library_raises(tmp_path, name):
    if name == "a.h5ad":
        path = anndata_of(tmp_path / name, profile_rows(), ["f0"])
    else:
        path = tmp_path / name
        profile_rows(f0=[1.0, 2.0]).to_parquet(path)
    whole = path.read_bytes()
    screen = profile_screen(path)
    refused = 0
    for at in range(0, len(whole), len(whole) // 60):
        path.write_bytes(whole[:at] + bytes(byte ^ 0xFF for byte in whole[at : at + 8]) + whole[at + 8 :])
        refused += of_user(read_profiles, screen.profiles["own"], screen) is None
    assert refused > 5


def test_a_key_of_several_lines_is_named_on_one(tmp_path):
    with pytest.raises(ConfigError, match=r"^mine\.yaml: `a\\n\\nb`: expected|^mine\.yaml: unknown key `a\\n\\nb`"):
        validate(Screen, {"a\n\nb": 1}, "mine.yaml")
    with pytest.raises(ConfigError, match=r"^methods\.yaml: `a\\nb`: a method's name is"):
        check_entry_name("a\nb", "methods.yaml", "method")


@pytest.mark.parametrize("key", ["experiments", "treatments", "positive_controls"])
def test_a_number_that_would_fill_the_memory_with_names_is_refused(key):
    value = {"ALPHA": 10**10} if key == "experiments" else 10**10
    with pytest.raises(ConfigError, match=f"`simulate`: `{key}`: 10,000,000,000 cannot be drawn; 100,000 at most"):
        validate(Screen, {"simulate": {key: value}}, "mine.yaml")


def test_yaml_that_is_nested_too_deep_is_refused(tmp_path):
    path = table(tmp_path / "mine.yaml", "a: " + "[" * 20_000)
    with pytest.raises(ConfigError, match="not valid YAML: maximum recursion depth exceeded"):
        read_yaml(path)


@pytest.mark.parametrize("text", ['source: {root: "\\0"}', '"a\\0": 1', 'metadata: {file: ["a\\0.csv"]}'])
def test_a_nul_in_a_configuration_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match="not valid YAML: a value holds the character NUL"):
        read_yaml(table(tmp_path / "mine.yaml", text))


@pytest.mark.parametrize(("odd", "shown"), [("x\ny", r"x\ny"), ("x\u2028y", r"x\u2028y"), ("\x1b[2J", r"\x1b[2J")])
def test_a_name_of_several_lines_breaks_no_message(tmp_path, odd, shown):
    profile_rows(f0=[1.0, 2.0], Metadata_Batch=[odd, odd]).to_csv(tmp_path / "a.csv", index=False)
    profile_rows(Metadata_Batch=["a", "b"]).to_csv(tmp_path / "map.csv", index=False)
    named = {role: METADATA[role] for role in ("plate", "well", "perturbation", "batch")}
    columns = Columns(**named, experiment="Metadata_Batch", cell_type=None, well_type=None)
    plate_map = Metadata(file=str(tmp_path / "map.csv"))
    screen = profile_screen(tmp_path / "a.csv", metadata=plate_map, columns=columns)
    with pytest.raises(DataError) as raised:
        index_profiles(screen)
    assert f"the profiles have {shown} 1 A01" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
