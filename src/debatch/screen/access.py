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
    """A screen, or one of its parts.

    Attributes:
        index: a row an image.
        images: lazy (N, C, H, W) uint8 or uint16, in index order.
        channels: C stains.
    """

    index: pd.DataFrame
    images: dask.array.Array
    channels: list[str]


def open_screen(path: str | Path, part: str | None = None) -> OpenScreen:
    """Open what `snakemake ingest` made.

    Examples:
        >>> screen = open_screen("results/rxrx1")
        >>> untreated = screen.index["well_type"] == "negative_control"
        >>> screen.images[untreated.to_numpy()].mean(axis=(2, 3)).compute()   # reads the files of these images

    Args:
        path: the screen's folder among the results.
        part: which of its parts, whose images differ in size or channels; None: it has one.

    Raises:
        DataError: no index or store is there, they do not fit each other, or images of experiments differ in size; the
            screen has several parts, or not that one.
    """
    folder = Path(path)
    if not (folder / "images.parquet").exists():
        raise DataError(f"{folder}: no images.parquet; `snakemake ingest` makes it")
    index = _of_part(read_frame(folder / "images.parquet"), part, folder)
    names = list(index["experiment"].unique())
    stores = {name: folder / "images" / f"{name}.zarr" for name in names}
    arrays = [_lazy(stores[name]) for name in names]
    for name, array in zip(names, arrays, strict=True):
        if len(array) != (index["experiment"] == name).sum():
            raise DataError(
                f"{stores[name]}: {len(array)} images, not those of the index; run `snakemake ingest` again"
            )
        if (array.shape[1:], array.dtype) != (arrays[0].shape[1:], arrays[0].dtype):
            raise DataError(
                f"{stores[name]}: {array.dtype} images of {array.shape[1:]}, others have {arrays[0].dtype} ones of "
                f"{arrays[0].shape[1:]}; see `image.crop`, or put them into `parts`"
            )
    return OpenScreen(index, dask.array.concatenate(arrays), channel_names(stores[names[0]]))


def open_parts(path: str | Path) -> dict[str, OpenScreen]:
    """Each part of a screen, as `open_screen` opens it; of a screen that is not in parts, `all`."""
    index = read_frame(Path(path) / "images.parquet")
    return {str(part): open_screen(path, str(part)) for part in index["part"].unique()}


def _of_part(index: pd.DataFrame, part: str | None, folder: Path) -> pd.DataFrame:
    parts = list(index["part"].unique())
    if part is None and len(parts) == 1:
        return index
    if part not in parts:
        asked = "name one of its parts" if part is None else f"no part {part!r}"
        raise DataError(f"{folder}: {asked}, as in `open_screen(path, part={parts[0]!r})`: {', '.join(parts)}")
    return index[index["part"] == part].reset_index(drop=True)


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
