"""All six normalization variants of a made-up catalogue as large as RxRx1's: time, and bytes beside the store's.

Usage: python benchmarks/normalization.py [images]

The store's size is that of as many real RxRx1 fields in lz4, measured on the few that `$DEBATCH_REAL_DATA` has.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from common import CHANNELS, SIDE, about, fields

from debatch.config.images import Store
from debatch.screen.ingest.measure import measure
from debatch.screen.names.wells import row_letters
from debatch.screen.normalization import GROUPS, normalization_statistics
from debatch.screen.store import StoreWriter
from debatch.tabular import write_frame

EXPERIMENTS, PLATES, WELLS_A_PLATE = 51, 4, 308


def catalogue(count: int) -> tuple[pd.DataFrame, np.ndarray]:
    """An index and moments of images with 512 x 512 pixels a channel."""
    generator = np.random.default_rng(0)
    at = np.arange(count)
    well = at // 2
    plate = well // WELLS_A_PLATE
    index = pd.DataFrame(
        {
            "experiment": [f"E-{number:02d}" for number in plate // PLATES % EXPERIMENTS],
            "plate": (plate % PLATES + 1).astype(str),
            "well": [f"{row_letters(2 + number % 14)}{number // 14 + 2:02d}" for number in well % WELLS_A_PLATE],
            "well_type": np.where(well % WELLS_A_PLATE < 31, "positive_control", "treatment"),
        }
    )
    index.insert(0, "image_id", index["experiment"] + "_" + index["plate"] + "_" + index["well"] + "_" + at.astype(str))
    pixels = SIDE * SIDE
    mean, sd = generator.uniform(5, 60, (count, CHANNELS)), generator.uniform(2, 30, (count, CHANNELS))
    moments = np.stack([np.full_like(mean, pixels), mean * pixels, (sd**2 + mean**2) * pixels], axis=2)
    return index, moments.astype(np.uint64)


def stored_bytes_an_image(folder: Path) -> float:
    """Of RxRx1-like fields in the codec that is shipped."""
    images, _ = fields(64)
    with StoreWriter(folder / "store.zarr", (len(images), *images[0].shape), Store(), {}) as writer:
        for image in images:
            writer.append(image[None], measure(image[None]).moments)
    return sum(path.stat().st_size for path in (folder / "store.zarr").rglob("*") if path.is_file()) / len(images)


def main(count: int) -> None:
    """Print one JSON record."""
    index, moments = catalogue(count)
    channels = [f"c{channel}" for channel in range(CHANNELS)]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        for variant in GROUPS:
            write_frame(
                normalization_statistics(index, moments, channels, variant),
                Path(folder, "variants", f"{variant}.parquet"),
            )
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in Path(folder, "variants").iterdir())
        store = stored_bytes_an_image(Path(folder)) * count
    record = {
        **about("normalization", 1),
        "images": count,
        "six_variants_seconds": round(seconds, 1),
        "six_variants_mb": round(size / 1e6, 1),
        "store_gb": round(store / 1e9, 1),
        "variants_to_store_percent": round(100 * size / store, 4),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 125_510)
