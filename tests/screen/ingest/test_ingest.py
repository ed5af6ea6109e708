import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from helpers.raw_screens import PATTERN, ingest, make_screen, problems, write_png_screen

from debatch.config.images import ImageProcessing, Store
from debatch.config.screen import PlateFormat
from debatch.errors import ConfigError, DataError
from debatch.screen.ingest.attributes import refuse_other_processing
from debatch.screen.ingest.decode import ImageProblem, decode
from debatch.screen.ingest.experiment import ingest_experiment
from debatch.screen.ingest.measure import measure
from debatch.screen.ingest.process import process, stored_ranges
from debatch.screen.ingest.source import find_files, read_patterns
from debatch.screen.metadata import read_catalogue
from debatch.screen.store import ImageReader, read_moments


@pytest.fixture
def raw(tmp_path):
    write_png_screen(tmp_path)
    return tmp_path


def test_store_holds_every_image_in_index_order(raw):
    rows = ingest(raw)
    assert rows["image_id"].tolist() == [f"E-1_1_B{well:02d}_1" for well in range(2, 8)]
    assert rows["store_row"].tolist() == list(range(6))
    images = ImageReader({"E-1": raw / "out/E-1.zarr"}, 2).read(rows.iloc[[3, 0]])
    for image, well in zip(images, ("B05", "B02"), strict=True):
        for channel in (1, 2):
            expected = imagecodecs.png_decode((raw / f"E-1/Plate1/{well}_s1_w{channel}.png").read_bytes())
            np.testing.assert_array_equal(image[channel - 1], expected)
    assert len(problems(raw)) == 0


def test_store_is_sharded_zarr_with_exact_moments_and_its_origin(raw):
    ingest(raw)
    group = zarr.open_group(raw / "out/E-1.zarr", mode="r")
    assert group["images"].shape == (6, 2, 40, 40)
    assert (group["images"].chunks, group["images"].shards) == ((1, 2, 40, 40), (4, 2, 40, 40))
    pixels = group["images"][:].astype(np.uint64)
    expected = np.stack([np.full((6, 2), 1600), pixels.sum((2, 3)), (pixels**2).sum((2, 3))], 2)
    np.testing.assert_array_equal(read_moments(raw / "out/E-1.zarr"), expected)
    assert group.attrs["channels"] == ["DNA", "ER"]
    assert group.attrs["source"]["pattern"] == PATTERN


@pytest.mark.parametrize("codec", ["lz4", "zstd", "none"])
def test_every_codec_reads_back(raw, codec):
    screen = make_screen(raw).model_copy(update={"store": Store(codec=codec)})
    catalogue = read_catalogue(screen, screen.metadata.tables(), ["E-1"])
    rows = ingest_experiment(screen, screen.source, "E-1", catalogue, raw / "o.zarr", raw / "p.csv", threads=1)
    image = ImageReader({"E-1": raw / "o.zarr"}, 1).read(rows.iloc[[0]])[0, 0]
    np.testing.assert_array_equal(image, decode(raw / "E-1/Plate1/B02_s1_w1.png"))


def test_tiles_are_counted_as_tiles_and_problems_as_of_fields(raw, caplog):
    with caplog.at_level("INFO"):
        ingest(raw, image=ImageProcessing(tiles=2))
    assert "E-1: 24 tiles of 6 fields, 0 problems" in caplog.text
    (raw / "E-1/Plate1/B02_s1_w1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 problem with its fields.*leave those fields out"):
        ingest(raw, image=ImageProcessing(tiles=2))


def test_tiles_are_sites(raw):
    rows = ingest(raw, image=ImageProcessing(tiles=2))
    assert rows["site"].tolist()[:4] == ["1.01", "1.02", "1.03", "1.04"]
    assert len(rows) == 24
    tile = ImageReader({"E-1": raw / "out/E-1.zarr"}, 1).read(rows.iloc[[1]])[0, 0]
    np.testing.assert_array_equal(tile, decode(raw / "E-1/Plate1/B02_s1_w1.png")[:20, 20:])


def truncate(raw):
    path = raw / "E-1/Plate1/B03_s1_w2.png"
    path.write_bytes(path.read_bytes()[:700])
    return "cannot be decoded"


def lose_a_channel(raw):
    (raw / "E-1/Plate1/B03_s1_w2.png").unlink()
    return "no file of the channel ER"


def empty(raw):
    (raw / "E-1/Plate1/B03_s1_w2.png").write_bytes(b"")
    return "cannot be decoded"


def other_size(raw):
    (raw / "E-1/Plate1/B03_s1_w2.png").write_bytes(imagecodecs.png_encode(np.zeros((30, 40), np.uint8)))
    return "30 x 40 pixels; most images of the experiment have 40 x 40"


