"""The store: an experiment's images in one zarr v3 group, sharded, one image a chunk."""

import contextlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import tensorstore
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from debatch.config.screen import Store
from debatch.errors import DataError
from debatch.screen.process import moments


def _compressors(codec: Literal["lz4", "zstd", "none"]) -> list[Any] | None:
    if codec == "none":
        return None
    if codec == "zstd":
        return [ZstdCodec(level=3)]
    return [BloscCodec(cname="lz4", shuffle="bitshuffle", typesize=1)]


class StoreWriter:
    """Writes images shard by shard to a folder beside the store, and renames it when it is whole.

    Used as a context: leaving it by an exception leaves no store.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int, int], config: Store, attributes: dict[str, Any]) -> None:
        self.path, self.part = path, path.with_name(path.name + ".part")
        # an older store is out of date from here on, and must not be there if this one fails
        for leftover in (self.part, self.path):
            shutil.rmtree(leftover, ignore_errors=True)
        self.part.parent.mkdir(parents=True, exist_ok=True)
        count, *image = shape
        self.shard = min(config.images_per_shard, max(count, 1))
        group = zarr.open_group(self.part, mode="w", zarr_format=3)
        padded = -(-count // self.shard) * self.shard
        self.images = group.create_array(
            "images",
            shape=(padded, *image),
            chunks=(1, *image),
            shards=(self.shard, *image),
            dtype="uint8",
            compressors=_compressors(config.codec),
            fill_value=0,
            dimension_names=("image", "channel", "y", "x"),
        )
        self.group, self.attributes = group, attributes
        self.written = 0
        self.abandoned = False
        self.buffer: list[np.ndarray] = []
        self.moments: list[np.ndarray] = []

    def __enter__(self) -> "StoreWriter":
        return self

    def abandon(self) -> None:
        """Leave no store."""
        self.abandoned = True

    def append(self, images: np.ndarray) -> None:
        """Add images (n, C, H, W) in store order."""
        for image in images:
            self.buffer.append(image)
            if len(self.buffer) == self.shard:
                self._flush()

    def _flush(self) -> None:
        if not self.buffer:
            return
        shard = np.stack(self.buffer)
        self.images[self.written : self.written + len(shard)] = shard
        self.moments.append(moments(shard))
        self.written += len(shard)
        self.buffer = []

    def close(self) -> None:
        """Write what is left, and rename the store into place."""
        self._flush()
        channels, height, width = self.images.shape[1:]
        self.images.resize((self.written, channels, height, width))
        values = np.concatenate(self.moments) if self.moments else np.zeros((0, channels, 3), np.uint64)
        array = self.group.create_array(
            "moments",
            shape=values.shape,
            chunks=(max(len(values), 1), *values.shape[1:]),
            dtype="uint64",
            dimension_names=("image", "channel", "moment"),
        )
        array[...] = values
        self.group.attrs.update(self.attributes)
        os.replace(self.part, self.path)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and not self.abandoned:
            self.close()
        else:
            shutil.rmtree(self.part, ignore_errors=True)


def read_moments(path: Path) -> np.ndarray:
    """A store's moments, (N, C, 3) uint64."""
    return np.asarray(zarr.open_group(path, mode="r")["moments"][...])  # type: ignore[index]


def channel_names(path: Path) -> list[str]:
    """A store's channels, in order."""
    return [str(name) for name in zarr.open_group(path, mode="r").attrs["channels"]]  # type: ignore[union-attr]


class ImageReader:
    """Reads images of a screen by index row, with threads that hold no lock.

    Args of `read` are index rows; the images come back in their order.
    """

    def __init__(self, stores: dict[str, Path], threads: int, cache_mb: int = 0) -> None:
        self.context = tensorstore.Context(
            {
                "data_copy_concurrency": {"limit": threads},
                "file_io_concurrency": {"limit": max(4, 2 * threads)},
                "cache_pool": {"total_bytes_limit": cache_mb * 1_000_000},
            }
        )
        self.stores = stores
        self.opened: dict[str, Any] = {}

    def read(self, rows: pd.DataFrame) -> np.ndarray:
        """Images of index rows, (n, C, H, W) uint8.

        Raises:
            DataError: a store is not there, or images of different sizes are asked for at once.
        """
        return self.read_at(rows["experiment"].to_numpy(), rows["store_row"].to_numpy())

    def read_at(self, experiments: np.ndarray, store_rows: np.ndarray) -> np.ndarray:
        """Images by experiment (n,) and row within its store (n,): (n, C, H, W) uint8."""
        places, requests = [], []
        for experiment in dict.fromkeys(experiments):
            at = np.flatnonzero(experiments == experiment)
            places.append(at)
            requests.append(self._open(str(experiment))[store_rows[at].astype(np.int64)].read())
        parts = [np.asarray(request.result()) for request in requests]
        images = np.empty((len(experiments), *parts[0].shape[1:]), dtype=parts[0].dtype)
        for at, part in zip(places, parts, strict=True):
            if part.shape[1:] != images.shape[1:]:
                raise DataError(
                    f"{self.stores[str(experiments[at[0]])]}: images of {part.shape[1:]}, elsewhere {images.shape[1:]}"
                )
            images[at] = part
        return images

    def _open(self, experiment: str) -> Any:
        if experiment not in self.opened:
            path = self.stores[experiment]
            spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path.resolve()}/images/"}}
            try:
                self.opened[experiment] = tensorstore.open(spec, read=True, context=self.context).result()
            except ValueError as error:
                raise DataError(f"{path}: not a readable store: {error}") from None
        return self.opened[experiment]


@contextlib.contextmanager
def worker_pool(threads: int) -> Any:
    """A thread pool whose waiting work is dropped when its user fails."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
