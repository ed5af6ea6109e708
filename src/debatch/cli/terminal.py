"""Calm tables in a terminal; whole lines without colours where the output is piped."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# of a pipe: no column may be cut
WIDE = 400


def console() -> Console:
    """Where a command prints."""
    if sys.stdout.isatty():
        return Console(markup=False, highlight=False)
    return Console(markup=False, highlight=False, width=WIDE, no_color=True)


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Iterable[str] = (),
    total: Sequence[str] | None = None,
) -> Table:
    """A table whose cells wrap and are never cut.

    Args:
        title: its heading.
        columns: headings, with units.
        rows: cells as they are shown.
        numbers: the columns that hold numbers.
        total: a last row, set apart.
    """
    made = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        header_style="bold",
        show_footer=total is not None,
        footer_style="bold",
    )
    right, shown = set(numbers), list(rows)
    for at, name in enumerate(columns):
        cells = [row[at] for row in [*shown, *([total] if total is not None else [])]]
        made.add_column(
            name,
            justify="right" if name in right else "left",
            overflow="fold",
            footer=total[at] if total is not None else "",
            # where a terminal is narrow words wrap, and no number is broken
            min_width=max(map(len, cells), default=0) if name in right else None,
        )
    for row in shown:
        made.add_row(*row)
    return made


def note(text: str) -> Text:
    """A line below a table."""
    return Text(text, style="dim")


def print_json(content: Any) -> None:
    """For scripts."""
    print(json.dumps(content, indent=1))


def duration(seconds: float | None) -> str:
    """Seconds as people say them: `45 s`, `12 min`, `5.4 h`, `3.2 days`; `unknown` where they are."""
    if seconds is None:
        return "unknown"
    for limit, unit, size in ((90, "s", 1), (5400, "min", 60), (48 * 3600, "h", 3600)):
        if seconds < limit:
            return f"{_three(seconds / size)} {unit}"
    return f"{_three(seconds / 86400)} days"


def hours(seconds: float | None) -> str:
    """Seconds as hours, to three digits."""
    return "unknown" if seconds is None else _three(seconds / 3600)


def gigabytes(size: float | None) -> str:
    """Bytes as GB (10^9), to three digits."""
    return "unknown" if size is None else _three(size / 1e9)


def count(number: float | None) -> str:
    """A number of things."""
    return "unknown" if number is None else f"{number:,.0f}"


def _three(value: float) -> str:
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    if value < 0.001:
        return "< 0.001"
    digits = 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"
