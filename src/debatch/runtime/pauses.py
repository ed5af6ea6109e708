"""When a run saves on its way, and when it leaves: before the time limit that would kill it."""

import os
import time
from collections.abc import Callable
from enum import IntEnum

from debatch.errors import UserError
from debatch.runtime.slurm import seconds_left

SAVE_SECONDS = 600.0
# left of the time limit for the last checkpoint and for what a scheduler needs
MARGIN_SECONDS = 300.0
MARGIN_SHARE = 0.25


class OutOfTimeError(UserError):
    """A run left before its time limit; the same job goes on from its checkpoint."""


class Due(IntEnum):
    """What a run has to do between two steps."""

    NOTHING = 0
    SAVE = 1
    LEAVE = 2


class Pauses:
    """A run's clock. It is monotonic: a machine's time of day may jump."""

    def __init__(
        self,
        save_seconds: float = SAVE_SECONDS,
        limit_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start it.

        Args:
            save_seconds: between checkpoints within an epoch.
            limit_seconds: the job's time limit, from now; None: there is none.
            clock: seconds.
        """
        self._clock, self.save_seconds = clock, save_seconds
        self._saved = clock()
        self._end, self._leave = None, None
        if limit_seconds is not None:
            self._end = self._saved + limit_seconds
            self._leave = self._end - min(MARGIN_SECONDS, MARGIN_SHARE * limit_seconds)

    def must_leave(self) -> bool:
        """Whether the time limit is near."""
        return self._leave is not None and self._clock() >= self._leave

    def due(self) -> Due:
        """What a run has to do now: save where its last checkpoint is old, leave where its time limit is near."""
        if self.must_leave():
            return Due.LEAVE
        return Due.SAVE if self._clock() - self._saved >= self.save_seconds else Due.NOTHING

    def minutes_left(self) -> float | None:
        """Of the time limit; None: there is none."""
        return None if self._end is None else max(0.0, self._end - self._clock()) / 60

    def saved(self) -> None:
        """Note that a checkpoint was written."""
        self._saved = self._clock()


def pauses_of_a_job(runtime_minutes: float) -> Pauses:
    """Of a job that begins now; only a scheduler holds it to its runtime, or to less where a partition allows less."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return Pauses()
    left = seconds_left(job)
    return Pauses(limit_seconds=60 * runtime_minutes if left is None else min(60 * runtime_minutes, left))
