"""A run's folder has one writer: a second job waits for the first to end, and goes on from what that left.

Snakemake submits a run again when it was killed and its job on the cluster was not. The lock is the kernel's: it ends
with the process that holds it, however that ends, and what is left of its file is no hindrance.
"""

import errno
import fcntl
import json
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from debatch.errors import UserError
from debatch.runtime.lock_files import open_lock_file
from debatch.runtime.pauses import OutOfTimeError, Pauses

log = logging.getLogger(__name__)

SECONDS_BETWEEN_TRIES = 5.0
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def only_writer(folder: Path, pauses: Pauses) -> Iterator[None]:
    """Within it no other job writes into a run's folder; before it, wait for one that does.

    Args:
        folder: of the run.
        pauses: the job's clock: it waits no longer than to its own time limit.

    Raises:
        OutOfTimeError: another job wrote until then.
        UserError: the folder is not to be written to.
    """
    path = folder / "writer.lock"
    held = _locked(path, pauses)
    if held is None:
        yield
        return
    try:
        os.ftruncate(held, 0)
        os.pwrite(held, json.dumps(_this_job()).encode(), 0)
        yield
    finally:
        # while the lock is held: who waits for it sees that its file is gone, and asks for a new one
        with suppress(OSError):
            if _is_at(held, path):  # else it is another job's: someone removed ours
                path.unlink()
        os.close(held)


def _locked(path: Path, pauses: Pauses) -> int | None:
    """The lock's file, held; None where there are no locks."""
    said = False
    while True:
        held = _open(path)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            _wait(path, pauses, said)
            said = True
            continue
        except OSError as error:
            os.close(held)
            if error.errno not in _NO_LOCKS:
                raise
            log.warning("%s: this file system has no locks: see to it that no other job trains this run", path.parent)
            return None
        if _is_at(held, path):
            return held
        os.close(held)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open_lock_file(path, os.O_RDWR)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        where = path if os.access(path.parent, os.W_OK | os.X_OK) and path.exists() else path.parent
        raise UserError(
            f"{where}: cannot be written to ({error.strerror}); a run saves its checkpoints there: mend its "
            "permissions, or set `results` to another folder"
        ) from None


def _is_at(held: int, path: Path) -> bool:
    """Whether the file is still the one of this name: its last holder removed it as it ended."""
    try:
        return os.path.samestat(os.fstat(held), path.stat())
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ESTALE}:  # the latter of a file that another machine removed
            raise
        return False


def _wait(path: Path, pauses: Pauses, said: bool) -> None:
    job, remedy = _holder(path)
    if pauses.must_leave():
        raise OutOfTimeError(
            f"{path.parent}: {job} still writes this run, and this job's time limit is near: {remedy} if nobody needs "
            "it, or wait until it has ended; then run the same command again, and it goes on from there"
        )
    if not said:
        log.warning("%s: %s still writes this run: waiting for it to end (or %s)", path.parent, job, remedy)
    time.sleep(SECONDS_BETWEEN_TRIES)


def _this_job() -> dict[str, str | int | None]:
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _holder(path: Path) -> tuple[str, str]:
    """Who writes, and how to end it, as far as its file says."""
    try:
        about = json.loads(path.read_text())
        host, pid, slurm_job, since = (about[key] for key in ("host", "pid", "slurm_job", "since"))
    except (OSError, ValueError, KeyError, TypeError):
        return "another job", "end it"
    if slurm_job:
        return f"SLURM job {slurm_job} on {host} (since {since})", f"`scancel {slurm_job}`"
    return f"process {pid} on {host} (since {since})", f"`kill {pid}` there"
