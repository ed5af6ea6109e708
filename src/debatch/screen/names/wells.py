"""Well names: one spelling for each well, so that files and metadata meet."""

import re
from functools import cache

from debatch.config.screen import PlateFormat

# three digits at most: W0013 is a well by its number on some instruments, and not column 13 of row W
_NAME = re.compile(r"([A-Z]{1,2})(?=[0-9]{1,3}$)0?([0-9]{1,2})")
_BY_NUMBER = re.compile(r"[A-Z]{0,2}[0-9]+")
_NUMBER = re.compile(r"([0-9]+)(?:\.0+)?")


class WellNameError(ValueError):
    """A name that is no well of the plate; the message says why."""


@cache
def well_name(text: str, plate: PlateFormat) -> str:
    """`b2`, `B2` or `B02` as `B02`.

    Raises:
        WellNameError: not a row letter and a column number, or beyond the plate.
    """
    name = text.strip().upper()
    match = _NAME.fullmatch(name)
    if match is None:
        if _BY_NUMBER.fullmatch(name):
            cure = "; a well by its number is read from file names by {well:d}"
        elif _NAME.match(name.split(".")[0]):
            cure = "; if more stands behind it, `{well:3}` reads a part of a file name, and `derive:` one of a column"
        else:
            cure = ""
        raise WellNameError(f"well {text!r} is not a row letter and a column number, as in B02{cure}")
    return well_at(row_number(match[1]), int(match[2]), plate)


def well_of_number(number: int, plate: PlateFormat) -> str:
    """The well by its number, counted from 1 along row A, then row B, as some instruments do.

    Raises:
        WellNameError: beyond the plate, or the screen does not say how many columns a plate has.
    """
    if plate.columns is None:
        raise WellNameError(
            "a well by its number needs the plate's columns; state `plate_format`, as {rows: 16, columns: 24}"
        )
    return well_at((number - 1) // plate.columns + 1, (number - 1) % plate.columns + 1, plate)


def plain_number(text: str) -> str:
    """`01` and `1.0` as `1`: a plate or site is a number where it looks like one, so that files and metadata meet."""
    match = _NUMBER.fullmatch(text)
    return str(int(match[1])) if match else text


def well_at(row: int, column: int, plate: PlateFormat) -> str:
    """The well in a row and column, both counted from 1.

    Raises:
        WellNameError: beyond the plate.
    """
    rows, columns = plate.last
    if not (1 <= row <= rows and 1 <= column <= columns):
        name = f"{row_letters(row)}{column:02d}" if row > 0 else f"in row {row}, column {column}"
        raise WellNameError(
            f"well {name} is beyond a plate of rows A to {row_letters(rows)} and columns 1 to {columns}; "
            "see `plate_format`"
        )
    return f"{row_letters(row)}{column:02d}"


def row_number(letters: str) -> int:
    """`A` as 1, `AA` as 27."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def row_letters(number: int) -> str:
    """1 as `A`, 27 as `AA`."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def row_and_column(well: str) -> tuple[int, int]:
    """Row and column, both from 1, of a well as `well_name` spells it."""
    match = _NAME.fullmatch(well)
    assert match is not None, well
    return row_number(match[1]), int(match[2])
