"""Snakemake's dry runs from a process in which it is imported already: starting and importing take longer than most."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "snakemake.cli",
        "snakemake.api",
        "snakemake.workflow",
        "debatch.registry.asked",
        "debatch.runtime.slurm",
        "pandas",
    ]
)


def dry_run(folder: Path, arguments: list[str], seconds: float) -> subprocess.CompletedProcess:
    """What `snakemake` with some arguments says in a folder, in a process of its own.

    Raises:
        subprocess.TimeoutExpired: it took longer than so many seconds.
    """
    with tempfile.TemporaryDirectory() as place:
        told = Path(place) / "output"
        process = _SERVER.Process(target=_call, args=(folder, arguments, {**os.environ}, told))
        process.start()
        process.join(seconds)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(["snakemake", *arguments], seconds, told.read_bytes())
        return subprocess.CompletedProcess(["snakemake", *arguments], process.exitcode, told.read_text(), "")


def _call(folder: Path, arguments: list[str], environment: dict[str, str], told: Path) -> None:
    with open(told, "wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main(sys.argv[1:])
