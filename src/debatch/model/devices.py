"""Where a job computes: on a GPU of its own where it asked for one, else on the CPU.

Snakemake counts GPUs (`--resources gpu=4`) and assigns none: two jobs would both take the first one. So each job locks
a device's file for as long as it lives. The kernel frees the lock when the process ends, however it ends.
"""

import fcntl
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import torch

log = logging.getLogger(__name__)

LOCKS = Path(tempfile.gettempdir()) / "debatch-gpus"
SECONDS_BETWEEN_TRIES = 1.0
_held: list[IO[str]] = []  # open for the life of the process: closing a file gives its lock back


def choose_device(gpus: int) -> torch.device:
    """A GPU that no other job has, where one was asked for and is there; else the CPU.

    Under SLURM a job sees no GPU but its own, and takes it as it is.
    """
    if not gpus:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        log.warning("a GPU was asked for (compute.gpus) and none is there: running on the CPU, which is slow")
        return torch.device("cpu")
    device = torch.device("cuda", 0 if "SLURM_JOB_ID" in os.environ else claim_device(torch.cuda.device_count()))
    torch.cuda.set_device(device)
    return device


def claim_device(count: int, locks: Path = LOCKS) -> int:
    """Lock one of the devices that this process sees; wait while other processes have them all.

    Args:
        count: of devices, at least 1.
        locks: folder of the lock files, the same for all users of the machine.

    Returns:
        The device's number among those that this process sees.
    """
    names = _names(count)
    waiting = False
    while True:
        for number, name in enumerate(names):
            file = _locked(locks, name)
            if file is not None:
                _held.append(file)
                return number
        if not waiting:
            log.warning("all %d GPUs are taken by other jobs: waiting for one; see `--resources gpu=%d`", count, count)
            waiting = True
        time.sleep(SECONDS_BETWEEN_TRIES)


def _names(count: int) -> list[str]:
    """What to call the devices so that two processes that see different ones agree."""
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return visible if len(visible) == count else [str(number) for number in range(count)]


def _locked(locks: Path, name: str) -> IO[str] | None:
    """The device's file, locked; None where another process has it."""
    if not locks.is_dir():
        locks.mkdir(parents=True, exist_ok=True)
        locks.chmod(0o1777)  # another user's job must find the same files
    path = locks / "".join(c if c.isalnum() or c in "-." else "_" for c in name)
    # no link is followed: the folder is anyone's to write to
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def describe_device(device: torch.device) -> dict[str, Any]:
    """What a record says of the hardware."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"device": name, "cpu": _cpu_name(), "threads": torch.get_num_threads()}


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        return platform.processor() or platform.machine()
