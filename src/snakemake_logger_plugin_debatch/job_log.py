"""What a job's log says while it runs and after it failed."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# enough for a traceback
BYTES_READ = 16_384
# as training writes it
EPOCH = re.compile(r"\bepoch (\d+)/(\d+)\b")


@dataclass(frozen=True)
class Progress:
    """`done` of `of` epochs, as a log said at the time `at`."""

    done: int
    of: int
    at: float

    def __str__(self) -> str:
        """As in `epoch 4 of 10`, the one that runs."""
        return f"epoch {min(self.done + 1, self.of)} of {self.of}"


def progress(log: Iterable[str], since: float) -> Progress | None:
    """How far a job is that began at `since`; None where its log does not say, or is of an attempt before."""
    for path in log:
        try:
            at = os.stat(path).st_mtime
        except OSError:
            continue
        said = EPOCH.findall(_end(path)) if at >= since else []
        if said and int(said[-1][0]) > 0:
            return Progress(int(said[-1][0]), int(said[-1][1]), at)
    return None


def last_lines(path: str, count: int) -> list[str]:
    """The last lines of a log; none where it cannot be read."""
    return _end(path).splitlines()[-count:]


def _end(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - BYTES_READ))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
