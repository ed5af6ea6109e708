import pickle

import dask
import numpy as np
import pandas as pd
import pytest
from helpers.images import make_images, make_index

from debatch.config.screen import Store
from debatch.errors import DataError
from debatch.files import Files
from debatch.screen import open_screen
from debatch.screen.illumination import illumination_profiles, profile_table
from debatch.screen.ingest.measure import measure
from debatch.screen.store import StoreWriter
from debatch.tabular import write_frame

CHANNELS = ["DNA", "ER"]


def write_screen(root, index, images):
    """A results folder with an index and its stores."""
    files = Files(str(root), "made_up")
    for experiment, rows in index.groupby("experiment", sort=False):
        own = images[rows.index]
        store = Store(images_per_shard=4, dtype=images.dtype.name)
        with StoreWriter(
            root / "made_up/images" / f"{experiment}.zarr", own.shape, store, {"channels": CHANNELS}
        ) as writer:
            writer.append(own, measure(own).moments)
    write_frame(index, files.index())
    return root / "made_up"


@pytest.fixture
def screen(tmp_path):
    index = make_index(experiments=3, wells=5, sites=2)
    images = make_images(index, channels=2)
    return index, images, write_screen(tmp_path, index, images)


def test_index_and_images_in_index_order(screen):
    index, images, folder = screen
    opened = open_screen(folder)
    pd.testing.assert_frame_equal(opened.index, index)
    assert opened.channels == CHANNELS
    assert (opened.images.shape, opened.images.dtype) == (images.shape, images.dtype)
    np.testing.assert_array_equal(opened.images.compute(), images)
    chosen = (index["well"] == "B03").to_numpy()
    np.testing.assert_array_equal(opened.images[chosen].compute(), images[chosen])
    np.testing.assert_array_equal(opened.images[17].compute(scheduler="sync"), images[17])
    mean = opened.images.mean(axis=(2, 3)).compute(scheduler="threads")
    np.testing.assert_allclose(mean, images.mean(axis=(2, 3)))


def test_nothing_is_read_before_it_is_asked_for(screen, monkeypatch):
    from debatch.screen import access

    _, images, folder = screen
    read = []
    getter = access._StoredImages.__getitem__
    monkeypatch.setattr(access._StoredImages, "__getitem__", lambda self, key: (read.append(key), getter(self, key))[1])
    part = open_screen(folder).images[12:14]
    assert read == []
    np.testing.assert_array_equal(part.compute(scheduler="sync"), images[12:14])
    assert len(read) == 1


def test_images_travel_to_other_processes(screen):
    _, images, folder = screen
    lazy = pickle.loads(pickle.dumps(open_screen(folder).images))
    np.testing.assert_array_equal(lazy[3:5].compute(scheduler="sync"), images[3:5])


def test_screen_that_was_not_ingested(tmp_path):
    with pytest.raises(DataError, match=r"no images.parquet; `snakemake ingest` makes it"):
        open_screen(tmp_path)


def test_index_of_another_ingestion_is_noticed(screen):
    index, _, folder = screen
    write_frame(index.drop(index=3).reset_index(drop=True), folder / "images.parquet")
    with pytest.raises(DataError, match=r"E00.zarr: 10 images, not those of the index"):
        open_screen(folder)


def test_illumination_profile_finds_a_planted_one(tmp_path):
    index = make_index(experiments=2, wells=40)
    ramp = np.linspace(0.8, 1.2, 64)
    generator = np.random.default_rng(0)
    values = generator.uniform(90, 110, (len(index), 2, 64, 64))
    values[:, 0] *= ramp  # along x, the first channel only
    images = np.rint(values).astype(np.uint8)
    opened = open_screen(write_screen(tmp_path, index, images))
    profiles = illumination_profiles(opened, threads=2)
    assert list(profiles) == [("E00", "1"), ("E01", "1")]
    np.testing.assert_allclose(profiles["E00", "1"][0].mean(axis=0), ramp.reshape(32, 2).mean(1), atol=0.01)
    np.testing.assert_allclose(profiles["E00", "1"][1], 1, atol=0.02)
    table = profile_table(profiles, CHANNELS).set_index(["experiment", "channel"])
    assert table.loc[("E00", "DNA"), "brightest"] == pytest.approx(1.2, abs=0.03)
    assert table.loc[("E00", "ER"), "corners"] == pytest.approx(1, abs=0.03)


def test_profile_of_tiles_is_the_fields(tmp_path):
    index = make_index(experiments=1, wells=6, sites=4)
    index["site"] = [f"1.{at % 4 + 1:02d}" for at in range(len(index))]
    images = np.full((len(index), 2, 16, 16), 100, np.uint8)
    images[3::4] = 200  # the lower right tile
    profile = illumination_profiles(open_screen(write_screen(tmp_path, index, images)), 1)["E00", "1"][0]
    assert profile.shape == (32, 32)
    np.testing.assert_allclose(profile[16:, 16:], 1.6)
    np.testing.assert_allclose(profile[:16], 0.8)


def test_dark_channel_has_no_profile(tmp_path):
    index = make_index(experiments=1, wells=4)
    images = make_images(index, channels=2)
    images[:, 1] = 0
    with dask.config.set(scheduler="sync"):
        profiles = illumination_profiles(open_screen(write_screen(tmp_path, index, images)), 1)
    assert np.isnan(profiles["E00", "1"][1]).all()
    assert np.isfinite(profiles["E00", "1"][0]).all()
