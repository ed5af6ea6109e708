"""What pixels and planes of raw files mean, and that `check` and ingestion say the same of them."""

import os

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers.raw_screens import ingest, make_screen, problems, write_wells

from debatch.config.images import ImageProcessing, Store
from debatch.config.splits import Splits
from debatch.errors import UserError
from debatch.screen.ingest.check import check_screen
from debatch.screen.ingest.decode import ImageProblem, decode, decode_channels

WELLS = ("C03", "C04", "C05", "C06")
ONE = {"pattern": "{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.tif"}
ALL = {"pattern": "{experiment}/Plate{plate:d}/{well}_s{site:d}.tif"}
SHAPE = (48, 64)


def pixels_of(seed, dtype=np.uint16, top=4000):
    return np.random.default_rng(seed).integers(1, top, SHAPE).astype(dtype)


def name_of(root, well, channel):
    return root / f"E-1/Plate1/{well}_s1_w{channel}.tif"


@pytest.fixture
def raw(tmp_path):
    """Four wells, a 16-bit TIFF a channel."""
    for at, well in enumerate(WELLS):
        for channel in (1, 2):
            path = name_of(tmp_path, well, channel)
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, pixels_of(2 * at + channel))
    write_wells(tmp_path, WELLS)
    return tmp_path


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 16)])
@pytest.mark.parametrize("ome", [False, True])
def test_where_white_is_zero_the_picture_is_the_same(tmp_path, dtype, bits, ome):
    pixels = pixels_of(0, dtype, 200)
    path = tmp_path / "a.tif"
    inverted = np.stack([(1 << bits) - 1 - pixels] * 2) if ome else (1 << bits) - 1 - pixels
    options = {"metadata": {"axes": "CYX"}} if ome else {}
    tifffile.imwrite(path, inverted, photometric="miniswhite", ome=ome, **options)
    found = decode_channels(path, ["2"])[0][0] if ome else decode(path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, pixels)


def test_a_palette_of_greys_is_grey_and_one_of_colours_is_refused(tmp_path):
    pixels = pixels_of(0, np.uint8, 255)
    ramp = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))
    tifffile.imwrite(tmp_path / "grey.tif", pixels, photometric="palette", colormap=ramp)
    np.testing.assert_array_equal(decode(tmp_path / "grey.tif"), pixels)
    for name, colours in {"colour": ramp * np.array([[1], [0], [0]], np.uint16), "inverted": ramp[:, ::-1]}.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, photometric="palette", colormap=colours)
        with pytest.raises(ImageProblem, match="numbers of colours of a palette where grey is expected"):
            decode(tmp_path / f"{name}.tif")


@pytest.mark.parametrize(
    ("pixels", "remedy"),
    [
        (
            np.zeros(SHAPE, np.float32),
            "float32 pixels.*scale all images of the screen in one way, never each by its own",
        ),
        (np.full(SHAPE, 7, np.int16), "int16 pixels.*its values fit 16 bits; save it as uint16"),
        (np.full(SHAPE, -7, np.int16), "int16 pixels.*do not fit 16 bits; scale or shift all images"),
        (np.full(SHAPE, 70_000, np.int32), "int32 pixels.*do not fit 16 bits"),
        (np.zeros((*SHAPE, 3), np.uint8), "in colour.*save each stain as a grey image of its own"),
    ],
)
def test_pixels_of_another_kind_are_refused_with_the_remedy(tmp_path, pixels, remedy):
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    with pytest.raises(ImageProblem, match=remedy):
        decode(tmp_path / "a.tif")


def planes(path, levels, names=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = np.stack([np.full(SHAPE, level, np.uint16) for level in levels])
    if names is None:
        tifffile.imwrite(path, stack, photometric="minisblack", metadata=None)
    else:
        tifffile.imwrite(path, stack, ome=True, metadata={"axes": "CYX", "Channel": {"Name": list(names)}})
    return path


@pytest.mark.parametrize(("channel", "level"), [("#1", 1000), ("#3", 3000), ("2", 3000), ("3", 3000), ("zero", 1000)])
def test_a_plane_is_meant_by_number_or_by_a_name_that_stands_once(tmp_path, channel, level):
    path = planes(tmp_path / "a.tif", (1000, 2000, 3000), ("zero", "4", "2" if channel == "2" else "twice"))
    if channel == "2":  # plane 2 by number, plane 3 by name
        with pytest.raises(ImageProblem, match="'2' could be planes 2 and 3, which are called 'zero', '4', '2'"):
            decode_channels(path, [channel])
        return
    assert decode_channels(path, [channel])[0][0][0, 0] == level


def test_a_name_of_two_planes_is_refused(tmp_path):
    path = planes(tmp_path / "a.tif", (1000, 2000, 3000), ("DNA", "ER", "DNA"))
    with pytest.raises(ImageProblem, match="'DNA' could be planes 1 and 3"):
        decode_channels(path, ["DNA"])
    assert [plane[0, 0] for plane in decode_channels(path, ["#3", "ER"])[0]] == [3000, 2000]


@pytest.mark.parametrize("levels", [(1000, 3000), (500, 1000, 2000, 3000)])
def test_a_file_with_fewer_or_more_planes_is_a_problem_of_that_file(tmp_path, levels, caplog):
    for well in WELLS:
        planes(tmp_path / f"E-1/Plate1/{well}_s1.tif", levels if well == "C05" else (1000, 2000, 3000))
    write_wells(tmp_path, WELLS)
    with caplog.at_level("INFO"):
        rows = ingest(tmp_path, ALL, on_problem="drop", store=Store(dtype="uint16"))
    assert rows["well"].tolist() == ["C03", "C04", "C06"]
    (found,) = problems(tmp_path).to_dict("records")
    assert found["problem"].startswith(f"{len(levels)} planes; most files hold 3")
    assert found["file"].endswith("C05_s1.tif")
    said = [record.message for record in caplog.records if "planes" in record.message]
    assert said == ["E-1: each file holds 3 planes; 1, 2 are read"]


def test_stains_may_have_depths_of_their_own(tmp_path):
    for at, well in enumerate(WELLS):
        for channel, (dtype, top) in {1: (np.uint16, 4000), 2: (np.uint8, 255)}.items():
            path = name_of(tmp_path, well, channel)
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, pixels_of(at, dtype, top))
    write_wells(tmp_path, WELLS)
    rows = ingest(tmp_path, ONE, image=ImageProcessing(range={"DNA": [0, 4000], "ER": [0, 255]}))
    assert len(rows) == 4
    assert rows["intensity_ER"][0] == pytest.approx(decode(name_of(tmp_path, "C03", 2)).mean(), rel=1e-5)
    assert rows["intensity_DNA"][0] == pytest.approx(decode(name_of(tmp_path, "C03", 1)).mean() * 255 / 4000, rel=1e-2)
    with pytest.raises(UserError, match=r"channel 2 have 8 bits, and 4000 lies beyond; state a range for each stain"):
        ingest(tmp_path, ONE, image=ImageProcessing(range=[0, 4000]))


def spoil(root, kind):
    """Make one thing of a screen of one file a channel wrong."""
    path, pixels = name_of(root, "C05", 2), pixels_of(9)
    if kind == "binned file":
        tifffile.imwrite(path, pixels[::2, ::2])
    elif kind == "binned channel":
        for well in WELLS:
            tifffile.imwrite(name_of(root, well, 2), pixels[::2, ::2])
    elif kind == "8 bits among 16":
        tifffile.imwrite(path, pixels.astype(np.uint8))
    elif kind == "floats":
        tifffile.imwrite(path, pixels.astype(np.float32))
    elif kind == "planes":
        tifffile.imwrite(path, np.stack([pixels] * 2), photometric="minisblack")
    elif kind == "palette":
        colours = np.zeros((3, 256), np.uint16)
        tifffile.imwrite(path, pixels.astype(np.uint8), photometric="palette", colormap=colours)
    elif kind == "pointer":
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    elif kind == "cut off":
        path.write_bytes(path.read_bytes()[:900])
    elif kind == "gone":
        path.unlink()
    elif kind == "another experiment alone":
        (root / "E-1").rename(root / "E-2")
    elif kind == "name":
        path.rename(path.with_name("C05_s1_x2.tif"))
    elif kind == "not utf-8":
        tifffile.imwrite(path.with_name("x.tif"), pixels)
        os.rename(os.fsencode(path.with_name("x.tif")), os.fsencode(path.parent) + b"/5\xb5m.tif")
    elif kind == "white is zero":
        tifffile.imwrite(path, 65535 - pixels, photometric="miniswhite")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nothing", ""),
        ("white is zero", ""),
        ("binned file", "24 x 32 pixels; most images of the experiment have 48 x 64"),
        ("binned channel", "pixels; most images of the experiment have"),
        ("8 bits among 16", "uint8; most images of the experiment are uint16"),
        ("floats", "float32 pixels"),
        ("planes", "2 planes in one file"),
        ("palette", "numbers of colours of a palette"),
        ("pointer", "`git lfs pull` fetches it"),
        ("cut off", "cut off|cannot be decoded"),
        ("gone", "no file of the channel ER"),
        ("another experiment alone", "no file is there"),
        ("name", "the name does not fit the pattern"),
        ("not utf-8", "the name is not text in UTF-8"),
    ],
)
def test_what_ingestion_refuses_check_refuses_and_nothing_else(raw, kind, said):
    spoil(raw, kind)
    options = {"store": Store(dtype="uint16", images_per_shard=4)}
    screen = make_screen(raw, ONE, splits=Splits(names=[]), **options)
    findings = check_screen(screen, screen.source, screen.metadata.tables(), ["E-1"], sampled=24)
    assert findings.clean == (said == "")
    if not said:
        assert len(ingest(raw, ONE, **options)) == 4
        return
    with pytest.raises(UserError):
        ingest(raw, ONE, **options)
    assert problems(raw)["problem"].str.contains(said).any()
    found = [*findings.problems.get("problem", []), *(why for _, why in (*findings.stray, *findings.unreadable))]
    assert any(part in problem for problem in found for part in said.split("|"))


