"""What a job imports it pays for at each start: nothing that it does not use."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

SCRIPTS = ROOT / "workflow/scripts"
# slow to import, and of use to some jobs alone
HEAVY = {
    "torch", "torch._dynamo", "timm", "torchvision", "sklearn", "scipy.stats", "matplotlib", "umap", "numba", "dask",
    "skimage", "zarr", "anndata", "ome_zarr", "harmonypy", "pycytominer", "imagecodecs", "snakemake", "kornia",
}  # fmt: skip
# script -> those of them that it may import before it knows what it is to do
MAY = {
    script: set(allowed)
    for scripts, allowed in {
        ("train", "embed_run", "embed_adaptation", "embed_screen"): ["torch"],
        ("probe_run", "probe_training_side", "readout_run", "probe_profiles", "predict_profiles", "nulls"): [
            "sklearn",
            "scipy.stats",
        ],
        ("figure", "report", "page", "plates", "qc", "explorer", "thumbnails"): ["matplotlib"],
        ("illumination",): ["matplotlib", "dask", "zarr"],
        ("ingest_experiment",): ["skimage", "imagecodecs", "zarr"],
        ("embed_profiles", "index_profiles", "simulate_experiment", "simulate_metadata"): ["imagecodecs"],
        ("ome_zarr",): ["ome_zarr", "zarr", "dask", "skimage", "matplotlib"],
    }.items()
    for script in scripts
}
SCRIPTS_ALIKE = {
    frozenset(allowed): [path for path in SCRIPTS.glob("*.py") if MAY.get(path.stem, set()) == allowed]
    for allowed in [set(), *MAY.values()]
}


# as in an environment of --sdm conda, where only the workflow's own copy of the package is
UNINSTALLED = """
sys.path[:] = [path for path in sys.path if not path.endswith("/src")]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder)]
"""


def imported(code: str) -> set[str]:
    """Of what is slow, what a process of its own has imported after some code; debatch is not installed in it."""
    looking = f"import sys\n{UNINSTALLED}\nsys.path.append({str(SCRIPTS)!r})\n{code}\nprint('IMPORTED', *sys.modules)"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", looking], capture_output=True, text=True, check=False, cwd="/", env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stdout.split("IMPORTED ")[1].split()) & HEAVY


@pytest.mark.parametrize("allowed", SCRIPTS_ALIKE, ids=lambda allowed: "+".join(sorted(allowed)) or "none")
def test_scripts_import_nothing_slow_that_they_do_not_use(allowed):
    """Those that may import the same share a process."""
    scripts = [path for path in SCRIPTS_ALIKE[allowed] if path.stem not in ("script", "trained")]
    assert scripts
    assert imported("\n".join(path.read_text().split("\nwith job(")[0] for path in scripts)) <= allowed


TRAINING = """
import script
from debatch.config import Recipe
from helpers.tiny_trainer import SHARED, files, log_probabilities, make_dealt_trainer
import pathlib, tempfile
with tempfile.TemporaryDirectory() as folder:
    trainer = make_dealt_trainer(Recipe(**{**SHARED, 'epochs': 1}))
    trainer.fit(files(pathlib.Path(folder)))
    log_probabilities(trainer)
"""


def test_a_small_network_trains_and_embeds_without_timm_and_torchs_compiler():
    code = f"sys.path.insert(0, {str(ROOT / 'tests')!r})\n{TRAINING}"
    # skimage draws the test's own images
    assert imported(code) - {"scipy.stats", "skimage"} <= {"torch"}


def test_a_backbones_name_is_checked_without_what_builds_it():
    """Each start of the workflow and each of its jobs reads the configuration."""
    code = f"import script, pathlib\nfrom debatch.registry import build_registry\nROOT = pathlib.Path({str(ROOT)!r})"
    assert not imported(f"{code}\nassert build_registry({{'screen': 'rxrx1'}}, ROOT).recipes['baseline'].backbone")
