"""Probes and intervals at the size of RxRx1's test set: 44,286 embeddings of 1,024 features, 18 batches.

Usage: python benchmarks/probe.py     (made-up embeddings; two threads)
"""

import json
import time
from pathlib import Path

import numpy as np
from common import about
from threadpoolctl import threadpool_limits

from debatch.evaluate.batch_effect.probe import lda_predict, mlp_predict
from debatch.evaluate.neighbors import knn_predict
from debatch.evaluate.uncertainty import mean_spread

IMAGES, WIDTH, BATCHES, THREADS = 44_286, 1024, 18, 2


def main() -> None:
    """Print one JSON record."""
    generator = np.random.default_rng(0)
    batches = generator.integers(0, BATCHES, IMAGES)
    shifts = generator.random((BATCHES, WIDTH), dtype=np.float32)
    embeddings = generator.random((IMAGES, WIDTH), dtype=np.float32) + 0.1 * shifts[batches]
    half = IMAGES // 2
    seconds = {}
    with threadpool_limits(THREADS):
        for name, probe in (("lda", lda_predict), ("knn", knn_predict), ("mlp", mlp_predict)):
            started = time.perf_counter()
            probe(embeddings[:half], batches[:half], embeddings[half:])
            seconds[f"{name}_seconds"] = round(time.perf_counter() - started, 1)
    started = time.perf_counter()
    mean_spread(generator.random(BATCHES), np.zeros(BATCHES, np.int64), np.full(BATCHES, 2460.0))
    seconds["interval_seconds"] = round(time.perf_counter() - started, 3)
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({**about("probe", THREADS), **seconds, "peak_process_mb": round(peak)}))


if __name__ == "__main__":
    main()
