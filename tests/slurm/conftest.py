import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from cluster import EPOCHS, ROOT, Copy, fresh_copy, queue, until

TABLES = {
    "tables": {
        "small": {
            "kind": "generalization",
            "title": "Two methods on unseen batches",
            "methods": ["baseline", "adabn"],
            "splits": ["separated"],
        }
    },
    "figures": {},
}
SCREEN = {
    "extends": "tiny",
    "simulate": {"experiments": {"ALPHA": 3, "BETA": 0}},
    "training": {"epochs": EPOCHS, "snapshot_every": 0},
    "compute": {"threads": 1, "gpus": 1, "mem_mb": 1500, "runtime": 30},
    "splits": {"names": ["separated"]},
    "targets": ["small"],
}


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    """A home in which the one documented step was done."""
    home = tmp_path_factory.mktemp("home")
    subprocess.run(
        ["make", "slurm-profile", "ACCOUNT=lab", "PARTITION=cpu", "GPU_PARTITION=gpu"],
        cwd=ROOT, env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, check=True, timeout=60,
    )  # fmt: skip
    return home


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, home) -> Copy:
    """The small table from raw images on, through the cluster, with nothing in its way."""
    folder = fresh_copy(tmp_path_factory.mktemp("undisturbed"))
    (folder / "config/screens/small.yaml").write_text(yaml.safe_dump(SCREEN, sort_keys=False))
    (folder / "config/small.yaml").write_text(yaml.safe_dump(TABLES))
    copy = Copy(folder, home)
    copy.done = copy.run()
    return copy


@pytest.fixture
def untrained(undisturbed, tmp_path, home) -> Copy:
    """The same before any training."""
    until(lambda: not queue(), "no job of another test is left")
    folder = tmp_path / "copy"
    shutil.copytree(undisturbed.folder, folder, copy_function=shutil.copy2)
    shutil.rmtree(folder / "results/small/runs")
    shutil.rmtree(folder / "results/small/tables")
    shutil.rmtree(folder / "logs")
    copy = Copy(folder, home)
    yield copy
    copy.leave_nothing_behind()
