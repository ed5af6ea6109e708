"""Where a job computes: on GPUs of its own where it asked for some, else on the CPU.

Snakemake counts GPUs (`--resources gpu=4`) and assigns none: two jobs would both take the first one. So each job locks
its devices' files for as long as it lives. The kernel frees the locks when the process ends, however it ends.
"""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch

from debatch.runtime.lock_files import open_lock_file
from debatch.runtime.processor import this_processor

log = logging.getLogger(__name__)

LOCKS = Path(tempfile.gettempdir()) / "debatch-gpus"
SECONDS_BETWEEN_TRIES = 1.0
_held: list[IO[str]] = []  # open for the life of the process: closing a file gives its lock back


def choose_device(gpus: int) -> torch.device:
    """A GPU that no other job has, where one or more were asked for and one is there; else the CPU."""
    if not usable_devices(min(gpus, 1)):
        return torch.device("cpu")
    device = torch.device("cuda", claim_devices(1, torch.cuda.device_count())[0])
    torch.cuda.set_device(device)
    return device


def usable_devices(gpus: int) -> int:
    """How many GPUs a job can use of those that it asked for; fewer are said in a warning, 0 is the CPU."""
    if not gpus:
        return 0
    if not torch.cuda.is_available():
        log.warning("a GPU was asked for (compute.gpus) and none is there: running on the CPU, which is slow")
        return 0
    there = torch.cuda.device_count()
    if there < gpus:
        log.warning("%d GPUs were asked for (compute.gpus) and %d can be seen: training on %d", gpus, there, there)
    return min(gpus, there)


def visible_to_children(wanted: int) -> dict[str, str]:
    """What to put into the environment of processes that are to have some GPUs of this one's, a device each.

    The devices stay this process's own until it ends, so it must outlive them.
    """
    count = torch.cuda.device_count()
    names = _names(count)
    return {"CUDA_VISIBLE_DEVICES": ",".join(names[number] for number in claim_devices(wanted, count))}


def claim_devices(wanted: int, count: int, locks: Path | None = None) -> list[int]:
    """Lock some of the devices that this process sees, all or none; wait while other processes have too many of them.

    Args:
        wanted: how many, at least 1 and at most `count`.
        count: of devices that there are.
        locks: folder of the lock files; None: the machine's, the same for all users, or this SLURM job's.

    Returns:
        The devices' numbers among those that this process sees, ascending.
    """
    names, locks = _lock_names(count), locks or _lock_folder()
    waiting = False
    while True:
        got = _claim_all(names, wanted, locks)
        if got:
            _held.extend(got.values())
            return list(got)
        if not waiting:
            log.warning(
                "other jobs have the GPUs: waiting for %d of %d; see `--resources gpu=%d`", wanted, count, count
            )
            waiting = True
        time.sleep(SECONDS_BETWEEN_TRIES)


def _claim_all(names: list[str], wanted: int, locks: Path) -> dict[int, IO[str]]:
    """So many devices' locked files by number; none where fewer are free."""
    got: dict[int, IO[str]] = {}
    with _taking_turns(locks):
        for number, name in enumerate(names):
            file = _locked(locks, name)
            if file is not None:
                got[number] = file
            if len(got) == wanted:
                return got
    for file in got.values():
        file.close()
    return {}


@contextmanager
def _taking_turns(locks: Path) -> Iterator[None]:
    """One process at a time looks for devices: two that each hold half of them would wait for each other for ever."""
    with _open(locks, ".turn") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _names(count: int) -> list[str]:
    """What to call the devices so that two processes that see different ones agree."""
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return visible if len(visible) == count else [str(number) for number in range(count)]


def _lock_folder() -> Path:
    """SLURM shares devices out among its jobs: only what runs side by side within one of them can meet."""
    job = os.environ.get("SLURM_JOB_ID")
    return LOCKS if job is None else LOCKS / f"slurm-{job}"


def _lock_names(count: int) -> list[str]:
    """What to lock of the devices: under SLURM each step of a job may call its own device 0."""
    names = _names(count)
    if "SLURM_JOB_ID" not in os.environ:
        return names
    chips = [getattr(torch.cuda.get_device_properties(number), "uuid", "") for number in range(count)]
    return [f"{name}-{chip}" for name, chip in zip(names, chips, strict=True)]


def _locked(locks: Path, name: str) -> IO[str] | None:
    """The device's file, locked; None where another process has it."""
    file = _open(locks, "".join(c if c.isalnum() or c in "-." else "_" for c in name))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _open(locks: Path, name: str) -> IO[str]:
    _make_for_all(locks)
    return os.fdopen(open_lock_file(locks / name, os.O_RDONLY))


def _make_for_all(folder: Path) -> None:
    """Make a folder, and those that it is in, in which another user's job finds and makes the same files."""
    if folder.is_dir():
        return
    _make_for_all(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        return
    folder.chmod(0o1777)


def describe_device(device: torch.device) -> dict[str, Any]:
    """What a record says of the hardware."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"device": name, "cpu": this_processor().words, "threads": torch.get_num_threads()}
