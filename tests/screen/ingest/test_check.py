import io
import re

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers.raw_screens import make_screen, write_png_screen
from rich.console import Console

from debatch.cli import main
from debatch.cli.check_text import check_lines
from debatch.cli.terminal import WIDE, show, values_table
from debatch.config import Screen
from debatch.config.splits import Splits
from debatch.screen.ingest.check import check_parts, check_screen
from debatch.screen.ingest.decode import truncation
from debatch.screen.ingest.findings import proposed_ranges


def check(root, source=None, sampled=24, **changes):
    screen = make_screen(root, source, splits=Splits(names=[]), **changes)
    tables = screen.metadata.tables() if screen.metadata else []
    findings = check_screen(screen, screen.source, tables, ["E-1"], sampled)
    return findings, shown(check_lines("x", screen, screen.source, [table.file for table in tables], findings), WIDE)


def shown(lines, width, terminal=False):
    out = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    show(out, lines)
    return out.file.getvalue() if terminal else squeezed(out.file.getvalue())


def squeezed(text):
    """Columns of a table one blank apart."""
    return re.sub(r"(?<=\S) +", " ", text)


@pytest.fixture
def raw(tmp_path):
    write_png_screen(tmp_path)
    return tmp_path


def test_a_screen_in_order_has_no_problem_and_is_described(raw):
    findings, text = check(raw)
    assert findings.clean
    for line in (
        "12 fit; 0 images do not; 0 are of experiments that the screen does not list; 1 are no images by their name",
        "E-1 1 6 6 6 12",
        "height x width 40 x 40; uint8 (12 files)",
        "to be stored: 2 x 40 x 40 (channels x height x width) uint8",
        "a row a well: 6 wells on 1 plates of 1 experiments",
        "1 batches; 3 classes; 0 of 6 wells without a label",
        "Problems: none",
    ):
        assert line in text


def test_fields_that_will_be_cut_are_counted_as_fields(raw):
    from debatch.config.images import ImageProcessing

    screen = make_screen(raw, image=ImageProcessing(tiles=4), splits=Splits(names=["separated"]))
    findings = check_screen(screen, screen.source, screen.metadata.tables(), ["E-1"], 4)
    text = shown(check_lines("x", screen, screen.source, ["wells.csv"], findings), WIDE)
    assert "experiment plate wells fields with every channel files" in text
    assert "Pixels of 4 fields, spread over the screen" in text
    assert "(channels x height x width) uint8 tiles, 16 a field" in text
    assert "Splits of the fields on disk, before they are cut into tiles (6)" in text
    assert "images do not" in text
    findings.balances = {}
    assert "4 of 6 fields were opened" in shown(check_lines("x", screen, screen.source, [], findings), WIDE)


def test_how_many_images_were_opened_is_said(raw):
    _, text = check(raw, sampled=4)
    assert (
        "Problems: none (the ends of 12 files were read, and 4 of 6 images were opened: `--sample` opens more)" in text
    )


def test_a_terminal_wraps_between_words_and_a_pipe_does_not():
    rows = [{"stain": "DNA", "with every channel": 12_000, "outside of image.range": "0.1 %"}]
    lines = ["Problems", "", "  " + 30 * "word "]
    narrow = shown([*lines, values_table(rows)], 40, terminal=True).splitlines()
    assert max(map(len, narrow)) <= 40
    assert narrow[1].strip() == ""
    assert all(line.startswith("  ") for line in narrow[2:])
    assert {"word", "channel", "image.range", "12,000"} <= set(" ".join(narrow).split())
    piped = shown([*lines, values_table(rows)], WIDE)
    assert "  " + " ".join(30 * ["word"]) in piped
    assert "\n  stain with every channel outside of image.range" in piped
    assert "\n  DNA 12,000 0.1 %" in piped


def test_everything_that_is_wrong_is_found_before_anything_runs(raw):
    plate = raw / "E-1/Plate1"
    (plate / "B03_s1_w2.png").unlink()
    (plate / "B04_s1_w1.png").unlink()
    (plate / "B04_s1_w2.png").unlink()
    (plate / "B05_s1_w1.png").write_bytes(b"")
    (plate / "B06_s1_w3.png").write_bytes((plate / "B06_s1_w1.png").read_bytes())
    (plate / "C09_s1_w1.png").write_bytes((plate / "B06_s1_w1.png").read_bytes())
    (plate / "overview.png").write_bytes(b"")
    (plate / "notes.txt").write_text("x")
    other = raw / "E-2/Plate1"
    other.mkdir(parents=True)
    (other / "B02_s1_w1.png").write_bytes(b"")
    (raw / "E-1/Plate01").mkdir()
    (raw / "E-1/Plate01/B02_s1_w1.png").write_bytes((plate / "B02_s1_w1.png").read_bytes())
    findings, text = check(raw)
    assert not findings.clean
    for line in (
        "1 images do not; 1 are of experiments that the screen does not list; 2 are no images by their name",
        "other experiments: E-2 (1)",
        "no images: wells.csv, notes.txt",
        "3 (not in source.channels) 1",
        "1 x no file of the channel ER\n      E-1/1/B03/1",
        "1 x the metadata lists it, and no file is there\n      E-1/1/B04",
        "1 x a channel that the screen does not name",
        "1 x the metadata has no such well",
        "1 x a second file of the same image and channel",
        "1 x the name does not fit the pattern",
        "1 x an empty file",
    ):
        assert line in text, text


def test_16_bits_get_a_proposed_range_that_clips_a_thousandth(tmp_path):
    generator = np.random.default_rng(0)
    write_png_screen(tmp_path, wells=4)
    for path in (tmp_path / "E-1/Plate1").glob("*.png"):
        high = 3000 if "_w1" in path.name else 60000
        path.write_bytes(imagecodecs.png_encode(generator.integers(100, high, (40, 40)).astype(np.uint16)))
    findings, text = check(tmp_path)
    assert "proposed (one is needed to store 16 bits in 8): image: {range: {DNA: [" in text
    assert "image.range: the images have 16 bits" in text
    raw = np.concatenate(
        [imagecodecs.png_decode(p.read_bytes()).ravel() for p in (tmp_path / "E-1/Plate1").glob("*_w1.png")]
    )
    low, high = proposed_ranges(findings)["DNA"]
    assert np.mean(raw < low) < 0.001 <= np.mean(raw <= low)
    assert np.mean(raw > high) <= 0.001
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("  DNA ")] == ["12"]
    from debatch.config.images import ImageProcessing

    findings, text = check(tmp_path, image=ImageProcessing(range={"DNA": [low, high], "ER": [0, 65535]}))
    assert findings.clean
    assert "outside of image.range" in text


def write_16_bits(folder, values_of):
    """Values by channel, as `values_of(channel, generator)` gives them for 40 x 40 pixels."""
    generator = np.random.default_rng(0)
    write_png_screen(folder, wells=4)
    for path in (folder / "E-1/Plate1").glob("*.png"):
        values = values_of(path.stem[-1], generator)
        path.write_bytes(imagecodecs.png_encode(values.astype(np.uint16)))


@pytest.mark.parametrize(
    ("step", "bits", "below"), [(257, 8, 256), (256, 8, 200), (16, 12, 4096), (64, 10, 1024), (4, 14, 16384)]
)
def test_16_bit_files_of_fewer_bits_are_said_to_be_such(tmp_path, step, bits, below):
    from debatch.config.images import ImageProcessing

    write_16_bits(tmp_path, lambda _, generator: step * generator.integers(0, below, (40, 40)))
    findings, text = check(tmp_path, image=ImageProcessing(range=[0, 65535]))
    line = f"  DNA, ER: {bits}-bit images saved as 16 bits, every sampled value is a multiple of {step}"
    assert line in text.splitlines()
    assert findings.clean  # a fact, and no problem


