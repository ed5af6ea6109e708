"""Well names: one spelling for each well, so that files and metadata meet."""

import re
from functools import cache

from debatch.config.screen import PlateFormat

_NAME = re.compile(r"([A-Z]{1,2})0*([0-9]{1,2})")


class WellNameError(ValueError):
    """A name that is no well of the plate; the message says why."""


@cache
def well_name(text: str, plate: PlateFormat) -> str:
    """`b2`, `B2` or `B02` as `B02`.

    Raises:
        WellNameError: not a row letter and a column number, or beyond the plate.
    """
    match = _NAME.fullmatch(text.strip().upper())
    if match is None:
        raise WellNameError(f"well {text!r} is not a row letter and a column number, as in B02")
    return well_at(row_number(match[1]), int(match[2]), plate)


def well_at(row: int, column: int, plate: PlateFormat) -> str:
    """The well in a row and column, both counted from 1.

    Raises:
        WellNameError: beyond the plate.
    """
    if not (1 <= row <= plate.rows and 1 <= column <= plate.columns):
        name = f"{row_letters(row)}{column:02d}" if row > 0 else f"in row {row}, column {column}"
        raise WellNameError(
            f"well {name} is beyond a plate of rows A to {row_letters(plate.rows)} and columns 1 to {plate.columns}; "
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