def test_a_folder_that_cannot_be_listed_is_a_problem_and_not_an_absent_plate(raw, monkeypatch):
    """Root may list everything, so that the refusal is made up."""
    (raw / "E-1/Plate2").mkdir()
    listed = os.scandir

    def refuse(path):
        if str(path).endswith("Plate2"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    options = {"store": Store(dtype="uint16", images_per_shard=4)}
    screen = make_screen(raw, ONE, splits=Splits(names=[]), **options)
    findings = check_screen(screen, screen.source, screen.metadata.tables(), ["E-1"], sampled=24)
    assert not findings.clean
    rows = ingest(raw, ONE, on_problem="drop", **options)
    assert len(rows) == 4
    (found,) = problems(raw).to_dict("records")
    assert found["problem"] == "a folder that cannot be listed (Permission denied)"
    assert found["file"].endswith("E-1/Plate2")


def test_experiments_of_unlike_sizes_are_told_before_ingestion(raw):
    (raw / "E-2/Plate1").mkdir(parents=True)
    for channel in (1, 2):
        tifffile.imwrite(raw / f"E-2/Plate1/C03_s1_w{channel}.tif", pixels_of(0)[:40])
    screen = make_screen(
        raw, ONE, splits=Splits(names=[]), store=Store(dtype="uint16"), metadata=None, experiments=["E-1"]
    )
    findings = check_screen(screen, screen.source, [], ["E-1", "E-2"], sampled=24)
    assert findings.errors == [
        "the images of E-1 come to 2 x 48 x 64 and those of E-2 to 2 x 40 x 64, and a screen's must all be of one "
        "size; crop them by `image.crop`, or put them into `parts`"
    ]


def test_a_colour_png_is_refused_as_a_tiff_is(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.zeros((*SHAPE, 3), np.uint8)))
    with pytest.raises(ImageProblem, match="save each stain as a grey image of its own"):
        decode(tmp_path / "a.png")


def test_planes_that_are_counted_are_called_alike_in_every_file(tmp_path):
    for well in WELLS:
        names = ("ER", "DNA") if well == "C05" else ("DNA", "ER")
        planes(tmp_path / f"E-1/Plate1/{well}_s1.tif", (1000, 2000), names)
    write_wells(tmp_path, WELLS)
    options = {"on_problem": "drop", "store": Store(dtype="uint16")}
    assert ingest(tmp_path, ALL, **options)["well"].tolist() == ["C03", "C04", "C06"]
    (found,) = set(problems(tmp_path)["problem"])
    assert found.startswith("plane 1 is called 'ER', and 'DNA' in most files")
    for channels in ({"#1": "DNA", "#2": "ER"}, {"DNA": "DNA", "ER": "ER"}):
        assert len(ingest(tmp_path, {**ALL, "channels": channels}, **options)) == 4


def test_labels_of_imagej_name_planes_and_may_differ_from_file_to_file(tmp_path):
    for well in WELLS:
        path = tmp_path / f"E-1/Plate1/{well}_s1.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        stack = np.stack([np.full(SHAPE, level, np.uint16) for level in (1000, 2000)])
        tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "CYX", "Labels": ["DNA", f"ER of {well}"]})
    write_wells(tmp_path, WELLS)
    assert len(ingest(tmp_path, ALL, store=Store(dtype="uint16"))) == 4
    assert [plane[0, 0] for plane in decode_channels(path, ["DNA", "ER of C06"])[0]] == [1000, 2000]


def test_check_says_where_nothing_can_be_seen_and_where_two_images_are_one(raw):
    tifffile.imwrite(name_of(raw, "C04", 1), np.full(SHAPE, 7, np.uint16))
    name_of(raw, "C05", 2).write_bytes(name_of(raw, "C03", 2).read_bytes())
    screen = make_screen(raw, ONE, splits=Splits(names=[]), store=Store(dtype="uint16"))
    findings = check_screen(screen, screen.source, screen.metadata.tables(), ["E-1"], sampled=24)
    said = {path.name: why for path, why in findings.odd}
    assert said.pop("C04_s1_w1.tif") == "all pixels of DNA are 7"
    ((name, why),) = said.items()
    assert name == "C05_s1_w2.tif"
    assert why.startswith("ER is the same to the pixel as ER of '")
    assert findings.clean  # ingestion stores them


def test_grey_with_alpha_is_refused_by_its_name(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.zeros((*SHAPE, 2), np.uint8)))
    with pytest.raises(ImageProblem, match="grey beside an alpha channel"):
        decode(tmp_path / "a.png")
