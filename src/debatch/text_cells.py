"""Cells of tables as text: numbers that are one whatever they are written like."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pandas as pd

# of a name: with a point or a signed exponent, and no zero before it: 007 and 2310009E13 are codes
NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+][0-9]+)"
_WHOLE_NUMBER = re.compile(NUMBER)
DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+([eE][-+]?[0-9]+)?")


def plain(name: str) -> str:
    """A name in which a decimal number has one spelling: 3.000000 is 3, and 1e-05 is 0.00001; any other is as it is."""
    return number_spelling(name) if _WHOLE_NUMBER.fullmatch(name) else name


def number_spelling(number: str) -> str:
    """A number that fits `NUMBER`, without an exponent and without closing zeros."""
    value = Decimal(number).normalize()
    return f"{value:f}" if -12 <= value.adjusted() <= 18 else str(value)


def is_one_of(cells: pd.Series, values: Iterable[object]) -> pd.Series:
    """(N,) bool: which cells of a column are one of some values; numbers are compared as numbers."""
    return cells.map(plain, na_action="ignore").isin([plain(str(value)) for value in values])


def each_text(values: pd.Series, change: Callable[[Any], str | None]) -> pd.Series:
    """Values that are there as another text; a column without any stays one of text, and is not taken for numbers."""
    return values.map(change, na_action="ignore").astype("str")


def is_number(cell: str, decimal: str) -> bool:
    """Whether a cell is a number, with that sign before its decimals."""
    if "_" in cell:  # Python's own way to write a number
        return False
    try:
        float(cell.replace(",", ".") if decimal == "," else cell)
    except ValueError:
        return False
    return True


def with_point(cell: str) -> str:
    """A number with decimals behind a comma as one with a point; any other cell as it is."""
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell
