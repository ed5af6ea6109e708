"""`snakemake --logger debatch`: what is being done, how far it is and how long it will take.

Snakemake finds this package by its name and imports it in every call, also without `--logger`: it must stay light.
"""

import logging
import os
import sys

from snakemake_interface_logger_plugins.base import LogHandlerBase

from snakemake_logger_plugin_debatch.events import Reporter
from snakemake_logger_plugin_debatch.plain import Lines

# what workflow/scripts/script.py asks for: jobs then say warnings alone, and their logs hold the rest
JOBS_SAY = ("DEBATCH_ON_TERMINAL", "warnings")


class LogHandler(LogHandlerBase):
    """A bar on a terminal, plain lines elsewhere; Snakemake's own words of a dry run and where they are asked for."""

    def __post_init__(self) -> None:
        """Choose how things are shown."""
        self._shown: logging.Handler | Reporter
        settings = self.common_settings
        quiet = {str(kind) for kind in settings.quiet or ()}
        if settings.dryrun or settings.verbose or settings.debug_dag or "all" in quiet:
            self._shown = _own_words(settings)
            return
        os.environ.setdefault(*JOBS_SAY)
        if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            from snakemake_logger_plugin_debatch.bar import Bar

            self._shown = Reporter(Bar(), settings.show_failed_logs)
        else:
            self._shown = Reporter(Lines(sys.stderr), settings.show_failed_logs)

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a record says."""
        try:
            self._shown.handle(record)
        except Exception:  # what shows the work must not end it
            self.handleError(record)

    def close(self) -> None:
        """Say how it ended; Snakemake calls this more than once."""
        self._shown.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's own handler."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake's own log file holds everything."""
        return False

    @property
    def has_filter(self) -> bool:
        """Everything is to reach it."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It writes its own words."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It does not."""
        return False


def _own_words(settings: object) -> logging.Handler:
    """What Snakemake writes without a plugin."""
    from snakemake.logging import (  # type: ignore[import-untyped]
        ColorizingTextHandler,
        DefaultFilter,
        DefaultFormatter,
    )

    said = {name: getattr(settings, name) for name in ("quiet", "debug_dag", "verbose", "dryrun", "printshellcmds")}
    handler = ColorizingTextHandler(
        nocolor=getattr(settings, "nocolor", False),
        stream=sys.stdout if getattr(settings, "stdout", False) else sys.stderr,
        formatter=DefaultFormatter(said["quiet"], getattr(settings, "show_failed_logs", False)),
    )
    handler.addFilter(DefaultFilter(**said))
    return handler
