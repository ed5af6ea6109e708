import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]


def snakemake(folder: Path, *arguments: str, check: bool = True, **config: str) -> subprocess.CompletedProcess:
    """Run Snakemake in a folder of its own; everything it makes lies there."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--cores", "2", *arguments]
    if config:
        command += ["--config", *(f"{key}={value}" for key, value in config.items())]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    done.output = done.stdout + done.stderr
    if check:
        assert done.returncode == 0, done.output[-6000:]
    return done


def planned(done: subprocess.CompletedProcess) -> dict[str, int]:
    """Jobs by rule of a dry run."""
    if "Job stats:" not in done.output:
        return {}
    lines = done.output.split("Job stats:")[1].splitlines()[3:]
    jobs = {}
    for line in lines:
        words = line.split()
        if len(words) != 2 or not words[1].isdigit():
            break
        jobs[words[0]] = int(words[1])
    jobs.pop("total", None)
    return jobs


def own_folder(folder: Path) -> Path:
    """A working directory with a configuration of its own."""
    shutil.copytree(ROOT / "config", folder / "config")
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """The tiny screen, run once from raw images to its report, and a copy for each process of tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    made = shared / "made"
    with FileLock(shared / "made.lock"):
        if not made.exists():
            folder = own_folder(tmp_path_factory.mktemp("making"))
            snakemake(folder, screen="tiny")
            folder.rename(made)
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copytree(made, folder, copy_function=shutil.copy2, dirs_exist_ok=True)
    return folder


@pytest.fixture
def tiny_copy(tiny, tmp_path) -> Path:
    """A copy of the finished tiny screen, to change something in."""
    folder = tmp_path / "copy"
    shutil.copytree(tiny, folder, copy_function=shutil.copy2)
    return folder
