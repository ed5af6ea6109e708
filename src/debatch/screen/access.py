"""A scientist's way in: a screen's index and its images, read only where they are looked at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pandas as pd

from debatch.errors import DataError
from debatch.screen.store import channel_names, open_images
from debatch.tabular import read_frame

READING_THREADS = 4


@dataclass(frozen=True)
class OpenScreen:
    """A screen.

    Attributes:
        index: a row an image.
        images: lazy (N, C, H, W) uint8 or uint16, in index order.
        channels: C stains.
    """

    index: pd.DataFrame
    images: dask.array.Array
    channels: list[str]


def open_screen(path: str | Path) -> OpenScreen:
    """Open what `snakemake ingest` made.

    >>> screen = open_screen("results/rxrx1")
    >>> untreated = screen.index["well_type"] == "negative_control"
    >>> screen.images[untreated.to_numpy()].mean(axis=(2, 3)).compute()   # reads the files of these images

    Args:
        path: the screen's folder among the results.

    Raises:
        DataError: no index or store is there, they do not fit each other, or images of experiments differ in size.
    """
    folder = Path(path)
    if not (folder / "images.parquet").exists():
        raise DataError(f"{folder}: no images.parquet; `snakemake ingest` makes it")
    index = read_frame(folder / "images.parquet")
    names = list(index["experiment"].unique())
    stores = {name: folder / "images" / f"{name}.zarr" for name in names}
    parts = [_lazy(stores[name]) for name in names]
    for name, part in zip(names, parts, strict=True):
        if len(part) != (index["experiment"] == name).sum():
            raise DataError(f"{stores[name]}: {len(part)} images, not those of the index; run `snakemake ingest` again")
        if (part.shape[1:], part.dtype) != (parts[0].shape[1:], parts[0].dtype):
            raise DataError(
                f"{stores[name]}: {part.dtype} images of {part.shape[1:]}, others have {parts[0].dtype} ones of "
                f"{parts[0].shape[1:]}; see `image.crop`"
            )
    return OpenScreen(index, dask.array.concatenate(parts), channel_names(stores[names[0]]))


def _lazy(store: Path) -> dask.array.Array:
    """A store as a lazy array, a shard a chunk."""
    images = _StoredImages(store)
    written = (store / "zarr.json").stat().st_mtime_ns  # a store that is made again is another array
    return dask.array.from_array(
        images,
        chunks=(images.shard, *images.shape[1:]),
        name=f"images-{dask.base.tokenize(str(store.resolve()), written)}",
        asarray=False,
        meta=np.empty((0,) * images.ndim, images.dtype),
    )


class _StoredImages:
    """What dask asks of an array; it travels to other processes by its path."""

    def __init__(self, store: Path) -> None:
        self.store = store
        opened: Any = open_images(store, READING_THREADS)
        self.shape: tuple[int, ...] = tuple(opened.shape)
        self.ndim = len(self.shape)
        self.dtype: np.dtype = opened.dtype.numpy_dtype
        self.shard = int(opened.chunk_layout.write_chunk.shape[0])
        self._opened = opened

    def __getitem__(self, key: Any) -> np.ndarray:
        if self._opened is None:
            self._opened = open_images(self.store, READING_THREADS)
        return np.asarray(self._opened[key].read().result())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}
