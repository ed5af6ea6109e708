"""Random mini-batches of 64 images (6 x 512 x 512): our store against PNG through OpenCV, and against raw reads.

Usage: python benchmarks/reading.py [images]     (two threads each, all ways in one run, in turns, files in page cache)

Raw reads are one `pread` an image from a flat file: no decoding, no checks, the most that a disk cache can give. The
same lz4 store is also read by zarr-python, by zarr-python with the zarrs pipeline where that is installed
(`pip install zarrs`), and by dask.
"""

import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import zarr
from common import CHANNELS, SIDE, about, decode_png, fields, write_pngs

from debatch.config.images import Store
from debatch.screen.ingest.measure import measure
from debatch.screen.store import ImageReader, StoreWriter

BATCH, THREADS, ROUNDS = 64, 2, 7
IMAGE_BYTES = CHANNELS * SIDE * SIDE


def write_stores(root: Path, images: list[np.ndarray]) -> None:
    """One store a codec, and one flat file."""
    for codec in ("lz4", "zstd", "none"):
        shape = (len(images), *images[0].shape)
        with StoreWriter(root / f"{codec}.zarr", shape, Store(codec=codec), {}, THREADS) as writer:
            for image in images:
                writer.append(image[None], measure(image[None]).moments)
    with open(root / "flat", "wb") as flat:
        for image in images:
            flat.write(image.tobytes())


def readers(
    root: Path, files: list[Path], pool: ThreadPoolExecutor, buffer: np.ndarray
) -> dict[str, Callable[[np.ndarray], Any]]:
    """Each way to read a mini-batch, into memory that is used again where the way allows it."""
    flat = os.open(root / "flat", os.O_RDONLY)

    def png(row: int, at: int) -> None:
        for channel in range(CHANNELS):
            buffer[at, channel] = decode_png(files[row * CHANNELS + channel])

    def raw(row: int, at: int) -> None:
        os.preadv(flat, [memoryview(buffer[at].reshape(-1))], row * IMAGE_BYTES)

    def ours(codec: str) -> Callable[[np.ndarray], Any]:
        reader = ImageReader({codec: root / f"{codec}.zarr"}, THREADS)
        names = np.full(BATCH, codec)
        return lambda rows: reader.read_at(names, rows, buffer)

    def in_threads(read: Callable[[int, int], None]) -> Callable[[np.ndarray], Any]:
        return lambda rows: list(pool.map(read, rows, range(BATCH)))

    stored = root / "lz4.zarr"
    ways = {"png": in_threads(png), "raw": in_threads(raw), **{codec: ours(codec) for codec in ("lz4", "zstd", "none")}}
    array: Any = zarr.open_group(stored, mode="r")["images"]
    # image by image: `oindex` over a mini-batch's shards is 40 times slower
    ways["zarr_python"] = in_threads(lambda row, at: np.copyto(buffer[at], array[row]))
    lazy = dask.array.from_zarr(array, chunks=(1, CHANNELS, SIDE, SIDE))
    ways["dask"] = lambda rows: np.copyto(buffer, lazy[rows].compute(scheduler="threads", num_workers=THREADS))
    if importlib.util.find_spec("zarrs"):
        with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "threading.max_workers": THREADS}):
            fast: Any = zarr.open_group(stored, mode="r")["images"]
        ways["zarrs"] = in_threads(lambda row, at: np.copyto(buffer[at], fast[row]))
    return ways


def main(count: int) -> None:
    """Print one JSON record."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(THREADS) as pool:
        root = Path(folder)
        files, origin = write_pngs(root, count)
        images, _ = fields(count)
        write_stores(root, images)
        buffer = np.empty((BATCH, CHANNELS, SIDE, SIDE), np.uint8)
        ways = readers(root, files, pool, buffer)
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):  # in turns: a shared machine drifts
            rows = generator.choice(count, BATCH, replace=False)
            for way, read in ways.items():
                started = time.perf_counter()
                read(rows)
                rates[way].append(BATCH / (time.perf_counter() - started))
                assert all(np.array_equal(buffer[at], images[row]) for at, row in enumerate(rows)), way
                buffer[:] = 0
    rate = {way: float(np.median(values)) for way, values in rates.items()}
    record = {
        **about("reading", THREADS),
        "images": origin,
        **{f"{way}_images_per_second": round(value) for way, value in rate.items()},
        **{f"{way}_to_png": round(rate[way] / rate["png"], 1) for way in rate if way not in ("png", "raw")},
        **{f"{way}_to_raw": round(rate[way] / rate["raw"], 2) for way in rate if way not in ("png", "raw")},
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
