"""Each shipped correction of 10,000 embeddings of 384 features, 8 batches, takes under a minute on two cores.

Usage: python benchmarks/corrections.py [IMAGES [FEATURES]]     (made-up embeddings; two threads; own process each)
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from common import about

from debatch.config.corrections import read_corrections
from debatch.correct.apply import correct_table
from debatch.embedding_table import with_features

CORRECTIONS = Path(__file__).parents[1] / "config" / "corrections.yaml"
BATCHES, CLASSES, CONTROLS, THREADS = 8, 1139, 31, 2


def main(images: int, width: int) -> None:
    """Print one JSON record."""
    record: dict[str, object] = {**about("corrections", THREADS), "images": images, "features": width}
    for name in read_corrections(CORRECTIONS):
        one = [sys.executable, __file__, str(images), str(width), name]
        threads = {key: str(THREADS) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        done = subprocess.run(one, env={**os.environ, **threads}, check=True, capture_output=True, text=True)
        record[name] = json.loads(done.stdout)
    print(json.dumps(record))


def measure(images: int, width: int, name: str) -> None:
    """Print the seconds and memory of one correction, the import of its library included."""
    table = made_up(images, width)
    before = _peak_mb()
    started = time.perf_counter()
    corrected = correct_table(table, read_corrections(CORRECTIONS)[name])
    seconds = time.perf_counter() - started
    assert len(corrected) == images
    print(json.dumps({"seconds": round(seconds, 1), "peak_mb": round(_peak_mb()), "peak_mb_before": round(before)}))


def made_up(images: int, width: int) -> pd.DataFrame:
    """Embeddings of one cell type: perturbations on few directions, shifts and scales of batches on all, ReLU."""
    generator = np.random.default_rng(0)
    batches, classes = generator.integers(0, BATCHES, images), generator.integers(0, CLASSES, images)
    biology = generator.normal(size=(CLASSES, 40)) @ generator.normal(size=(40, width)) / 6
    shifts, scales = generator.normal(0, 0.7, (BATCHES, width)), generator.uniform(0.7, 1.4, (BATCHES, width))
    embeddings = (biology[classes] + generator.normal(size=(images, width))) * scales[batches] + shifts[batches]
    metadata = pd.DataFrame(
        {
            "Metadata_Image": [f"image_{number:06d}" for number in range(images)],
            "Metadata_Batch": [f"batch_{number}" for number in batches],
            "Metadata_CellType": "all",
            "Metadata_WellType": np.where(classes < CONTROLS, "positive_control", "treatment"),
        }
    )
    return with_features(metadata, embeddings.clip(min=0))


def _peak_mb() -> float:
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:3]]
    sizes += [10_000, 384][len(sizes) :]
    if len(sys.argv) > 3:
        measure(*sizes, sys.argv[3])
    else:
        main(*sizes)
