"""Starts a training job: here where it has one device, else as a process a device that torchrun starts.

The process that starts the others holds the run's lock and the devices' until they have ended; they die with it.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import deque
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch

import debatch
from debatch.errors import UserError, disk_is_full_message
from debatch.jobs.job import TrainingJob, train_run
from debatch.jobs.torchrun import PARENT, die_with_parent
from debatch.runtime.devices import choose_device, usable_devices, visible_to_children
from debatch.runtime.pauses import Pauses, pauses_of_a_job
from debatch.runtime.ranks import joined_ranks, started_together
from debatch.runtime.writer import only_writer

log = logging.getLogger(__name__)

LINES_KEPT = 40


def run_training(job: TrainingJob) -> None:
    """Train a run to its end, on as many of the devices that it asks for as there are.

    Raises:
        UserError: what a user can mend; OutOfTimeError where running it again is all that it takes.
    """
    pauses = pauses_of_a_job(job.runtime_minutes)
    with only_writer(job.folder, pauses):
        processes = 1 if job.gpus <= 1 else usable_devices(job.gpus)
        if processes > 1:
            train_in_processes(job, processes, pauses, visible_to_children(processes))
        else:
            train_run(job, choose_device(min(job.gpus, 1) if processes else 0), pauses)


def train_in_processes(job: TrainingJob, processes: int, pauses: Pauses, environment: Mapping[str, str]) -> None:
    """Train a run in several processes, its log lines passed on, and wait for them.

    Args:
        job: what is trained.
        processes: how many.
        pauses: the job's clock; they get what is left of its time limit.
        environment: what theirs has more than this process's.

    Raises:
        UserError: what one of them says of a failure that a user can mend.
        RuntimeError: any other failure of one of them, with its traceback.
    """
    left = pauses.minutes_left()
    with tempfile.TemporaryDirectory(prefix="debatch-job-") as folder:
        path = Path(folder) / "job.json"
        (job if left is None else replace(job, runtime_minutes=left)).write(path)
        command = [
            sys.executable, "-m", "debatch.jobs.torchrun", "--standalone", "--local-addr", "127.0.0.1",
            "--nproc-per-node", str(processes), "-m", "debatch.jobs.job", str(path),
        ]  # fmt: skip
        own = {
            "OMP_NUM_THREADS": str(max(1, job.threads // processes)),  # torchrun would set 1, and say so at length
            "PYTHONPATH": _python_path(),
            PARENT: str(os.getpid()),
            **environment,
        }
        status, last_lines = _watched(command, {**os.environ, **own})
        if status:
            _raise_first_failure(Path(folder), status, last_lines)


def _watched(command: list[str], environment: dict[str, str]) -> tuple[int, list[str]]:
    """Run a command and pass its output on as log lines: its status, and the last lines of its errors."""
    errors: deque[str] = deque(maxlen=LINES_KEPT)
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        reader = threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True)
        reader.start()
        try:
            for line in process.stdout:
                log.info("%s", line.rstrip("\n"))
            status = process.wait()
        finally:
            process.kill()  # as an exception passes; they follow
        reader.join()
    return status, [line.rstrip("\n") for line in errors]


def _python_path() -> str:
    """With the package's own folder: where it is not installed, a script has put that on the path."""
    own = str(Path(debatch.__file__).parents[1])
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])


def _raise_first_failure(folder: Path, status: int, last_lines: list[str]) -> None:
    tail = "\n".join(last_lines)
    for path in folder.glob("*.error"):
        failure = json.loads(path.read_text())
        if failure["for_user"]:
            raise UserError(failure["text"])
        # who fails first may only have lost one that the kernel killed, of which torchrun alone can tell
        raise RuntimeError(f"a training process failed:\n{failure['text']}\nthe last that they said:\n{tail}")
    raise RuntimeError(f"the training processes ended with status {status}; the last that they said:\n{tail}")


def main(path: Path) -> int:
    """A training job's own process, alone or as one of torchrun's; its exit status.

    Args:
        path: of the job's file.
    """
    die_with_parent()
    first = os.environ.get("RANK", "0") == "0"
    _log_to_stdout(with_time=PARENT not in os.environ, silent=not first)
    try:
        job = TrainingJob.read(path)
        if started_together():
            _train_as_one_of_several(job, first)
        else:
            run_training(job)
    except Exception as error:
        _say_once(path, error)
        return 1
    return 0


def _train_as_one_of_several(job: TrainingJob, first: bool) -> None:
    device = _device_of_this_process(job)
    pauses = pauses_of_a_job(job.runtime_minutes)
    # where another process started these, it holds the lock
    alone_here = only_writer(job.folder, pauses) if first and PARENT not in os.environ else nullcontext()
    with alone_here, joined_ranks(device) as ranks:
        train_run(job, device, pauses, ranks)


def _device_of_this_process(job: TrainingJob) -> torch.device:
    number, processes = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if not job.gpus or not torch.cuda.is_available():
        return torch.device("cpu")
    if torch.cuda.device_count() < processes:
        raise UserError(f"{processes} processes, and {torch.cuda.device_count()} GPUs can be seen: each needs its own")
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device


def _log_to_stdout(with_time: bool, silent: bool) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s" if with_time else "%(message)s", "%H:%M:%S"))
    own = logging.getLogger("debatch")
    own.addHandler(handler)
    own.setLevel(logging.CRITICAL + 1 if silent else logging.INFO)


def _say_once(path: Path, error: Exception) -> None:
    """Say a failure, if this process is the first of several that fail: the others' follows from it, or is the same."""
    for_user, text = _in_words(error)
    if started_together():
        # the agent's pid too: started by hand, torchrun may call every run "none"
        said = path.with_name(f"{path.name}.{os.environ['TORCHELASTIC_RUN_ID']}.{os.getppid()}.error")
        part = said.with_name(f"{said.name}.{os.getpid()}")
        part.write_text(json.dumps({"for_user": for_user, "text": text}))
        try:
            os.link(part, said)  # whole at once, and only for the first
        except FileExistsError:
            return
        finally:
            part.unlink()
    print(f"Error: {text}" if for_user else text, file=sys.stderr, flush=True)


def _in_words(error: Exception) -> tuple[bool, str]:
    """Whether a failure is for the user, and what is to be said of it."""
    if isinstance(error, UserError):
        return True, str(error)
    if message := disk_is_full_message(error):
        return True, message
    return False, "".join(traceback.format_exception(error))
