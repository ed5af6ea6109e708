import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from helpers.raw_screens import ingest, make_screen, problems, write_wells

from debatch.config.images import ImageProcessing, Store
from debatch.config.screen import QcLimits
from debatch.errors import ConfigError
from debatch.screen.flags import qc_flags
from debatch.screen.ingest.check import check_screen
from debatch.screen.ingest.decode import ImageProblem, decode, decode_channels, plane_names
from debatch.screen.store import ImageReader, read_moments

ONE_CHANNEL = {"pattern": "{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.tif"}
ALL_CHANNELS = {"pattern": "{experiment}/Plate{plate:d}/{well}_s{site:d}.ome.tif"}


@pytest.fixture
def raw(tmp_path):
    """Four wells, a 16-bit LZW TIFF a channel, 48 x 64 pixels."""
    generator = np.random.default_rng(0)
    for well in ("C03", "C04", "C05", "C06"):
        for channel in (1, 2):
            path = tmp_path / f"E-1/Plate1/{well}_s1_w{channel}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = generator.integers(100, 4000, (48, 64), dtype=np.uint16)
            tifffile.imwrite(path, values, compression="lzw")
    write_wells(tmp_path, ["C03", "C04", "C05", "C06"])
    return tmp_path


def damage(path, kind):
    pixels = np.zeros((48, 64), np.uint16)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:300])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "corrupt":
        with tifffile.TiffFile(path) as file:
            start = file.pages[0].dataoffsets[0]
        content = bytearray(path.read_bytes())
        content[start : start + 500] = b"\xff" * 500
        path.write_bytes(content)
    elif kind == "no tags":
        path.write_bytes(path.read_bytes()[:8].ljust(5000, b"\0"))
    elif kind == "truncated, uncompressed":
        tifffile.imwrite(path, pixels + 7)
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "a strip missing":
        tifffile.imwrite(path, pixels + 7, rowsperstrip=8, compression="lzw")
        with tifffile.TiffFile(path, mode="r+b") as file:
            counts = list(file.pages[0].databytecounts)
            file.pages[0].tags["StripByteCounts"].overwrite([*counts[:2], 0, *counts[3:]])
    elif kind == "text":
        path.write_text("not an image")
    elif kind == "colour":
        tifffile.imwrite(path, np.zeros((48, 64, 3), np.uint8), photometric="rgb")
    elif kind == "planes":
        tifffile.imwrite(path, np.stack([pixels, pixels]), photometric="minisblack")
    elif kind == "float":
        tifffile.imwrite(path, pixels.astype(np.float32))
    elif kind == "32 bits":
        tifffile.imwrite(path, pixels.astype(np.uint32))
    elif kind == "8 bits":
        tifffile.imwrite(path, pixels.astype(np.uint8))
    elif kind == "other size":
        tifffile.imwrite(path, pixels[:40])
    elif kind == "loop":
        path.unlink()
        path.symlink_to(path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "cut off: its pixels end beyond the file"),
        ("empty", "cannot be decoded"),
        ("corrupt", "cannot be decoded"),
        ("no tags", "cut off or broken: where its pixels are is not said"),
        ("truncated, uncompressed", "cut off: its pixels end beyond the file"),
        ("a strip missing", "a part of the image is missing from the file"),
        ("text", "cannot be decoded"),
        ("loop", "cannot be decoded"),
        ("colour", "in colour (3 values a pixel) where grey is expected"),
        ("planes", "2 planes in one file where one channel is expected; leave {channel} out of source.pattern"),
        ("float", "float32 pixels; 8 or 16 bits, unsigned, are read"),
        ("32 bits", "uint32 pixels; 8 or 16 bits, unsigned, are read"),
        ("8 bits", "uint8; most images of the experiment are uint16"),
        ("other size", "40 x 64 pixels; most images of the experiment have 48 x 64"),
    ],
)
def test_bad_tiff_is_listed_with_its_well_and_channel_and_nothing_else_is_lost(raw, kind, message):
    damage(raw / "E-1/Plate1/C04_s1_w2.tif", kind)
    rows = ingest(raw, ONE_CHANNEL, on_problem="drop", store=Store(dtype="uint16", images_per_shard=4))
    assert rows["well"].tolist() == ["C03", "C05", "C06"]
    (found,) = problems(raw).to_dict("records")
    assert message in found["problem"]
    assert (found["well"], found["channel"], found["action"]) == ("C04", "2", "left out")
    assert found["file"].endswith("C04_s1_w2.tif")


