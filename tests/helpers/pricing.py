"""Measured rates that are made up, and what a plan makes of them."""

import datetime

from debatch.cli.choice import chosen_registry
from debatch.cli.planning.bill import Pricing
from debatch.cli.planning.dry_run import Job
from debatch.cli.planning.hardware import chosen_hardware
from debatch.cli.planning.sizes import ScreenSize
from debatch.cli.planning.work import Work
from debatch.config.read import validate
from debatch.config.throughput import Processor, Throughput
from debatch.files import Files, Product

TODAY = datetime.date(2026, 11, 21)
DONE = {"date": TODAY, "script": "s"}
OLD = {"name": "EPYC", "vendor": "AMD", "family": 25, "model": 1, "instructions": ["avx2"]}
NEW = {**OLD, "model": 17, "instructions": ["avx2", "avx512f", "avx512_bf16"]}
OTHER = {**NEW, "vendor": "INTEL", "family": 6, "model": 143, "name": "Xeon"}
HERE = Processor(**OLD)
INGESTED = {"what": "ingest", "pixels": 512, "channels": 6, "device": "OLD", "threads": 4, "images_per_second": 50.0}
TRAINED = {"what": "train", "backbone": "densenet161", "pixels": 512, "channels": 6, "precision": "bfloat16"}
SIZE = {"forward_gflop": 80.0, "step_gflop": 250.0}
PEAKS = {"bfloat16_tflops": 1000.0, "float32_tflops": 50.0, "source": "a data sheet"}
KNOWN = {
    "processors": {"NEW": NEW, "OLD": OLD, "OTHER": OTHER},
    "measured": [{**INGESTED, **DONE}, {**TRAINED, **DONE, "device": "MEASURED", "images_per_second": 200.0}],
    "networks": [{"backbone": "densenet161", "pixels": 512, "channels": 6, **SIZE, **DONE}],
    "gpus": {
        "G": {**PEAKS, "compute_capability": 9.0},
        "MEASURED": {**PEAKS, "compute_capability": 8.0},
        "AGED": {**PEAKS, "compute_capability": 7.5},
    },
    "estimates": [
        {"what": "train", "backbone": "*", "share_of_peak": 0.1, "precision": "bfloat16", "assumption": "A guess."},
        {"what": "embed", "backbone": "*", "share_of_peak": 0.4, "precision": "float32", "assumption": "A guess."},
    ],
    "codecs": [{"codec": "lz4", "share_of_raw": 0.5, "note": "n", **DONE}],
}
TRAIN = [Job("train", {"method": "baseline", "split": "separated", "seed": str(seed)}) for seed in range(5)]
EMBED = [Job("embed_run", job.wildcards, (Product("view", "train"),)) for job in TRAIN]


def pricing(*overrides: str, device: str = "G", **changes) -> Pricing:
    registry = chosen_registry(overrides or ["screen=rxrx1"])
    size = ScreenSize(registry, Files(registry.results, registry.name))
    throughput = validate(Throughput, {**KNOWN, **changes}, "throughput")
    return Pricing(Work(registry, size), throughput, chosen_hardware(throughput, registry, device, HERE))
