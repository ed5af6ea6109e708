import errno
import hashlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorstore
from helpers.raw_screens import ingest, write_png_screen

from debatch.config.screen import Store
from debatch.errors import DataError
from debatch.screen.ingest.measure import measure
from debatch.screen.store import ImageReader, StoreWriter

KILLS = 20


def write_store(path, images, codec="lz4", shard=4):
    with StoreWriter(
        path, images.shape, Store(codec=codec, dtype=images.dtype.name, images_per_shard=shard), {}
    ) as writer:
        for image in images:
            writer.append(image[None], measure(image[None]).moments)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 255, (11, 2, 24, 24), dtype=np.uint8)


def test_reader_gives_images_of_several_stores_in_the_order_asked_for(images, tmp_path):
    write_store(tmp_path / "a.zarr", images)
    write_store(tmp_path / "b.zarr", images[::-1])
    reader = ImageReader({"a": tmp_path / "a.zarr", "b": tmp_path / "b.zarr"}, threads=2)
    experiments, rows = np.array(["b", "a", "a", "b", "a"], dtype=object), np.array([3, 10, 0, 0, 0])
    expected = np.stack([images[7], images[10], images[0], images[10], images[0]])
    np.testing.assert_array_equal(reader.read_at(experiments, rows), expected)
    out = np.zeros_like(expected)
    assert reader.read_at(experiments, rows, out) is out
    np.testing.assert_array_equal(out, expected)


def test_images_of_different_sizes_are_not_read_together(images, tmp_path):
    write_store(tmp_path / "a.zarr", images)
    write_store(tmp_path / "b.zarr", images[..., :20])
    reader = ImageReader({"a": tmp_path / "a.zarr", "b": tmp_path / "b.zarr"}, threads=1)
    with pytest.raises(DataError, match=r"b.zarr: uint8 images of \(2, 24, 20\).*see `image.crop`"):
        reader.read(pd.DataFrame({"experiment": ["a", "b"], "store_row": [0, 0]}))


def test_store_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no.zarr: not a readable store"):
        ImageReader({"a": tmp_path / "no.zarr"}, 1).read(pd.DataFrame({"experiment": ["a"], "store_row": [0]}))


def test_full_disk_says_so_and_leaves_nothing(images, tmp_path, monkeypatch):
    class Full:
        def result(self):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tensorstore.TensorStore, "write", lambda *_, **__: Full(), raising=True)
    with pytest.raises(DataError, match=r"a.zarr: the disk is full; .* Free some space, or set `results`"):
        write_store(tmp_path / "a.zarr", images)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("codec", ["lz4", "none"])
def test_a_disk_that_is_really_full_says_so(small_disk, codec):
    noise = np.random.default_rng(0).integers(0, 255, (40, 2, 128, 128), dtype=np.uint8)
    with pytest.raises(DataError, match="the disk is full"):
        write_store(small_disk / "a.zarr", noise, codec)
    assert list(small_disk.iterdir()) == []


def _ingest(folder: str) -> None:
    ingest(Path(folder))


def digest(store):
    """A store's whole content, names and bytes."""
    sha = hashlib.sha256()
    for path in sorted(store.rglob("*")):
        if path.is_file():
            sha.update(path.relative_to(store).as_posix().encode() + path.read_bytes())
    return sha.hexdigest()


def test_killed_at_any_moment_the_finished_store_is_an_undisturbed_one(tmp_path):
    """Killed by SIGKILL at 20 moments spread over its run, each time begun again on what the last one left."""
    write_png_screen(tmp_path, wells=60)
    # children of a server that has imported everything: their time is ingestion, not imports
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["debatch.screen.ingest.experiment", "helpers.raw_screens"])
    started = time.perf_counter()
    for _ in range(2):  # the first one also starts the server
        started = time.perf_counter()
        undisturbed = context.Process(target=_ingest, args=(str(tmp_path),))
        undisturbed.start()
        undisturbed.join()
    seconds = time.perf_counter() - started
    assert undisturbed.exitcode == 0
    store = tmp_path / "out/E-1.zarr"
    expected = digest(store)
    shares = np.random.default_rng(0).permutation(np.linspace(0, 0.95, KILLS))
    for share in shares:
        killed = False
        while not killed:
            started = time.perf_counter()
            child = context.Process(target=_ingest, args=(str(tmp_path),))
            child.start()
            child.join(share * seconds)
            killed = child.is_alive()
            if killed:
                os.kill(child.pid, signal.SIGKILL)
            child.join()
            if not killed:  # the machine was slower when `seconds` was taken: again, at an earlier moment
                assert child.exitcode == 0
                seconds = min(seconds, time.perf_counter() - started)
            # there it is whole, or it is not there
            assert not (store / "zarr.json").exists() or digest(store) == expected
    _ingest(str(tmp_path))
    assert digest(store) == expected
    assert {path.name for path in store.parent.iterdir()} == {"E-1.zarr", "problems.csv"}


def test_old_store_is_gone_at_once_even_when_its_removal_is_cut_short(images, tmp_path, monkeypatch):
    """Killed while the old store is being removed, nothing is left that looks whole."""
    write_store(tmp_path / "a.zarr", images)

    def killed(path, **_):
        if Path(path).exists():
            shutil.move(Path(path) / "images", tmp_path / "half_removed")
            raise KeyboardInterrupt

    monkeypatch.setattr("debatch.screen.store.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "a.zarr", images)
    assert not (tmp_path / "a.zarr").exists()
    monkeypatch.undo()
    write_store(tmp_path / "a.zarr", images)
    assert not (tmp_path / "a.zarr.old").exists()


def test_stored_bytes_do_not_depend_on_threads(tmp_path):
    write_png_screen(tmp_path, wells=10)
    ingest(tmp_path, threads=1)
    expected = digest(tmp_path / "out/E-1.zarr")
    ingest(tmp_path, threads=4)
    assert digest(tmp_path / "out/E-1.zarr") == expected


def test_shard_of_more_images_than_there_are(tmp_path):
    write_png_screen(tmp_path, wells=3)
    assert len(ingest(tmp_path, store=Store(images_per_shard=64))) == 3
