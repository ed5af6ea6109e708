"""Plain lines, one a finished job: for a pipe, a file, or a terminal that cannot move its cursor."""

import threading
import time
from typing import TextIO

from snakemake_logger_plugin_debatch.words import duration, time_left
from snakemake_logger_plugin_debatch.work import Job, Work


class Lines:
    """Writes to a stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, work: Work, lock: threading.RLock) -> None:
        """Say how much there is to do."""
        self._write(f"{work.all} jobs to do")

    def started(self) -> None:
        """A line comes when it has ended."""

    def finished(self, work: Work, job: Job, seconds: float) -> None:
        """A line for a job that made something; a target that only gathers files makes nothing."""
        if job.makes_files:
            left = time_left(work.seconds_left(time.time()))
            self._write(f"{work.done} of {work.all}: {job.words}, {duration(seconds)}{left and f' ({left})'}")

    def stopping(self) -> None:
        """Jobs write by themselves."""

    def say(self, text: str, level: int) -> None:
        """As it is."""
        self._write(text)

    def close(self) -> None:
        """There is nothing to leave."""

    def _write(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()
