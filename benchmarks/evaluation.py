"""Exact metrics of 60,000 embeddings of 1,024 features take under two minutes each and under 2 GB, input included.

k-NN (against as many, 1,139 classes, k = 10), k-BET (51 batches, k = 300), NSC (compounds barred) and grit (1,139
groups; 5,000 controls, and half of all). Beside them mAP of 10,000 profiles (1,100 perturbations; 500 controls as
negatives, and all others) by `replicate_map` and by copairs, separability of the 60,000, and the linear probe fitted on
40,000 and asked of 10,000. The nearest of 60,000 for each of 88,245 images of 768 features, as of CHAMMI's largest data
set, takes a minute at most.

Usage: python benchmarks/evaluation.py [METRIC …]     (made-up embeddings; two threads; a process for each)
"""

import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from common import about
from threadpoolctl import threadpool_limits

from debatch.evaluate import (
    grit,
    kbet,
    knn_predict,
    linear_probe,
    nearest_label,
    nearest_neighbor_accuracy,
    replicate_map,
    separability,
)

WIDTH, CLASSES, BATCHES, THREADS = 1024, 1139, 51, 2


def made_up(count: int, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, width) float32 embeddings, (N,) classes and batches that both show in them."""
    generator = np.random.default_rng(0)
    labels, batches = generator.integers(0, CLASSES, count), generator.integers(0, BATCHES, count)
    centres, offsets = (generator.random((number, width), dtype=np.float32) for number in (CLASSES, BATCHES))
    embeddings = np.empty((count, width), np.float32)
    for at in range(count):  # a row at a time, so that making them is not the peak
        embeddings[at] = generator.random(width, dtype=np.float32)
        embeddings[at] += 0.3 * centres[labels[at]] + 0.02 * offsets[batches[at]]
    return embeddings, labels, batches


def metric_knn() -> Callable[[], object]:
    """Of 60,000 against the same 60,000, themselves included."""
    embeddings, labels, _ = made_up(60_000)
    return lambda: float((knn_predict(embeddings, labels, embeddings, k=10) == labels).mean())


def metric_nearest() -> Callable[[], object]:
    """Of 88,245 against 60,000."""
    embeddings, labels, _ = made_up(88_245, 768)
    return lambda: float((nearest_label(embeddings[:60_000], labels[:60_000], embeddings) == labels).mean())


def metric_kbet() -> Callable[[], object]:
    """Neighbours: 0.5 % of all."""
    embeddings, _, batches = made_up(60_000)
    return lambda: kbet(embeddings, batches, k=300)


def metric_nsc() -> Callable[[], object]:
    """Compounds of 50 mechanisms, neighbours of the same compound or batch barred."""
    embeddings, labels, batches = made_up(60_000)
    barred = np.stack([labels, batches], axis=1)
    return lambda: nearest_neighbor_accuracy(embeddings, labels % 50, barred)


def metric_grit() -> Callable[[], object]:
    """5,000 controls."""
    embeddings, labels, _ = made_up(60_000)
    controls = np.arange(60_000) < 5_000
    return lambda: float(np.nanmean(grit(embeddings, np.where(controls, -1, labels), controls)))


def metric_grit_half_controls() -> Callable[[], object]:
    """30,000 controls."""
    embeddings, labels, _ = made_up(60_000)
    controls = np.arange(60_000) < 30_000
    return lambda: float(np.nanmean(grit(embeddings, np.where(controls, -1, labels), controls)))


def metric_separability() -> Callable[[], object]:
    """One in ten is a control."""
    embeddings, labels, batches = made_up(60_000)
    controls = np.arange(60_000) % 10 == 0
    return lambda: float(separability(embeddings, labels, batches, controls)["separability"].mean())


def metric_map_controls() -> Callable[[], object]:
    """Against 500 controls."""
    embeddings, labels, batches = made_up(10_000)
    controls = np.arange(10_000) < 500
    return lambda: float(replicate_map(embeddings, labels % 1100, batches, controls)["map"].mean())


def metric_map_others() -> Callable[[], object]:
    """Against every other perturbation."""
    embeddings, labels, batches = made_up(10_000)
    return lambda: float(replicate_map(embeddings, labels % 1100, batches)["map"].mean())


def metric_copairs_map_controls() -> Callable[[], object]:
    """As `map_controls`."""
    embeddings, labels, batches = made_up(10_000)
    controls = np.arange(10_000) < 500
    return _copairs(embeddings, np.where(controls, -1, labels % 1100), batches, controls)


def metric_copairs_map_others() -> Callable[[], object]:
    """As `map_others`."""
    embeddings, labels, batches = made_up(10_000)
    return _copairs(embeddings, labels % 1100, batches, None)


def _copairs(
    embeddings: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, controls: np.ndarray | None
) -> Callable[[], object]:
    from copairs import map as copairs

    meta = pd.DataFrame({"perturbation": perturbations, "batch": batches, "control": controls})
    negatives = "perturbation" if controls is None else "control"
    meta = meta.drop(columns="control") if controls is None else meta

    def measure() -> float:
        found = copairs.average_precision(
            meta, embeddings, ["perturbation"], ["batch"], [], [negatives], progress_bar=False
        )
        asked = found[(found["n_pos_pairs"] > 0) & (found["perturbation"] >= 0)]
        return float(asked.groupby("perturbation")["average_precision"].mean().mean())

    return measure


def metric_linear_probe() -> Callable[[], object]:
    """1,139 classes."""
    embeddings, labels, _ = made_up(50_000)
    train, test = slice(0, 40_000), slice(40_000, None)
    return lambda: float((linear_probe(embeddings[train], labels[train], embeddings[test]) == labels[test]).mean())


METRICS = {name.removeprefix("metric_"): make for name, make in globals().items() if name.startswith("metric_")}


def measure_one(name: str) -> None:
    """Print one metric's JSON record: in a process of its own, whose peak is that metric's."""
    measure = METRICS[name]()
    with threadpool_limits(THREADS):
        started, busy = time.perf_counter(), time.process_time()
        value = measure()
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    record = {"metric": name, "value": round(value, 4), "seconds": round(seconds, 1), "cpu_seconds": round(busy, 1)}
    record["peak_process_mb"] = round(peak)
    print(json.dumps(record))


def main(names: list[str]) -> None:
    """Print one JSON record for each metric, after one that says what they are of."""
    print(json.dumps({**about("evaluation", THREADS), "copairs": importlib.metadata.version("copairs")}), flush=True)
    for name in names or METRICS:
        subprocess.run([sys.executable, __file__, "--one", name], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure_one(sys.argv[2])
    else:
        main(sys.argv[1:])
