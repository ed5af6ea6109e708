"""Snakemake's log records to what a person is told."""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_debatch import job_log
from snakemake_logger_plugin_debatch.words import duration, kind_of_rule
from snakemake_logger_plugin_debatch.work import Job, Work

LINES_OF_A_FAILED_LOG = 20
NOTHING_TO_DO = "Nothing to be done"
STOPPED_BY_USER = "Terminating processes on user request"
LOG_FILES = "Complete log(s): "
# said better by the job's own failure and by the last line
SAID_ELSEWHERE = (
    "returned non-zero exit status",
    "At least one job did not complete successfully",
    "Exiting because a job execution failed",
)


class Display(Protocol):
    """Where it is shown."""

    def begin(self, work: Work, lock: threading.RLock) -> None:
        """There is work; it changes only while the lock is held."""

    def started(self) -> None:
        """A job begins."""

    def finished(self, work: Work, job: Job, seconds: float) -> None:
        """A job has ended well."""

    def stopping(self) -> None:
        """What jobs write from now on is of their being ended."""

    def say(self, text: str, level: int) -> None:
        """Something that a person must know, of a level of `logging`."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Reporter:
    """Follows a call of Snakemake and tells a display what matters."""

    def __init__(self, display: Display, show_failed_logs: bool) -> None:
        self._display = display
        self._lines_of_log = LINES_OF_A_FAILED_LOG if show_failed_logs else 0
        self._lock = threading.RLock()
        self._work: Work | None = None
        self._on_cluster = False
        self._stopped = False
        self._closed = False
        self._log_file = ""
        # of a call that runs nothing, as `--unlock`, they are all that it says
        self._before: list[str] = []

    def handle(self, record: logging.LogRecord) -> None:
        """Take in one record."""
        event: LogEvent | None = getattr(record, "event", None)
        handlers: dict[LogEvent | None, Callable[[logging.LogRecord], None]] = {
            LogEvent.RESOURCES_INFO: self._resources,
            LogEvent.RUN_INFO: self._begin,
            LogEvent.JOB_INFO: self._job_starts,
            LogEvent.JOB_FINISHED: self._job_ends,
            LogEvent.JOB_ERROR: self._job_fails,
        }
        with self._lock:
            if not self._closed:
                handlers.get(event, self._message)(record)

    def close(self) -> None:
        """Say how it ended, once."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._display.close()
            if self._work is None:
                for line in self._before:
                    self._display.say(line, logging.INFO)
            else:
                self._display.say(*self._ending(self._work))

    def _resources(self, record: logging.LogRecord) -> None:
        self._on_cluster = self._on_cluster or hasattr(record, "nodes")

    def _begin(self, record: logging.LogRecord) -> None:
        if self._work is None:
            jobs: Counter[str] = Counter()
            for rule, count in record.__dict__["stats"].items():
                jobs[kind_of_rule(rule)] += count if rule != "total" else 0
            self._work = Work(+jobs, on_cluster=self._on_cluster)
            self._display.begin(self._work, self._lock)

    def _job_starts(self, record: logging.LogRecord) -> None:
        if self._work is not None:
            said = record.__dict__
            job = Job(
                rule=said["rule_name"],
                wildcards={name: str(value) for name, value in (said.get("wildcards") or {}).items()},
                log=tuple(said.get("log") or ()),
                makes_files=bool(said.get("output")),
                started=record.created,
            )
            self._work.start(said["jobid"], job)
            self._display.started()

    def _job_ends(self, record: logging.LogRecord) -> None:
        if self._work is not None:
            ended = self._work.finish(record.__dict__["job_id"], record.created)
            if ended is not None:
                self._display.finished(self._work, *ended)

    def _job_fails(self, record: logging.LogRecord) -> None:
        job = self._work.fail(record.__dict__["jobid"]) if self._work is not None else None
        if self._stopped:
            return
        said = record.__dict__
        lines = [f"Failed: {job.words if job else said['rule_name'].replace('_', ' ')}"]
        # of an executor, as SLURM's state of the job
        lines += [f"  {line}" for line in str(said.get("rule_msg") or "").splitlines()]
        for path in said.get("log") or ():
            last = job_log.last_lines(path, self._lines_of_log) if self._lines_of_log else []
            lines += [*(f"    {line}" for line in last), f"  Its log: {path}"] if os.path.exists(path) else []
        self._display.say("\n".join(lines), logging.ERROR)

    def _message(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text in {"", "None"} or any(part in text for part in SAID_ELSEWHERE):
            return
        if text.startswith(STOPPED_BY_USER):
            self._stopped = True
            self._display.stopping()
            self._display.say("Stopping: the running jobs are ended", logging.INFO)
        elif text.startswith(LOG_FILES):
            self._log_file = text.removeprefix(LOG_FILES)
        elif text.startswith(NOTHING_TO_DO):
            self._before = [text]
        elif record.levelno >= logging.WARNING:
            self._before = []
            if not self._stopped:
                self._display.say(text, record.levelno)
        elif self._work is None and getattr(record, "event", None) is None:
            self._before.append(text)

    def _ending(self, work: Work) -> tuple[str, int]:
        """The last line, and its level."""
        level = logging.INFO
        if self._stopped:
            said = f"Stopped: {work.done} of {work.all} jobs are done; the same command goes on from there"
        elif work.failed:
            level = logging.ERROR
            said = f"{len(work.failed)} of {work.all} jobs failed"
            waiting = work.all - work.done - len(work.failed)
            said += f", {waiting} more were not begun" if waiting else ""
        elif work.done < work.all:
            level = logging.ERROR
            said = f"{work.done} of {work.all} jobs are done"
        else:
            said = f"{work.all} jobs done in {duration(time.time() - work.started)}"
        return (f"{said}; log: {os.path.relpath(self._log_file)}" if self._log_file else said), level
