"""When a run saves on its way, and when it leaves: before the time limit that would kill it."""

import os
import time
from collections.abc import Callable

from debatch.errors import UserError

SAVE_SECONDS = 600.0
# left of the time limit for the last checkpoint and for what a scheduler needs
MARGIN_SECONDS = 300.0
MARGIN_SHARE = 0.1


class OutOfTimeError(UserError):
    """A run left before its time limit; the same job goes on from its checkpoint."""


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
        self._leave = None
        if limit_seconds is not None:
            self._leave = self._saved + limit_seconds - min(MARGIN_SECONDS, MARGIN_SHARE * limit_seconds)

    def must_leave(self) -> bool:
        """Whether the time limit is near."""
        return self._leave is not None and self._clock() >= self._leave

    def must_save(self) -> bool:
        """Whether the last checkpoint is old, or the time limit near."""
        return self.must_leave() or self._clock() - self._saved >= self.save_seconds

    def saved(self) -> None:
        """Note that a checkpoint was written."""
        self._saved = self._clock()


def pauses_of_a_job(runtime_minutes: float) -> Pauses:
    """Of a job whose runtime begins now; only a scheduler holds a job to it."""
    return Pauses(limit_seconds=60 * runtime_minutes if "SLURM_JOB_ID" in os.environ else None)
