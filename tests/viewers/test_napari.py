"""Plates in the viewers that people open them with. `make test-viewers` installs those and runs this."""

import json
import os
import subprocess
from pathlib import Path

import dask.array
import numpy as np
import pytest
from helpers.images import make_images, make_index

from debatch.report.ome_zarr import write_plates
from debatch.screen.access import OpenScreen

pytestmark = pytest.mark.viewers
CHANNELS = ["DNA", "ER"]


def test_napari_places_each_well_of_a_plate_where_it_is(tmp_path):
    index = make_index(experiments=1, wells=3).assign(well=["B02", "B04", "G10"])
    images = make_images(index, channels=2, side=160)
    screen = OpenScreen(index, dask.array.from_array(images, chunks=(2, -1, -1, -1)), CHANNELS)
    write_plates(screen, "E00", tmp_path, (8, 12))
    done = subprocess.run(
        [os.environ["VIEWERS_PYTHON"], Path(__file__).parent / "open_in_napari.py", tmp_path / "1.ome.zarr",
         tmp_path / "picture.npy"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    # napari calls a plate after its first image
    assert said["names"] == [f"B02 site 1: {channel}" for channel in CHANNELS]
    assert all(low < high <= 255 for low, high in said["limits"])
    picture = np.load(tmp_path / "picture.npy")
    expected = np.zeros((2, 8, 160, 12, 160), np.uint8)
    for image, (row, column) in zip(images, [(1, 1), (1, 3), (6, 9)], strict=True):
        expected[:, row, :, column] = image
    np.testing.assert_array_equal(picture, expected.reshape(2, 8 * 160, 12 * 160))