def other_depth(raw):
    (raw / "E-1/Plate1/B03_s1_w2.png").write_bytes(imagecodecs.png_encode(np.zeros((40, 40), np.uint16)))
    return "uint16; most images of the experiment are uint8"


def in_colour(raw):
    (raw / "E-1/Plate1/B03_s1_w2.png").write_bytes(imagecodecs.png_encode(np.zeros((40, 40, 3), np.uint8)))
    return "in colour (3 values a pixel) where grey is expected"


DAMAGE = [truncate, lose_a_channel, empty, other_size, other_depth, in_colour]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_image_fails_the_job_after_every_file_was_looked_at(raw, damage):
    message = damage(raw)
    (raw / "E-1/Plate1/B06_s1_w1.png").unlink()
    with pytest.raises(DataError, match=r"2 problems with its images, listed in .*problems.csv"):
        ingest(raw)
    found = problems(raw)
    assert sorted(found["well"]) == ["B03", "B06"]
    assert message in found.set_index("well").loc["B03", "problem"]
    assert found.set_index("well").loc["B03", "channel"] == "2"
    assert not (raw / "out/E-1.zarr").exists()


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_image_is_left_out_and_listed_where_the_screen_says_drop(raw, damage):
    damage(raw)
    rows = ingest(raw, on_problem="drop")
    assert "B03" not in rows["well"].tolist()
    assert len(rows) == 5
    assert rows["store_row"].tolist() == list(range(5))
    assert zarr.open_group(raw / "out/E-1.zarr", mode="r")["images"].shape[0] == 5
    assert problems(raw)["action"].tolist() == ["left out"]


def test_well_without_a_file_and_file_without_a_well(raw):
    wells = pd.read_csv(raw / "wells.csv")
    wells["well"] = wells["well"].replace("B04", "C09")
    wells.to_csv(raw / "wells.csv", index=False)
    rows = ingest(raw, on_problem="drop")
    assert len(rows) == 5
    found = problems(raw).set_index("well")["problem"]
    assert found["C09"] == "the metadata lists it, and no file is there"
    assert set(found["B04"]) == {"the metadata has no such well"}


def test_image_that_does_not_fit_the_pattern_is_a_problem_and_a_text_file_is_none(raw):
    (raw / "E-1/Plate1/notes.txt").write_text("x")
    assert len(ingest(raw)) == 6
    assert problems(raw)["action"].tolist() == ["passed over"]
    (raw / "E-1/Plate1/B02_s1_thumb.png").write_bytes(b"")
    with pytest.raises(DataError, match="1 problem "):
        ingest(raw)
    assert problems(raw)["problem"].str.startswith("the name does not fit the pattern; ").sum() == 1
    source = make_screen(raw).source.model_copy(update={"ignore": ["*_thumb*"]})
    assert find_files(source, read_patterns(source, {}), "E-1", PlateFormat()).unfit == []


def test_nothing_there_says_where_it_looked(raw):
    for path in (raw / "E-1/Plate1").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"no image could be read from .*: 0 files of it fit"):
        ingest(raw, on_problem="drop")


def test_nothing_there_with_a_crop_and_images_smaller_than_the_crop(raw):
    with pytest.raises(DataError, match=r"40 x 40 pixels .* smaller than the crop of 64 x 64; see `image.crop`"):
        ingest(raw, image=ImageProcessing(crop=64))
    for path in (raw / "E-1/Plate1").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no image could be read"):
        ingest(raw, image=ImageProcessing(crop=64), on_problem="drop")


def test_failure_half_way_leaves_no_store(raw, monkeypatch):
    def broken(*_):
        raise OSError("the cable is out")

    monkeypatch.setattr("debatch.screen.store.os.replace", broken)
    with pytest.raises(OSError, match="the cable is out"):
        ingest(raw)
    assert not list((raw / "out").glob("*.zarr*"))


def test_ingesting_again_replaces_the_old_store(raw):
    ingest(raw)
    lose_a_channel(raw)
    assert len(ingest(raw, on_problem="drop")) == 5
    assert zarr.open_group(raw / "out/E-1.zarr", mode="r")["images"].shape[0] == 5


def test_links_that_loop_are_walked_once(raw):
    (raw / "E-1/Plate1/again").symlink_to(raw / "E-1")
    source = make_screen(raw).source
    assert len(find_files(source, read_patterns(source, {}), "E-1", PlateFormat()).files) == 12


def test_link_to_itself_is_a_file_that_cannot_be_read(raw):
    path = raw / "E-1/Plate1/B03_s1_w2.png"
    path.unlink()
    path.symlink_to(path)
    assert len(ingest(raw, on_problem="drop")) == 5
    assert problems(raw)["well"].tolist() == ["B03"]


