"""Ingestion of RxRx1-like PNGs (6 x 512 x 512): our store against merely decoding the same files.

Usage: python benchmarks/ingestion.py [images]     (two threads each, both ways in one run, in turns)

The fields are real RxRx1 images where `$DEBATCH_REAL_DATA` has them (shifted, turned and flipped until there are
enough), else made-up ones.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from common import PATTERN, about, decode_png, write_pngs

from debatch.config import Screen
from debatch.screen.ingest.experiment import ingest_experiment
from debatch.screen.metadata import read_catalogue

THREADS = 2


def screen(root: Path, codec: str) -> Screen:
    """The screen that `write_pngs` makes."""
    return Screen.model_validate(
        {
            "source": {"root": str(root), "pattern": PATTERN, "channels": {str(c): f"c{c}" for c in range(1, 7)}},
            "metadata": {"file": str(root / "wells.csv")},
            "columns": {"cell_type": None, "well_type": None},
            "store": {"codec": codec},
        }
    )


def ingest(root: Path, codec: str, store: Path) -> None:
    """Ingest the one experiment."""
    chosen = screen(root, codec)
    assert chosen.source is not None
    assert chosen.metadata is not None
    catalogue = read_catalogue(chosen, chosen.metadata.tables(), ["E-1"])
    ingest_experiment(chosen, chosen.source, "E-1", catalogue, store, store.with_suffix(".csv"), THREADS)


def peak_mb(root: Path, store: Path) -> float:
    """Peak memory of a process that does nothing but ingest."""
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import ingestion
ingestion.ingest(Path({str(root)!r}), 'lz4', Path({str(store)!r}))
print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])
"""
    # not getrusage: there a child's peak begins at its parent's
    done = subprocess.run([sys.executable, "-c", code], check=True, env=os.environ, capture_output=True, text=True)
    return int(done.stdout) / 1024


def main(count: int) -> None:
    """Print one JSON record."""
    ways = ("decode", "lz4", "zstd", "none")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    size = {}
    with tempfile.TemporaryDirectory() as folder:
        root, store = Path(folder, "raw"), Path(folder, "E-1.zarr")
        files, origin = write_pngs(root, count)
        rows = [{"experiment": "E-1", "plate": 1, "well": path.name[:3], "perturbation": "T"} for path in files[::6]]
        pd.DataFrame(rows).drop_duplicates().to_csv(root / "wells.csv", index=False)
        for _ in range(3):  # in turns: a shared machine drifts
            for way in ways:
                started = time.perf_counter()
                if way == "decode":
                    with ThreadPoolExecutor(THREADS) as pool:
                        list(pool.map(decode_png, files))
                else:
                    ingest(root, way, store)
                seconds[way].append(time.perf_counter() - started)
                if store.exists():
                    size[way] = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
                    shutil.rmtree(store)
        memory = peak_mb(root, store)
        png = sum(path.stat().st_size for path in files)
    rate = {way: count / float(np.median(seconds[way])) for way in ways}
    record = {
        **about("ingestion", THREADS),
        "images": origin,
        "decoding_images_per_second": round(rate["decode"]),
        **{f"{way}_images_per_second": round(rate[way]) for way in ways[1:]},
        **{f"{way}_to_decoding": round(rate[way] / rate["decode"], 2) for way in ways[1:]},
        **{f"{way}_size_to_png": round(size[way] / png, 2) for way in ways[1:]},
        "peak_process_mb": round(memory),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 384)