def test_stains_that_were_saved_in_different_ways_are_told_apart(tmp_path):
    steps = {"1": (257, 256), "2": (16, 4096)}
    write_16_bits(tmp_path, lambda channel, g: steps[channel][0] * g.integers(0, steps[channel][1], (40, 40)))
    (line,) = [line for line in check(tmp_path)[1].splitlines() if "saved as 16 bits" in line]
    assert line == (
        "  DNA: 8-bit images saved as 16 bits, every sampled value is a multiple of 257; "
        "ER: 12-bit images saved as 16 bits, every sampled value is a multiple of 16"
    )


@pytest.mark.parametrize(
    "values",
    [
        lambda _, generator: generator.integers(0, 4096, (40, 40)),  # 12 bits as they are
        lambda _, generator: 16 * generator.integers(0, 200, (40, 40)),  # would fit into 12 bits
        lambda _, generator: 65535 * generator.integers(0, 2, (40, 40)),  # a mask: two values say nothing
        lambda _, generator: 257 * generator.integers(0, 256, (40, 40)) + (np.arange(1600).reshape(40, 40) == 7),
        lambda _, generator: np.zeros((40, 40)),
    ],
)
def test_16_bits_that_are_used_are_not_called_fewer(tmp_path, values):
    write_16_bits(tmp_path, values)
    assert "saved as 16 bits" not in check(tmp_path)[1]


def test_files_of_8_bits_are_not_called_such_that_were_saved_as_16(raw):
    assert "saved as 16 bits" not in check(raw)[1]


def test_experiment_of_too_few_images_to_flag_is_named(tmp_path):
    write_png_screen(tmp_path, wells=19)
    said = "  Too few images to flag for focus or foreground in E-1: fewer than 20 of an experiment"
    findings, text = check(tmp_path, sampled=1)
    assert said in text
    assert findings.clean
    write_png_screen(tmp_path, wells=20)
    assert said not in check(tmp_path, sampled=1)[1]


def test_truncated_image_is_found_whether_it_is_opened_or_not(raw):
    path = raw / "E-1/Plate1/B05_s1_w1.png"
    path.write_bytes(path.read_bytes()[:-40])
    findings, text = check(raw, sampled=1)
    assert not findings.clean
    assert "1 x cut off: a PNG without its end\n      " + str(path) in text


def test_truncated_tiff_is_found_by_its_ends(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((64, 64), np.uint16))
    assert truncation(path) == ""
    path.write_bytes(path.read_bytes()[:4000])
    assert truncation(path) == "cut off: its pixels end beyond the file"
    path.write_bytes(b"II")
    assert truncation(path).startswith("cannot be opened")


def test_fault_of_the_metadata_does_not_hide_the_files(raw):
    wells = (raw / "wells.csv").read_text()
    (raw / "wells.csv").write_text(wells.replace("B03", "Z99"))
    findings, text = check(raw)
    assert "12 fit" in text
    assert "line 3: well Z99 is beyond a plate" in text
    assert not findings.clean


def test_plates_that_do_not_meet_are_named(raw):
    wells = (raw / "wells.csv").read_text()
    (raw / "wells.csv").write_text(wells.replace("E-1,1,", "E-1,PlateOne,"))
    _, text = check(raw)
    assert "plates only in file names: E-1/1" in text
    assert "plates only in the metadata: E-1/PlateOne" in text
    assert "E-1 1 6 6 6 12" in text


def test_images_that_are_not_there_leave_the_metadata_and_the_splits(tmp_path):
    write_png_screen(tmp_path, wells=6)
    for path in (tmp_path / "E-1/Plate1").iterdir():
        path.unlink()
    screen = make_screen(tmp_path, {"sites": [1, 2]}, splits=Splits(names=["stratified"]))
    findings = check_screen(screen, screen.source, screen.metadata.tables(), ["E-1"], 4)
    text = shown(check_lines("x", screen, screen.source, [], findings), WIDE)
    assert "Splits of the images that the metadata promises (12)" in text
    assert "no file fits the pattern" in text
    assert not findings.clean


