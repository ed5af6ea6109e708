"""Snakemake and SLURM as a user has them, in a working copy of the repository.

The tests send a table of two runs to a cluster that refuses and kills them. After each fault the same command goes on
where it stopped, and the result is that of a run that nothing disturbed, bit for bit. Runs are held while something
happens to them, so that no test depends on how fast the machine is; and what they are compared with is asked for last:
it is made meanwhile. `make test-slurm` runs the files side by side, since each waits for much of its time.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import psutil

from helpers import ROOT

# of a run: some seconds of a core, in which a test can stop it where it wants to
EPOCHS = 60
# that a run has done when something happens to it
SOME = 3
BIN = Path(sys.executable).parent
# Snakemake looks for ends each second, as does the plugin with what lies in `often`
QUICK = ["--slurm-init-seconds-before-status-checks", "1", "--max-jobs-per-timespan", "100/1s"]
METHODS = ("baseline", "adabn")
CHOICE = ["--config", "screen=small", "tables=config/small.yaml"]
UNFINISHED = {"PENDING", "RUNNING", "COMPLETING", "SUSPENDED"}


class SlurmJob(NamedTuple):
    number: str
    comment: str
    state: str
    partition: str
    minutes: str
    requested: dict[str, str]

    @property
    def rule(self) -> str:
        return self.comment.removeprefix("rule_").split("_wildcards_")[0]


class Copy:
    """A working copy, with a home of its own that holds the profile."""

    def __init__(self, folder: Path, home: Path):
        self.folder, self.home = folder, home
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, [f"{ROOT}/tests/slurm/often", os.environ.get("PYTHONPATH")])),
            "OMP_NUM_THREADS": "1",
        }
        self.environment.pop("XDG_CONFIG_HOME", None)
        self.started: list[subprocess.Popen] = []

    @property
    def results(self) -> Path:
        return self.folder / "results/small"

    @property
    def log(self) -> Path:
        return self.folder / "snakemake.log"

    def run(self, *arguments: str, check: bool = True, timeout: int = 900, **environment: str):
        """`snakemake small --profile slurm`, to its end."""
        done = subprocess.run(
            command(*arguments), cwd=self.folder, env={**self.environment, **environment}, timeout=timeout, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        done.output = done.stdout + done.stderr
        assert not check or done.returncode == 0, done.output[-8000:]
        return done

    def start(self, *arguments: str) -> "Running":
        """The same, in the background."""
        with self.log.open("w") as output:
            process = subprocess.Popen(
                command(*arguments), cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        self.started.append(process)
        return Running(process, self.log)

    def leave_nothing_behind(self) -> None:
        """End what a failed test left running."""
        for process in self.started:
            process.kill()
            process.wait()
        if numbers := self.queue():
            subprocess.run(["scancel", "--full", *numbers], check=False)
        # the Snakemake within a job outlives a node that goes down
        kill(self.processes())

    def processes(self, script: str = "", job: str = "") -> list[psutil.Process]:
        """What runs of this copy on this machine, which is all nodes too.

        Args:
            script: only those of this script.
            job: only those of this job on the cluster.
        """
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or ()
            if any(str(self.folder) in word and script in word for word in words):
                with suppress(psutil.Error):
                    if not job or process.environ().get("SLURM_JOB_ID") == job:
                        found.append(process)
        return found

    def queue(self, states: str = "") -> dict[str, str]:
        """Number -> comment of its jobs that wait or run."""
        chosen = [f"--states={states}"] if states else []
        lines = slurm("squeue", "--noheader", "--array", "--format=%A|%k|%Z", *chosen).splitlines()
        found = [line.split("|") for line in lines]
        return {number: comment for number, comment, folder in found if folder == str(self.folder)}

    def jobs(self, rule: str = "") -> list[SlurmJob]:
        """What it submitted, as soon as the accounting knows all that the queue knows; by rule those that have ended,
        since before that it does not know their comment."""

        def known() -> bool:
            return {job.number for job in self.accounted() if job.state in UNFINISHED} == set(self.queue())

        until(known, "SLURM's accounting knows how its jobs ended")
        return [job for job in self.accounted() if job.rule.startswith(rule)]

    def accounted(self) -> list[SlurmJob]:
        fields = "JobIDRaw,Comment,State,Partition,TimelimitRaw,ReqTRES,WorkDir"
        options = ["--allocations", "--noheader", "--parsable2", "--duplicates", "--starttime=now-1days"]
        jobs = []
        for line in slurm("sacct", *options, f"--format={fields}").splitlines():
            *told, requested, folder = line.split("|")
            if folder == str(self.folder):
                jobs.append(SlurmJob(*told, dict(part.split("=") for part in requested.split(",") if part)))
        return jobs

    def training_job(self, method: str) -> str:
        """The number of the last job that trains a method; empty where none waits or runs."""
        found = [n for n, comment in self.queue().items() if comment.startswith(f"rule_train_wildcards_{method}_")]
        return max(found, key=int, default="")

    def hold(self, *methods: str, after: Mapping[str, int] = MappingProxyType({})) -> "Held":
        """Let runs train for some epochs and then stand still there, so that what happens next meets them there however
        fast this machine is.

        Args:
            methods: whose runs.
            after: epochs that an earlier job has done of each.
        """
        held = Held()

        def all_held() -> bool:
            for method in methods:
                if method not in held and self.epochs(method) >= after.get(method, 0) + SOME:
                    number = self.training_job(method)
                    held[method] = self.processes(".train.py", number) if number else []
                    for process in held[method]:
                        process.suspend()
                    trained = (self.run_folder(method) / "model.safetensors").exists()
                    assert bool(held[method]) > trained, f"{method} ended before it could be held: use more EPOCHS"
            return len(held) == len(methods)

        until(all_held, f"{methods} train")
        return held

    def cancel(self, job: str) -> None:
        """`scancel` a job, and end what it leaves: without cgroups SLURM's signal does not always reach what the job's
        shell started."""
        slurm("scancel", job)
        until(lambda: job not in self.queue("running,completing"), f"job {job} is cancelled")
        kill(self.processes(job=job))

    def run_folder(self, method: str) -> Path:
        return self.results / f"runs/{method}/separated/seed0"

    def done(self) -> dict[str, int]:
        """Epochs that each run has done."""
        return {method: self.epochs(method) for method in METHODS}

    def epochs(self, method: str) -> int:
        history = self.run_folder(method) / "history.csv"
        return len(history.read_text().splitlines()) - 1 if history.exists() else 0

    def train_log(self, method: str) -> str:
        """The log of its last attempt; empty before it writes."""
        log = self.folder / f"logs/small/train/{method}-separated-seed0.log"
        return log.read_text() if log.exists() else ""

    def went_on(self, method: str) -> bool:
        return "goes on after epoch" in self.train_log(method)

    def outcome(self) -> dict[str, bytes]:
        """Everything that was learned and that a person reads."""
        files = [*self.results.glob("tables/*.csv"), *self.results.glob("tables/*.md")]
        files += [*self.results.glob("runs/**/model.safetensors"), *self.results.glob("runs/**/metrics/*.csv")]
        files += [*self.results.glob("runs/**/predictions/*.parquet")]
        return {str(path.relative_to(self.results)): path.read_bytes() for path in sorted(files)}


class Held(dict[str, list[psutil.Process]]):
    """Processes that stand still, by method."""

    def resume(self, *methods: str) -> None:
        for method in methods or self:
            for process in self[method]:
                process.resume()


class Running:
    """Snakemake in the background."""

    def __init__(self, process: subprocess.Popen, log: Path):
        self.process, self.log = process, log

    def end(self, timeout: int = 900) -> int:
        """Wait for it; its exit status."""
        return self.process.wait(timeout)

    @property
    def output(self) -> str:
        return self.log.read_text()


def command(*arguments: str) -> list[str]:
    targets = [word for word in arguments[:1] if not word.startswith("-")] or ["small"]
    options = [word for word in arguments if word not in targets]
    return ["snakemake", *targets, "--profile", "slurm", *options, *QUICK, *CHOICE]


def slurm(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def until(condition: Callable[[], object], what: str, timeout: float = 600) -> None:
    """Wait for something that happens elsewhere. The bound is for what never happens, and not for a busy machine."""
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