def test_16_bits_stay_16_bits_when_the_screen_asks_for_it(raw):
    rows = ingest(raw, ONE_CHANNEL, store=Store(dtype="uint16", images_per_shard=3))
    stored = zarr.open_group(raw / "out/E-1.zarr", mode="r")["images"][:]
    assert stored.dtype == np.uint16
    for at, well in enumerate(rows["well"]):
        for channel in (1, 2):
            expected = tifffile.imread(raw / f"E-1/Plate1/{well}_s1_w{channel}.tif")
            np.testing.assert_array_equal(stored[at, channel - 1], expected)
    np.testing.assert_array_equal(ImageReader({"E-1": raw / "out/E-1.zarr"}, 2).read(rows), stored)
    wide = stored.astype(np.uint64)
    np.testing.assert_array_equal(read_moments(raw / "out/E-1.zarr")[..., 2], (wide**2).sum((2, 3)))


def test_16_bits_in_8_need_a_range_and_what_lies_outside_is_counted_and_said(raw, caplog):
    with pytest.raises(ConfigError, match=r"`debatch check` proposes one"):
        ingest(raw, ONE_CHANNEL)
    image = ImageProcessing(range={"DNA": [0, 65535], "ER": [100, 2049]})
    with caplog.at_level("WARNING"):
        rows = ingest(raw, ONE_CHANNEL, image=image)
    assert (rows["clipped_DNA"] == 0).all()
    outside = np.mean(tifffile.imread(raw / "E-1/Plate1/C03_s1_w2.tif") > 2049)
    assert rows.loc[0, "clipped_ER"] == pytest.approx(outside, abs=1e-6)
    said = "raw values that lay outside of `image.range` and were clipped"
    assert [record.message for record in caplog.records] == [f"E-1: {said}: ER {100 * rows['clipped_ER'].mean():.3g} %"]


def cut_copy(path):
    """What a copy leaves that was cut off: the whole size of the file, and zeros from its middle on."""
    tifffile.imwrite(path, np.random.default_rng(1).integers(100, 4000, (48, 64), dtype=np.uint16))
    content = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        middle = file.pages[0].dataoffsets[0] + 48 * 64
    path.write_bytes(content[:middle].ljust(len(content), b"\0"))


def test_a_copy_that_was_cut_off_is_flagged_as_that(raw):
    cut_copy(raw / "E-1/Plate1/C04_s1_w2.tif")
    tifffile.imwrite(raw / "E-1/Plate1/C05_s1_w1.tif", np.zeros((48, 64), np.uint16))
    image = ImageProcessing(crop=16)  # the middle, of which a half is there
    rows = ingest(raw, ONE_CHANNEL, image=image, store=Store(dtype="uint16"))
    assert rows["cut_off_DNA"].tolist() == [0, 0, 0, 0]
    assert rows["cut_off_ER"].tolist() == [0, 0.5, 0, 0]
    flags = qc_flags(rows, QcLimits(outlier_sds=1000))
    assert flags.tolist() == [
        "", "ER: its last 50 % are zeros, as of a copy that was cut off", "DNA: constant", "",
    ]  # fmt: skip
    tiles = ingest(raw, ONE_CHANNEL, image=ImageProcessing(tiles=2), store=Store(dtype="uint16"))
    assert (tiles.loc[tiles["well"] == "C04", "cut_off_ER"] == 0.5).all()


def test_check_names_a_file_that_ends_in_zeros(raw):
    path = raw / "E-1/Plate1/C04_s1_w2.tif"
    cut_copy(path)
    screen = make_screen(raw, ONE_CHANNEL, store=Store(dtype="uint16"))
    findings = check_screen(screen, screen.source, screen.metadata.tables(), ["E-1"], 24)
    assert findings.unreadable == [(path, "its last 50 % are zeros, as of a copy that was cut off")]
    assert not findings.clean
    assert findings.values["ER"].quantile(0.001) >= 100  # what is missing proposes no range


def test_few_clipped_values_are_no_warning(raw, caplog):
    channel = tifffile.imread(raw / "E-1/Plate1/C03_s1_w2.tif")
    image = ImageProcessing(range={"DNA": [0, 65535], "ER": [100, int(channel.max()) - 1]})
    with caplog.at_level("INFO"):
        rows = ingest(raw, ONE_CHANNEL, image=image)
    assert 0 < rows["clipped_ER"].mean() < 0.01
    told = [record.levelname for record in caplog.records if "clipped" in record.message]
    assert told == ["INFO"]


def ome(path, channels=("DNA", "ER"), side=48):
    """One file of all channels; each plane's values tell its position."""
    path.parent.mkdir(parents=True, exist_ok=True)
    planes = np.stack([np.full((side, side), 10 * (at + 1), np.uint8) for at in range(len(channels))])
    planes[:, 0, 0] = 99
    tifffile.imwrite(path, planes, metadata={"axes": "CYX", "Channel": {"Name": list(channels)}}, ome=True)
    return planes


