"""A bar on a terminal: what runs, how far it is, how long it will take; above it what a person must know."""

import logging
import os
import sys
import threading
import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from snakemake_logger_plugin_debatch.captured import Captured
from snakemake_logger_plugin_debatch.words import time_left
from snakemake_logger_plugin_debatch.work import Work

SECONDS_BETWEEN = 0.5
JOBS_SHOWN = 4
WIDEST_BAR, NARROWEST_BAR = 40, 10
# as jobs begin theirs: workflow/scripts/script.py
WARNING = "Warning of "
STYLES = {logging.WARNING: "yellow", logging.ERROR: "red"}


class Bar:
    """Draws on the terminal of stderr. What jobs write would tear it, and comes to stand above it instead."""

    def __init__(self) -> None:
        self._work: Work | None = None
        self._ended = threading.Event()
        self._drop = False
        self._warned: set[str] = set()
        self._furthest = 0.0
        # a way to the terminal that stays when stderr itself is taken for what jobs write
        stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors="replace")
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(
            console=self._console,
            get_renderable=self._picture,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._captured = Captured()

    def begin(self, work: Work, lock: threading.RLock) -> None:
        """Draw, and go on drawing."""
        self._work = work
        self._captured.start()
        self._live.start(refresh=True)
        threading.Thread(target=self._redraw, args=[lock], daemon=True).start()

    def started(self) -> None:
        """The picture says it."""
        self._live.refresh()

    def finished(self, *_: object) -> None:
        """The picture says it."""
        self._live.refresh()

    def stopping(self) -> None:
        """Show nothing more of what jobs write: the traces of their being ended."""
        self._drop = True

    def say(self, text: str, level: int) -> None:
        """Print above the bar."""
        # what a job wrote before it failed stands before its failure
        self._show_captured(whole=True)
        self._console.print(Text(text, style=STYLES.get(level, "")), soft_wrap=True)

    def close(self) -> None:
        """Take the bar away and give stderr back."""
        self._ended.set()
        if self._work is not None:
            self._show_captured(whole=False)
            self._live.stop()
            self._captured.stop()

    def _redraw(self, lock: threading.RLock) -> None:
        while not self._ended.wait(SECONDS_BETWEEN):
            with lock:
                if not self._ended.is_set():
                    self._show_captured(whole=True)
                    self._live.refresh()

    def _show_captured(self, whole: bool) -> None:
        for line in self._captured.lines(whole):
            # `Warning of <a job>: …`: what another job has said already is in this one's log
            _, of_a_job, warning = line.partition(": ") if line.startswith(WARNING) else ("", "", "")
            if self._drop or (of_a_job and warning in self._warned):
                continue
            self._warned.add(warning)
            self._console.print(Text(line, style=STYLES[logging.WARNING] if of_a_job else ""), soft_wrap=True)

    def _picture(self) -> RenderableType:
        work, now = self._work, time.time()
        if work is None:
            return Text("")
        # what is learnt of the jobs' durations must not draw the bar back
        self._furthest = max(self._furthest, work.share(now))
        told = [f"{work.done} of {work.all} jobs", _clock(now - work.started), time_left(work.seconds_left(now))]
        beside = "   ".join(part for part in told if part)
        room = self._console.width - len(beside) - 2
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1, completed=self._furthest, width=max(NARROWEST_BAR, min(WIDEST_BAR, room)))
        line.add_row(bar, Text(beside, no_wrap=True, overflow="ellipsis"))
        running = [job for job in work.running.values() if job.makes_files]
        jobs = []
        for job in running[:JOBS_SHOWN]:
            said = work.progress(job)
            jobs.append(f"{job.words}{f' ({said})' if said else ''}")
        if len(running) > JOBS_SHOWN:
            jobs.append(f"and {len(running) - JOBS_SHOWN} more {'submitted' if work.on_cluster else 'running'}")
        return Group(line, *(Text(f"  {job}", style="dim", no_wrap=True, overflow="ellipsis") for job in jobs))


def _clock(seconds: float) -> str:
    """As in `2:10`, `1:02:10`."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
