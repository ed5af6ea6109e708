"""UMAP of as many test embeddings as RxRx1 has of HUVEC: 19,708 of 1,024 features, after its code is compiled.

Usage: python benchmarks/umap_projection.py     (made-up embeddings)
"""

import json
import time
from pathlib import Path

import numpy as np
from common import about

from debatch.report.kinds.figures.umap import project

IMAGES, WIDTH, CLASSES = 19_708, 1024, 1139


def made_up(images: int) -> np.ndarray:
    """Non-negative embeddings (images, 1024) of 1,139 classes."""
    generator = np.random.default_rng(0)
    centres = generator.random((CLASSES, WIDTH), dtype=np.float32)
    embeddings = centres[generator.integers(0, CLASSES, images)]
    return embeddings + 0.5 * generator.random((images, WIDTH), dtype=np.float32)


def main() -> None:
    """Print one JSON record."""
    started = time.perf_counter()
    project(made_up(5_000))  # small, but large enough for the same code as the whole
    compiled = time.perf_counter()
    points, _, name = project(made_up(IMAGES))
    done = time.perf_counter()
    assert name == "UMAP"
    assert points.shape == (IMAGES, 2)
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    record = {
        **about("umap_projection", 1),
        "compilation_and_5000_seconds": round(compiled - started, 1),
        "seconds": round(done - compiled, 1),
        "peak_process_mb": round(peak),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
