"""Random mini-batches of 64 six-channel 512 x 512 images: our store against decoding the same images from PNG.

Usage: python benchmarks/reading.py [images]     (made-up cells; both ways in one run, two threads each)
"""

import json
import platform
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import imagecodecs
import numpy as np
from scipy.ndimage import gaussian_filter

from debatch.config.screen import Store
from debatch.screen.store import ImageReader, StoreWriter

CHANNELS, SIDE, BATCH, THREADS = 6, 512, 64, 2


def made_up_image(generator: np.random.Generator) -> np.ndarray:
    """Dark and smooth with some noise, as fluorescence is."""
    smooth = gaussian_filter(generator.random((CHANNELS, SIDE, SIDE)), (0, 6, 6))
    scaled = (smooth - smooth.min()) / np.ptp(smooth) * 60 + generator.normal(0, 2, smooth.shape)
    return scaled.clip(0, 255).astype(np.uint8)


def main(count: int) -> None:
    """Print one JSON record."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with StoreWriter(root / "a.zarr", (count, CHANNELS, SIDE, SIDE), Store(), {}) as writer:
            for n in range(count):
                image = made_up_image(generator)
                writer.append(image[None])
                for c in range(CHANNELS):
                    (root / f"{n}_{c}.png").write_bytes(imagecodecs.png_encode(image[c]))
        reader = ImageReader({"a": root / "a.zarr"}, THREADS)

        def from_png(n: int) -> np.ndarray:
            return np.stack([imagecodecs.png_decode((root / f"{n}_{c}.png").read_bytes()) for c in range(CHANNELS)])

        rates: dict[str, list[float]] = {"store": [], "png": []}
        for _ in range(5):  # in turns: a shared machine drifts
            rows = generator.choice(count, BATCH, replace=False)
            started = time.perf_counter()
            stored = reader.read_at(np.full(BATCH, "a"), rows)
            rates["store"].append(BATCH / (time.perf_counter() - started))
            started = time.perf_counter()
            with ThreadPoolExecutor(THREADS) as pool:
                decoded = np.stack(list(pool.map(from_png, rows)))
            rates["png"].append(BATCH / (time.perf_counter() - started))
            assert np.array_equal(stored, decoded)
    store, png = (float(np.median(rates[way])) for way in ("store", "png"))
    print(
        json.dumps(
            {
                "benchmark": "reading",
                "date": date.today().isoformat(),
                "machine": f"{platform.machine()}, {platform.system()}, {THREADS} threads",
                "store_images_per_second": round(store),
                "png_images_per_second": round(png),
                "ratio": round(store / png, 1),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