def test_ome_tiff_of_all_channels_is_read_by_plane_name_or_number(tmp_path):
    for well in ("C03", "C04"):
        ome(tmp_path / f"E-1/Plate1/{well}_s1.ome.tif", ["Brightfield", "DNA", "ER"])
    write_wells(tmp_path, ["C03", "C04"])
    assert plane_names(tmp_path / "E-1/Plate1/C03_s1.ome.tif") == ["Brightfield", "DNA", "ER"]
    ingest(tmp_path, {**ALL_CHANNELS, "channels": {"ER": "ER", "DNA": "DNA"}})
    by_name = zarr.open_group(tmp_path / "out/E-1.zarr", mode="r")["images"][:]
    assert by_name[0, :, 1, 1].tolist() == [30, 20]
    ingest(tmp_path, {**ALL_CHANNELS, "channels": {"3": "ER", "2": "DNA"}})
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "out/E-1.zarr", mode="r")["images"][:], by_name)


def test_ome_tiff_without_the_plane_names_what_is_there(tmp_path):
    ome(tmp_path / "E-1/Plate1/C03_s1.ome.tif")
    ome(tmp_path / "E-1/Plate1/C04_s1.ome.tif", ["DNA"])
    write_wells(tmp_path, ["C03", "C04"])
    rows = ingest(tmp_path, {**ALL_CHANNELS, "channels": {"DNA": "DNA", "ER": "ER"}}, on_problem="drop")
    assert rows["well"].tolist() == ["C03"]
    (found,) = problems(tmp_path).to_dict("records")
    assert found["problem"] == "no plane 'ER': the file holds 1, named DNA"
    assert found["channel"] == "ER"


def test_stack_over_z_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 3, 32, 32), np.uint8), metadata={"axes": "CZYX"}, ome=True)
    with pytest.raises(ImageProblem, match="a stack of 3 z planes; project or choose one before ingestion"):
        decode_channels(path, ["1", "2"])


def test_one_file_of_an_ome_set_is_read_alone(tmp_path):
    """The metadata of one file names the others, which may be gone; tifffile would read them all."""
    paths = [tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"]
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    tifffile.imwrite(paths[0], pixels, ome=True)
    np.testing.assert_array_equal(decode(paths[0]), pixels)


def test_both_raw_sets_ingest_from_yaml_with_tifffiles_pixels(real_data, root, tmp_path, monkeypatch):
    from debatch.files import Files
    from debatch.registry import build_registry
    from debatch.screen.ingest.experiment import ingest_experiment
    from debatch.screen.origin import metadata_tables, raw_source

    monkeypatch.setenv("DEBATCH_REAL_DATA", str(real_data))
    for name, images in (("pediatric_sample", 1), ("bbbc022_sample", 7)):
        registry = build_registry({"screen": name}, root)
        (experiment,) = registry.experiments
        source = raw_source(registry.screen, Files("results", name))
        assert metadata_tables(registry.screen, Files("results", name)) == []
        store = tmp_path / f"{name}.zarr"
        rows = ingest_experiment(registry.screen, source, experiment, None, store, tmp_path / "p.csv", threads=2)
        assert len(rows) == images
        assert rows["perturbation"].isna().all()
        assert len(pd.read_csv(tmp_path / "p.csv")) == 0
        stored = zarr.open_group(store, mode="r")["images"][:]
        for at, row in rows.iterrows():
            for channel, (field, stain) in enumerate(source.channels.items()):
                (file,) = _raw_file(real_data, name, row, field)
                raw = tifffile.imread(file)
                if registry.screen.store.dtype == "uint16":
                    expected = raw
                else:
                    low, high = registry.screen.image.range[stain]
                    expected = np.clip(np.rint((raw.astype(np.float64) - low) * 255 / (high - low)), 0, 255)
                np.testing.assert_array_equal(stored[at, channel], expected)


def _raw_file(real_data, name, row, channel):
    if name == "pediatric_sample":
        assert (row["well"], row["site"]) == ("C03", "3")
        return list((real_data / "raw_tiff/pediatric_BR00143976_6ch").glob(f"*-ch{channel}sk*"))
    return list((real_data / "raw_tiff/bbbc022_20585_w1").glob(f"IXMtest_{row['well']}_s{row['site']}_w{channel}*"))


def test_screen_without_metadata_takes_its_wells_from_the_file_names(raw):
    screen_without = {"metadata": None, "experiments": ["E-1"], "store": Store(dtype="uint16")}
    rows = ingest(raw, ONE_CHANNEL, **screen_without)
    assert rows["well"].tolist() == ["C03", "C04", "C05", "C06"]
    assert rows["perturbation"].isna().all()
    assert set(rows["well_type"]) == {"treatment"}
    with pytest.raises(ValueError, match="a screen without `metadata:` lists its `experiments:`"):
        make_screen(raw, metadata=None)