def test_split_that_cannot_be_drawn_is_a_problem(raw):
    screen = make_screen(raw, splits=Splits(names=["separated"]))
    findings = check_screen(screen, screen.source, screen.metadata.tables(), ["E-1"], 4)
    assert not findings.clean
    text = shown(check_lines("x", screen, screen.source, [], findings), WIDE)
    assert "separated cannot be drawn: split 'separated': no image in test" in text


def test_planes_of_files_with_all_channels(tmp_path):
    path = tmp_path / "E-1/Plate1/B02_s1.tif"
    path.parent.mkdir(parents=True)
    tifffile.imwrite(path, np.ones((2, 32, 32), np.uint8), photometric="minisblack")
    source = {"pattern": "{experiment}/Plate{plate:d}/{well}_s{site:d}.tif"}
    findings, text = check(tmp_path, source, metadata=None, experiments=["E-1"])
    assert findings.clean, text
    assert "Channels: each file holds 2; planes 1, 2 are read" in text
    assert "Metadata: none; wells are those of the file names" in text


def run(monkeypatch, capsys, root, *arguments):
    monkeypatch.chdir(root)
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("screen", "lines"),
    [
        ("pediatric_sample", ["1080 x 1080; uint16 (6 files)", "6 x 1080 x 1080 (channels", "outside of image.range"]),
        (
            "bbbc022_sample",
            ["520 x 696; uint16 (7 files)", "20585 1 4 7", "DNA 124 135 176"],
        ),
        (
            "rxrx1_sample",
            ["8 x no file of the channel WGA", "512 x 512; uint8 (48 files)", "16 a field", "4 HEPG2, 4 HUVEC"],
        ),
    ],
)
def test_check_of_the_shipped_real_screens(real_data, root, monkeypatch, capsys, screen, lines):
    monkeypatch.setenv("DEBATCH_REAL_DATA", str(real_data.resolve()))
    status, out, _ = run(monkeypatch, capsys, root, "check", screen)
    assert status == (1 if "no file" in lines[0] else 0)
    for line in lines:
        assert line in squeezed(out)


def test_check_of_a_screen_that_is_not_there(root, monkeypatch, capsys):
    status, _, err = run(monkeypatch, capsys, root, "check", "rxrx1_sampel")
    assert status == 1
    assert "no screen 'rxrx1_sampel'; did you mean 'rxrx1_sample'?" in err


def test_check_of_a_simulated_screen_that_is_not_drawn(root, monkeypatch, capsys, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("screen: tiny\n")
    status, out, _ = run(monkeypatch, capsys, tmp_path, "check")
    assert status == 0
    assert "Screen tiny is simulated, and not drawn yet" in out


def test_parts_below_one_folder_are_looked_at_each_by_itself(raw):
    """Another part's experiments and files are not out of place; what fits neither is."""
    for well in ("B02", "B03", "B04"):
        path = raw / f"wide/{well}_1_dna.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(imagecodecs.png_encode(np.zeros((20, 30), np.uint8)))
    (raw / "wide/stray.png").write_bytes(b"")
    first = make_screen(raw)
    wide = {"root": str(raw), "pattern": "{experiment}/{well}_{site:d}_{channel}.png", "channels": {"dna": "DNA"}}
    screen = Screen(
        parts={
            "square": {"source": first.source.model_dump(), "experiments": ["E-1"]},
            "wide": {"source": wide, "experiments": ["wide"], "fields": {"plate": 1}},
        },
        splits={"names": []},
    )
    sources = {name: screen.of_part(name).source for name in screen.part_names()}
    found, whole = check_parts(screen, sources, [], 24)
    assert {name: findings.stored for name, findings in found.items()} == {
        "square": ((2, 40, 40), "uint8", 1),
        "wide": ((1, 20, 30), "uint8", 1),
    }
    assert [findings.fit for findings in found.values()] == [12, 3]
    for findings in found.values():
        assert not findings.elsewhere
        assert [path.name for path, _ in findings.stray] == ["stray.png"]
    assert len(whole.index) == 9
