"""The store: an experiment's images in one zarr v3 group, sharded, one image a chunk."""

import contextlib
import ctypes
import errno
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorstore

from debatch.config.images import Compression, Store
from debatch.errors import DataError

# a shard is one file, and not one in a folder of folders: file systems count those too
FLAT = {"name": "default", "separator": "."}


def _compressors(codec: Compression, bytes_a_value: int) -> list[Any] | None:
    if codec == "none":
        return None
    from zarr.codecs import BloscCodec, ZstdCodec

    if codec == "zstd":
        return [ZstdCodec(level=3)]
    return [BloscCodec(cname="lz4", shuffle="bitshuffle", typesize=bytes_a_value)]


class StoreWriter:
    """Writes images shard by shard to a folder beside the store, and renames it when it is whole.

    Used as a context: leaving it by an exception leaves no store. zarr-python makes the arrays; tensorstore fills them,
    whole shards at a time and behind the caller's back, so that decoding goes on meanwhile.

    Raises:
        DataError: the disk is full.
    """

    def __init__(
        self, path: Path, shape: tuple[int, int, int, int], config: Store, attributes: dict[str, Any], threads: int = 1
    ) -> None:
        self.path, self.part = path, path.with_name(path.name + ".part")
        self._remove_what_was_there()
        count, *image = shape
        self.shard = min(config.images_per_shard, max(count, 1))
        self.attributes = attributes
        self.written = 0
        self.waiting = 0
        self.abandoned = False
        self.moments: list[np.ndarray] = []
        # two: one is filled while the other is written
        self.buffers = [np.empty((self.shard, *image), config.dtype) for _ in range(2)]
        self.pending: list[Any] = [None, None]
        try:
            with self._telling_a_full_disk():
                self._create(image, count, config, threads)
        except BaseException:
            shutil.rmtree(self.part, ignore_errors=True)
            raise

    def _remove_what_was_there(self) -> None:
        """An older store is out of date from here on, and must not be there if this one fails.

        It goes by a rename first: killed half-way through its removal, it would look whole without being so.
        """
        old = self.path.with_name(self.path.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if self.path.exists():
            os.replace(self.path, old)
        for leftover in (old, self.part):
            shutil.rmtree(leftover, ignore_errors=True)

    def _create(self, image: list[int], count: int, config: Store, threads: int) -> None:
        self.part.parent.mkdir(parents=True, exist_ok=True)
        import zarr  # a third of a second, for writing and for moments alone

        self.group = zarr.open_group(self.part, mode="w", zarr_format=3)
        self.images = self.group.create_array(
            "images",
            shape=(-(-count // self.shard) * self.shard, *image),
            chunks=(1, *image),
            shards=(self.shard, *image),
            dtype=config.dtype,
            compressors=_compressors(config.codec, np.dtype(config.dtype).itemsize),
            fill_value=0,
            dimension_names=("image", "channel", "y", "x"),
            chunk_key_encoding=FLAT,  # type: ignore[arg-type]
        )
        context = {
            "data_copy_concurrency": {"limit": threads},
            "cache_pool": {"total_bytes_limit": 0},
            # the rename makes the store whole, not a flush of each shard
            "file_io_sync": False,
        }
        self.target = _open(self.part, tensorstore.Context(context), write=True)

    def __enter__(self) -> "StoreWriter":
        return self

    def abandon(self) -> None:
        """Leave no store."""
        self.abandoned = True

    def append(self, images: np.ndarray, moments: np.ndarray) -> None:
        """Add images (n, C, H, W) in store order, with their moments (n, C, 3)."""
        for image in images:
            self.buffers[0][self.waiting] = image
            self.waiting += 1
            if self.waiting == self.shard:
                self._flush()
        self.moments.append(moments)

    def _flush(self) -> None:
        if self.waiting:
            source = self.buffers[0][: self.waiting]
            target = self.target[self.written : self.written + self.waiting]
            # the buffer is left alone until the shard is written, so it need not be copied first
            self.pending[0] = target.write(source, can_reference_source_data_indefinitely=True)
            self.written += self.waiting
            self.waiting = 0
            self.buffers.reverse()
            self.pending.reverse()
        self._wait()

    def _wait(self) -> None:
        with self._telling_a_full_disk():
            if self.pending[0] is not None:
                self.pending[0].result()
                self.pending[0] = None

    def close(self) -> None:
        """Write what is left, and rename the store into place."""
        self._flush()
        self.pending.reverse()
        self._wait()
        with self._telling_a_full_disk():
            channels, height, width = self.images.shape[1:]
            self.images.resize((self.written, channels, height, width))
            values = np.concatenate(self.moments) if self.moments else np.zeros((0, channels, 3), np.uint64)
            array = self.group.create_array(
                "moments",
                shape=values.shape,
                chunks=(max(len(values), 1), *values.shape[1:]),
                dtype="uint64",
                dimension_names=("image", "channel", "moment"),
                chunk_key_encoding=FLAT,  # type: ignore[arg-type]
            )
            array[...] = values
            self.group.attrs.update(self.attributes)
            os.replace(self.part, self.path)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and not self.abandoned:
                self.close()
        finally:
            for future in self.pending:  # nothing may still write into a folder that goes away
                with contextlib.suppress(Exception):
                    future.result()
            shutil.rmtree(self.part, ignore_errors=True)

    @contextlib.contextmanager
    def _telling_a_full_disk(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            # tensorstore has no type of its own for it
            if getattr(error, "errno", None) != errno.ENOSPC and os.strerror(errno.ENOSPC) not in str(error):
                raise
            missing = self.images.nbytes / 1e9 if hasattr(self, "images") else 0.0
            raise DataError(
                f"{self.path}: the disk is full; the whole store takes up to {missing:.3g} GB. Free some space, or set "
                "`results` to another disk, then run the same command again"
            ) from None


def read_moments(path: Path) -> np.ndarray:
    """A store's moments, (N, C, 3) uint64."""
    import zarr

    return np.asarray(zarr.open_group(path, mode="r")["moments"][...])  # type: ignore[index]


def channel_names(path: Path) -> list[str]:
    """A store's channels, in order."""
    about = json.loads((path / "zarr.json").read_text())
    return [str(name) for name in about["attributes"]["channels"]]


def open_images(path: Path, threads: int) -> Any:
    """A store's images as a tensorstore (N, C, H, W), which reads when it is asked to.

    Raises:
        DataError: it is not there, or not readable.
    """
    return _open(path, reading_context(threads))


def reading_context(threads: int) -> tensorstore.Context:
    """Threads of reading, and a cache for the shards' indices: an image is read once an epoch, and need not stay."""
    return tensorstore.Context(
        {
            "data_copy_concurrency": {"limit": threads},
            "file_io_concurrency": {"limit": max(4, 2 * threads)},
            "cache_pool": {"total_bytes_limit": 64 << 20},
        }
    )


def _open(path: Path, context: tensorstore.Context, write: bool = False) -> Any:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path.resolve()}/images/"}}
    try:
        return tensorstore.open(spec, read=not write, write=write, context=context).result()
    except ValueError as error:
        raise DataError(f"{path}: not a readable store: {error}") from None


class ImageReader:
    """Reads images of a screen by index row, with threads that hold no lock.

    Args of `read` are index rows; the images come back in their order.
    """

    def __init__(self, stores: dict[str, Path], threads: int) -> None:
        _keep_freed_memory()
        self.context = reading_context(threads)
        self.stores = stores
        self.opened: dict[str, Any] = {}
        self.named: dict[str, list[str]] = {}

    def read(self, rows: pd.DataFrame) -> np.ndarray:
        """Images of index rows, (n, C, H, W) uint8 or uint16.

        Raises:
            DataError: a store is not there, or images of different sizes or dtypes are asked for at once.
        """
        return self.read_at(rows["experiment"].to_numpy(), rows["store_row"].to_numpy())

    def layout(self, experiments: np.ndarray) -> tuple[tuple[int, ...], np.dtype]:
        """Shape (C, H, W) and dtype of the images of experiments.

        Raises:
            DataError: they differ.
        """
        names = list(dict.fromkeys(map(str, experiments)))
        layouts = [(tuple(store.shape[1:]), store.dtype.numpy_dtype) for store in map(self._store, names)]
        for name, layout in zip(names, layouts, strict=True):
            if layout != layouts[0]:
                raise DataError(
                    f"{self.stores[name]}: {layout[1]} images of {layout[0]}, but {layouts[0][1]} of {layouts[0][0]} "
                    f"in {self.stores[names[0]]}; images that are read together must be alike: see `image.crop`"
                )
        return layouts[0]

    def channels(self, experiments: np.ndarray) -> list[str]:
        """The stored channels of experiments, in order.

        Raises:
            DataError: they differ.
        """
        names = list(dict.fromkeys(map(str, experiments)))
        for name in names:
            if name not in self.named:
                self.named[name] = channel_names(self.stores[name])
            if self.named[name] != self.named[names[0]]:
                raise DataError(
                    f"{self.stores[name]}: channels {', '.join(self.named[name])}, but "
                    f"{', '.join(self.named[names[0]])} in {self.stores[names[0]]}; ingest them again"
                )
        return self.named[names[0]]

    def read_at(self, experiments: np.ndarray, store_rows: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Images by experiment (n,) and row within its store (n,): (n, C, H, W).

        Args:
            experiments: names.
            store_rows: rows within each one's store.
            out: an array to fill instead of a new one: fresh memory costs as much time as decoding does.
        """
        if out is None:
            shape, dtype = self.layout(experiments)
            out = np.empty((len(experiments), *shape), dtype)
        target = tensorstore.array(out, context=self.context)
        # one request a store: an image's own would cost as much again where images are small
        places: dict[str, list[int]] = {}
        for at, experiment in enumerate(experiments):
            places.setdefault(str(experiment), []).append(at)
        requests = [
            target[at].write(self._store(experiment)[store_rows[at].astype(np.int64)])
            for experiment, at in places.items()
        ]
        for request in requests:
            request.result()
        return out

    def _store(self, experiment: str) -> Any:
        if experiment not in self.opened:
            self.opened[experiment] = _open(self.stores[experiment], self.context)
        return self.opened[experiment]


def _keep_freed_memory() -> None:
    """Let freed blocks of an image's size be used again instead of going back to the system.

    Asking for them anew costs page faults, a good part of what decoding costs.
    """
    trim_threshold, mmap_threshold = -1, -3  # <malloc.h>
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim_threshold, 256 << 20)
        mallopt(mmap_threshold, 32 << 20)


@contextlib.contextmanager
def worker_pool(threads: int) -> Any:
    """A thread pool whose waiting work is dropped when its user fails."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
