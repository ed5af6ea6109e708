"""All cosine similarities of a test set as large as RxRx1's: 44,286 embeddings of 1,024 features, within cell types.

Usage: python benchmarks/cosine.py     (made-up embeddings; two threads)
"""

import json
import time
from pathlib import Path

import numpy as np
from common import about
from threadpoolctl import threadpool_limits

from debatch.evaluate.replicates.cosine import (
    KINDS,
    MEASURES,
    cosine_similarity_distributions,
    kolmogorov_smirnov,
    wasserstein,
)

# images and test experiments of HUVEC, RPE, HepG2 and U2OS
CELL_TYPES = ((19_708, 8), (9_824, 4), (9_850, 4), (4_904, 2))
WIDTH, CLASSES, THREADS = 1024, 1139, 2


def main() -> None:
    """Print one JSON record."""
    generator = np.random.default_rng(0)
    cell_types = np.repeat(np.arange(4), [count for count, _ in CELL_TYPES])
    batches = np.concatenate([10 * at + np.arange(n) * batches // n for at, (n, batches) in enumerate(CELL_TYPES)])
    wells = np.arange(len(cell_types)) // 2
    perturbations = generator.integers(0, CLASSES, len(cell_types))[wells]
    embeddings = generator.random((len(cell_types), WIDTH), dtype=np.float32)
    embeddings[:] += 0.2 * generator.random((CLASSES, WIDTH), dtype=np.float32)[perturbations]
    with threadpool_limits(THREADS):
        started = time.perf_counter()
        distributions = cosine_similarity_distributions(embeddings, perturbations, batches, cell_types, wells)
        found = distributions.histograms()
        for first, second in (("same_within", "same_across"), ("different_within", "different_across")):
            kolmogorov_smirnov(found[first], found[second])
            wasserstein(found[first], found[second])
        seconds = time.perf_counter() - started
        for perturbation in ("same", "different"):
            for measure in MEASURES:
                distributions.spread(measure, perturbation)
        with_intervals = time.perf_counter() - started
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    record = {
        **about("cosine", THREADS),
        "pairs": int(sum(found[kind].sum() for kind in KINDS)),
        "seconds": round(seconds, 1),
        "with_intervals_seconds": round(with_intervals, 1),
        "peak_process_mb": round(peak),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
