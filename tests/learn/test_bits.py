"""A change of the code that is to change no result leaves every weight as it was, to the bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from debatch.runtime.processor import this_processor

# the same instructions on newer processors
ENVIRONMENT = {
    "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE", "OMP_NUM_THREADS": "1",
}  # fmt: skip
# by vendor, family, model and torch: others round otherwise. Where a change is meant to change weights, the script
# beside this file prints them anew; docs/decisions.md says why they changed
_EPYC = {
    "baseline": "932bc117b0165b6d",
    "gradient_reversal": "4823dc62e6fde4c1",
    "adabn": "0eb788fdae139d4f",
    "adabn_gradient_reversal": "6a490d09ebea301c",
    "adabn_test_only": "e2e281cee84865a1",
    "shuffled_labels": "4a4083f28385db06",
    "unmixed": "ef14744aa2830e6f",
    "mixup": "bafc253707ac5761",
    "adamw": "7457b704e7efaeea",
    "heads": "ed0416e97deaa3ee",
    "densenet": "901e5f740b95e665",
}
DIGESTS = {
    ("AuthenticAMD", 25, 1, "2.13.0"): _EPYC,
    ("AuthenticAMD", 25, 17, "2.13.0"): _EPYC,
    ("AuthenticAMD", 26, 2, "2.13.0"): _EPYC,
}


def test_every_recipe_trains_the_same_weights_to_the_bit():
    processor = this_processor()
    machine = (processor.vendor, processor.family, processor.model, torch.__version__.partition("+")[0])
    if machine not in DIGESTS:
        pytest.skip(f"nobody took digests of weights on {machine} yet")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("trained_bits.py")],
        env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == DIGESTS[machine]
