import re
import shutil
import subprocess
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
import yaml
from filelock import FileLock
from helpers import ROOT
from helpers.cluster import EPOCHS, Copy, Running, fresh_copy, until

TABLES = {
    "tables": {
        "small": {
            "kind": "generalization",
            "title": "Two methods on unseen batches",
            "methods": ["baseline", "adabn"],
            "splits": ["separated"],
        },
        # never made: what it needs of the same runs must not be made either
        "probe": {"kind": "probe", "title": "What tells the batch", "methods": ["adabn"], "splits": ["separated"]},
    },
    "figures": {},
}
SCREEN = {
    "extends": "tiny",
    "simulate": {"experiments": {"ALPHA": 3, "BETA": 0}},
    "training": {"epochs": EPOCHS, "snapshot_every": 0},
    "compute": {"threads": 1, "gpus": 1, "mem_mb": 1500, "runtime": 30},
    "splits": {"names": ["separated"]},
    "targets": ["small", "probe"],
}
# what trainings start from
PREPARED = ("normalize", "split", "nulls")


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
def clone(tmp_path_factory, home) -> Copy:
    """A fresh clone in which nothing was made."""
    return Copy(choose(fresh_copy(tmp_path_factory.mktemp("clone"))), home)


def choose(folder: Path) -> Path:
    """Write the small screen and its tables into a working copy."""
    (folder / "config/screens/small.yaml").write_text(yaml.safe_dump(SCREEN, sort_keys=False))
    (folder / "config/small.yaml").write_text(yaml.safe_dump(TABLES))
    return folder


@pytest.fixture(scope="session")
def begun(tmp_path_factory, worker_id, home):
    """The small table from raw images on, through the cluster, with nothing in its way: the call, a copy of it before
    any training, and where its exit status will stand. One for all processes of tests, and not waited for."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    copy, before, status = Copy(shared / "undisturbed", home), shared / "untrained", shared / "undisturbed.status"
    running = None
    with FileLock(shared / "undisturbed.lock"):
        if not before.exists():
            copy.folder.mkdir()
            choose(fresh_copy(copy.folder))
            running = copy.start()
            Thread(target=note_end, args=(running, status), daemon=True).start()
            finished = [re.compile(rf"Finished jobid: \d+ \(Rule: {rule}\)") for rule in PREPARED]
            until(
                lambda: status.exists() or all(rule.search(running.output) for rule in finished),
                "the small screen is prepared",
            )
            assert all(rule.search(running.output) for rule in finished), running.output[-8000:]
            keep_untrained(copy.folder, before)
    yield SimpleNamespace(copy=copy, before=before, status=status)
    if running:
        until(status.exists, "the undisturbed table, which other tests wait for, has ended", 1200)
        copy.leave_nothing_behind()


def note_end(running: Running, status: Path) -> None:
    """Write down its exit status, once it has one."""
    part = status.with_suffix(".part")
    part.write_text(str(running.end(1200)))
    part.rename(status)


def keep_untrained(folder: Path, copy: Path) -> None:
    """Copy a working copy without what is going on in it."""
    part = copy.with_name("part")
    going_on = {folder: {"logs"}, folder / "results/small": {"runs", "tables"}}

    def left_out(place: str, names: list[str]) -> set[str]:
        if Path(place) == folder / ".snakemake":
            return {*names} - {"metadata"}
        return going_on.get(Path(place), set())

    shutil.copytree(folder, part, copy_function=shutil.copy2, ignore=left_out)
    part.rename(copy)


@pytest.fixture(scope="session")
def undisturbed(begun) -> Copy:
    """The finished table."""
    until(begun.status.exists, "the undisturbed table is there", 1200)
    begun.copy.output = begun.copy.log.read_text()
    assert begun.status.read_text() == "0", begun.copy.output[-8000:]
    return begun.copy


@pytest.fixture
def untrained(begun, tmp_path, home) -> Copy:
    """The same before any training."""
    copy = Copy(tmp_path / "copy", home)
    shutil.copytree(begun.before, copy.folder, copy_function=shutil.copy2)
    yield copy
    copy.leave_nothing_behind()