def test_processing_follows_the_paper():
    """2 x 2 area average, a stated range to 0..255, the central crop."""
    plane = np.zeros((72, 72), np.uint16)
    plane[36:38, 36:38] = [[1000, 1100], [1200, 1300]]
    config = ImageProcessing(downsample=2, range=[150, 2150], crop=32)
    (image,) = process([plane], config, stored_ranges(config, ["D"]), "uint8").tiles
    assert image.shape == (1, 32, 32)
    assert image[0, 16, 16] == round((1150 - 150) / 2000 * 255)
    assert image[0, 0, 0] == 0


def test_values_outside_of_the_range_are_clipped_and_counted():
    config = ImageProcessing(range=[0, 100])
    result = process([np.full((20, 20), 300, np.uint16)], config, stored_ranges(config, ["D"]), "uint8")
    assert result.tiles.max() == 255
    assert result.clipped.tolist() == [1.0]


def test_16_bits_without_a_range_is_an_error():
    with pytest.raises(ConfigError, match=r"image.range: the images have 16 bits"):
        process([np.zeros((20, 20), np.uint16)], ImageProcessing(), None, "uint8")


def test_crop_larger_than_the_image():
    with pytest.raises(ImageProblem, match="smaller than the crop"):
        process([np.zeros((20, 20), np.uint8)], ImageProcessing(crop=32), None, "uint8")


def test_moments_of_16_bits_do_not_overflow():
    images = np.full((1, 1, 512, 512), 65535, np.uint16)
    assert measure(images).moments[0, 0].tolist() == [512**2, 512**2 * 65535, 512**2 * 65535**2]


def test_real_rxrx1_png_decodes_as_pillow_does(real_data):
    from PIL import Image

    for path in sorted((real_data / "rxrx1_images/HUVEC-01/Plate1").glob("*_w[1-3].png")):
        np.testing.assert_array_equal(decode(path), np.asarray(Image.open(path)))


def test_real_tiffs_decode_as_tifffile_does(real_data):
    for path in sorted((real_data / "raw_tiff").glob("*/*.tif*")):
        np.testing.assert_array_equal(decode(path), tifffile.imread(path))
        config = ImageProcessing(downsample=2, range=[0, 65535])
        tile = process([decode(path)], config, stored_ranges(config, ["D"]), "uint8").tiles
        assert tile.shape[-2:] == tuple(side // 2 for side in tifffile.imread(path).shape)


def test_images_that_are_not_square_keep_their_shape():
    """48 x 80 raw pixels by 2 x 2 area averages to 24 x 40, of which a rectangle is kept or cut into tiles."""
    plane = np.arange(48 * 80, dtype=np.uint16).reshape(48, 80)
    averaged = plane.reshape(24, 2, 40, 2).mean((1, 3))
    config = ImageProcessing(downsample=2, crop=[16, 20])
    (image,) = process([plane], config, None, "uint16").tiles
    np.testing.assert_array_equal(image[0], np.rint(averaged[4:20, 10:30]))
    tiles = process([plane], ImageProcessing(downsample=2, tiles=2), None, "uint16")
    assert tiles.tiles.shape == (4, 1, 12, 20)
    np.testing.assert_array_equal(tiles.tiles[1, 0], np.rint(averaged[:12, 20:]))
    assert (tiles.measures.moments[..., 0] == 12 * 20).all()
    with pytest.raises(ImageProblem, match="24 x 40 pixels after downsampling, smaller than the crop of 16 x 41"):
        process([plane], ImageProcessing(downsample=2, crop=[16, 41]), None, "uint16")


def test_images_that_are_not_square_go_into_the_store(raw):
    for path in (raw / "E-1/Plate1").iterdir():
        path.write_bytes(imagecodecs.png_encode(decode(path)[:30]))
    rows = ingest(raw)
    images = ImageReader({"E-1": raw / "out/E-1.zarr"}, 1).read(rows)
    assert images.shape == (6, 2, 30, 40)
    np.testing.assert_array_equal(images[0, 0], decode(raw / "E-1/Plate1/B02_s1_w1.png"))


def test_store_that_was_made_otherwise_than_the_screen_says_is_refused(raw):
    ingest(raw)
    stores = {"E-1": raw / "out/E-1.zarr"}
    refuse_other_processing(make_screen(raw), stores)
    with pytest.raises(DataError, match=r"E-1.zarr: its images were made with preprocessing .*'crop': None"):
        refuse_other_processing(make_screen(raw, image=ImageProcessing(crop=32)), stores)
    other = make_screen(raw, source={"channels": {"1": "DNA", "2": "RNA"}})
    with pytest.raises(DataError, match=r"with channels \['DNA', 'ER'\], and the screen says \['DNA', 'RNA'\] now"):
        refuse_other_processing(other, stores)
