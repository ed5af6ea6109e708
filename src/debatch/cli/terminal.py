"""Calm tables in a terminal; whole lines without colours where the output is piped."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

# of a pipe: no column may be cut
WIDE = 400
Lines = list[str | Table]
INDENT = 2


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
        collapse_padding=True,
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


def values_table(rows: Sequence[Mapping[Any, object]]) -> Table:
    """A table of values; columns that hold nothing but numbers stand to the right.

    Args:
        rows: heading -> value, with the same headings in every row.
    """
    cells = [[f"{v:,}" if isinstance(v, int) else str(v) for v in row.values()] for row in rows]
    columns = list(map(str, rows[0]))
    numbers = [name for at, name in enumerate(columns) if all(_is_number(row[at]) for row in cells)]
    return table("", columns, cells, numbers)


def show(out: Console, lines: Lines) -> None:
    """Print lines and tables one below the other, tables with an indent; what a terminal wraps keeps its indent."""
    for line in lines:
        if isinstance(line, Table):
            if out.measure(line, options=out.options.update(width=WIDE)).maximum > out.width - INDENT:
                for column in line.columns:  # rich would break words before it breaks headings between them
                    column.header = str(column.header).replace(" ", "\n")
            out.print(Padding(line, (0, 0, 0, INDENT), expand=False))
        elif out.is_terminal and line.startswith(" "):
            text = line.lstrip(" ")
            out.print(Padding(Text(text), (0, 0, 0, len(line) - len(text)), expand=False))
        else:
            out.print(Text(line), soft_wrap=not out.is_terminal)


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


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[\d.,+-]+( %)?", text))


def _three(value: float) -> str:
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    if value < 0.001:
        return "< 0.001"
    digits = 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"
