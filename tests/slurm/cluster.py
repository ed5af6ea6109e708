"""Snakemake and SLURM as a user has them, in a working copy of the repository."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

# of a run: 10 to 20 seconds, so that there is time for something to happen
EPOCHS = 150
ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# the plugin first looks at its jobs after 40 s, and these take five
POLL = ["--slurm-init-seconds-before-status-checks", "2"]
CHOICE = ["--config", "screen=small", "tables=config/small.yaml"]


class SlurmJob(NamedTuple):
    number: str
    comment: str
    state: str
    minutes: str
    requested: dict[str, str]


class Copy:
    """A working copy, with a home of its own that holds the profile."""

    def __init__(self, folder: Path, home: Path):
        self.folder, self.home = folder, home
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
        }
        self.environment.pop("XDG_CONFIG_HOME", None)
        self.started: list[subprocess.Popen] = []
        self.first_job = last_job()

    @property
    def results(self) -> Path:
        return self.folder / "results/small"

    def run(self, *arguments: str, check: bool = True, timeout: int = 600, **environment: str):
        """`snakemake --profile slurm`, to its end."""
        done = subprocess.run(
            ["snakemake", "--profile", "slurm", *arguments, *POLL, *CHOICE],
            cwd=self.folder, env={**self.environment, **environment}, capture_output=True, text=True, timeout=timeout,
            check=False,
        )  # fmt: skip
        done.output = done.stdout + done.stderr
        assert not check or done.returncode == 0, done.output[-8000:]
        return done

    def start(self, *arguments: str) -> "Running":
        """The same, in the background."""
        log = self.folder / "snakemake.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["snakemake", "--profile", "slurm", *arguments, *POLL, *CHOICE],
                cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.started.append(process)
        return Running(process, log)

    def leave_nothing_behind(self) -> None:
        """End what a failed test left running."""
        for process in self.started:
            process.kill()
            process.wait()
        slurm("scancel", "--user=root", "--full")
        # the Snakemake within a job outlives a node that goes down
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def processes(self, script: str = "") -> list[psutil.Process]:
        """What runs of this copy on this machine, which is the node too, by the name of the script."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(str(self.folder) in argument and script in argument for argument in process.info["cmdline"] or ())
        ]

    def jobs(self, rule: str = "") -> list[SlurmJob]:
        """What this copy submitted, by rule."""
        fields = "JobIDRaw,Comment,State,TimelimitRaw,ReqTRES"
        lines = slurm("sacct", "--allocations", "--noheader", "--parsable2", "--duplicates", f"--format={fields}")
        jobs = []
        for line in lines.splitlines():
            number, comment, state, minutes, requested = line.split("|")
            if int(number) > self.first_job and comment.startswith(f"rule_{rule}"):
                tres = dict(part.split("=") for part in requested.split(",") if part)
                jobs.append(SlurmJob(number, comment, state, minutes, tres))
        return jobs

    def run_folder(self, method: str) -> Path:
        return self.results / f"runs/{method}/separated/seed0"

    def epochs(self, method: str) -> int:
        """Epochs that a run has done."""
        history = self.run_folder(method) / "history.csv"
        return len(history.read_text().splitlines()) - 1 if history.exists() else 0

    def train_log(self, method: str) -> str:
        """The log of its last attempt; empty before it writes."""
        log = self.folder / f"logs/small/train/{method}-separated-seed0.log"
        return log.read_text() if log.exists() else ""

    def outcome(self) -> dict[str, bytes]:
        """Everything that was learned and that a person reads."""
        files = [*self.results.glob("tables/*.csv"), *self.results.glob("tables/*.md")]
        files += [*self.results.glob("runs/**/model.safetensors"), *self.results.glob("runs/**/metrics/*.csv")]
        files += [*self.results.glob("runs/**/predictions/*.parquet")]
        return {str(path.relative_to(self.results)): path.read_bytes() for path in sorted(files)}


class Running:
    """Snakemake in the background."""

    def __init__(self, process: subprocess.Popen, log: Path):
        self.process, self.log = process, log

    def end(self, timeout: int = 600) -> int:
        """Wait for it; its exit status."""
        return self.process.wait(timeout)

    @property
    def output(self) -> str:
        return self.log.read_text()


def slurm(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def last_job() -> int:
    numbers = slurm("sacct", "--allocations", "--noheader", "--parsable2", "--format=JobIDRaw").split()
    return max(map(int, numbers), default=0)


def queue() -> dict[str, str]:
    """Number -> comment of the jobs that wait or run."""
    lines = slurm("squeue", "--noheader", "--format=%i|%k").splitlines()
    return dict(line.split("|") for line in lines)


def training_job(method: str) -> str:
    """The number of the job that trains a method."""
    return next(number for number, comment in queue().items() if comment.startswith(f"rule_train_wildcards_{method}_"))


def until(condition: Callable[[], object], what: str, timeout: float = 240) -> None:
    """Wait for something that happens elsewhere."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"waited {timeout:.0f} s in vain until {what}"
        time.sleep(0.2)


def fresh_copy(folder: Path) -> Path:
    """What a clone would hold: everything that git knows or would take up."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder
