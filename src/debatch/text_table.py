"""CSV tables as people keep them: comma, tab or semicolon, packed or not, in UTF-8 or UTF-16; text stays text."""

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.csv

from debatch.errors import DataError
from debatch.pointers import pointer_problem
from debatch.text_cells import DECIMAL_COMMA, is_number, with_point

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}
# what an empty cell may hold among numbers
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A", "<NA>")
_GZIP, _ZIP, _OLE = b"\x1f\x8b", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
# no blanks by Unicode, and yet nothing that a reader sees
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_HEAD_ROWS = 300
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])")
_LONGEST_ROW = 4 << 20
# what the standard library raises of a file that cannot be read or unpacked
_BROKEN = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class Table:
    """How a table is written.

    Attributes:
        file: it.
        columns: their names in order; empty where one has none.
        encoding: `utf-8` or `utf-16`.
        separator: between fields.
        decimal: sign before the decimals of numbers.
        packed: whether it is compressed by gzip.
        closed: whether every row ends with a separator that the header lacks.
        header_lines: how many lines the header takes.
    """

    file: Path
    columns: tuple[str, ...]
    encoding: str
    separator: str
    decimal: str
    packed: bool
    closed: bool
    header_lines: int

    @property
    def words(self) -> str:
        """What is unusual about it, as in `fields parted by tabs`; empty for a plain CSV file in UTF-8."""
        found = [f"fields parted by {SEPARATORS[self.separator]}"] if self.separator != "," else []
        found += ["decimals behind a comma"] if self.decimal == "," else []
        found += ["in UTF-16"] if self.encoding != "utf-8" else []
        return ", ".join(found)


def read_text_table(file: Path | str, key: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table of text: a siRNA named NA, a plate named 01 and a mixed column all survive.

    Blanks around a name or a cell are no part of it; an empty cell is missing; a row of empty cells is none.

    Args:
        file: see `open_table`.
        key: of the screen's configuration that names it, for messages.
        columns: only these, and without any the rows alone; None: all.

    Returns:
        Indexed by where a row stands in the file, from 0.

    Raises:
        DataError: as `open_table`; rows with fewer or more fields than the header; a column without a name that
            holds something.
    """
    table = open_table(file, key)
    # without any, how many rows there are is asked: all columns say which are empty
    read = read_columns(table, columns or [name for name in table.columns if name], [])[0]
    return read if columns is None else read[list(dict.fromkeys(columns))]


def open_table(file: Path | str, key: str) -> Table:
    """Find out how a table is written.

    Args:
        file: CSV, TSV or the like; its first bytes say whether it is packed and how it is encoded, not its name.
        key: of the screen's configuration that names it, for messages.

    Raises:
        DataError: no such file, no text, or text in an encoding that does not say which it is; no header; a name twice.
    """
    path = Path(file)
    try:
        with path.open("rb") as opened:
            start = opened.read(4)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; see `{key}` in the screen") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); see `{key}` in the screen") from None
    if problem := pointer_problem(path):
        raise DataError(f"{file}: {problem}")
    if start in (_ZIP, _OLE):
        raise DataError(f"{file}: not text but a workbook or an archive; save it as 'CSV UTF-8'")
    packed = start.startswith(_GZIP)
    rows, encoding, separator, header_lines = _head(path, packed)
    header = [_trimmed(name) for name in rows[0]]
    if not any(header):
        raise DataError(f"{file}: cannot be read as a table: its first line names no column")
    closed = len(rows) > 1 and len(rows[1]) == len(header) + 1 and not rows[1][-1].strip()
    if len(rows) > 1 and len(rows[1]) > len(header) and not closed:
        raise DataError(
            f"{file}, line {1 + header_lines}: {len(rows[1])} fields where the header names {len(header)}; a table "
            "with names of rows needs a name for their column too (R: `row.names = FALSE`)"
        )
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise DataError(f"{file}: {header.count(twice[0])} columns are called {twice[0]!r}; give each its own name")
    commas = separator == ";" and any(DECIMAL_COMMA.fullmatch(cell.strip()) for row in rows[1:] for cell in row)
    return Table(path, tuple(header), encoding, separator, "," if commas else ".", packed, closed, header_lines)


def read_columns(table: Table, texts: Sequence[str], numbers: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Some columns of a table.

    Args:
        table: as opened.
        texts: columns that are read as text.
        numbers: columns that are read as numbers.

    Returns:
        The texts, as `read_text_table` has them; and the numbers (N, D) float64; NaN where a cell is empty or says so.

    Raises:
        DataError: rows that do not fit the header, a word among numbers, a broken file.
    """
    try:
        read = _read(table, dict.fromkeys(texts, pyarrow.string()) | dict.fromkeys(numbers, pyarrow.float64()))
    except _BadNumberError:
        read = _numbers_one_by_one(table, texts, numbers)
    values = pd.DataFrame({name: _trimmed_column(read[name]) for name in texts})
    found = np.column_stack([read[name].to_numpy() for name in numbers]) if numbers else np.empty((len(read), 0))
    if texts and not numbers:
        filled = values.notna().any(axis=1).to_numpy()
        values, found = values[filled], found[filled]
    if table.decimal == ",":
        values = values.map(with_point, na_action="ignore")
    return values, found


def columns_of_numbers(table: Table) -> set[str]:
    """The columns whose first rows hold numbers alone, and one at least."""
    head = _first_rows(table)
    numbers = set()
    for at, name in enumerate(table.columns):
        cells = [row[at].strip() for row in head if at < len(row) and row[at].strip() not in MISSING]
        if name and cells and all(is_number(cell, table.decimal) for cell in cells):
            numbers.add(name)
    return numbers


def trimmed(values: pd.Series) -> pd.Series:
    """Text without the blanks around it; what is empty then is missing."""
    return _trimmed_column(pyarrow.chunked_array([pyarrow.array(values, pyarrow.string())])).set_axis(values.index)


class _BadNumberError(Exception):
    """A word stands where numbers are expected."""


def _head(path: Path, packed: bool) -> tuple[list[list[str]], str, str, int]:
    """The header and the first rows, encoding, separator, and how many lines the header takes."""
    try:
        with gzip.open(path) if packed else path.open("rb") as opened:
            start = opened.read(4)
            opened.seek(0)
            encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
            text = _as_text(opened, encoding)
            first = text.readline()
            if "\0" in first:
                raise DataError(f"{path}: no text that says its encoding; save it as 'CSV UTF-8'")
            # Excel's own first line
            stated, above = _SEPARATOR_LINE.fullmatch(first.strip("\r\n")), 0
            if stated:
                first, above = text.readline(), 1
            counted = max(SEPARATORS, key=lambda sign: _outside_quotes(first).count(sign))
            separator = stated[1] if stated else counted
            reader = csv.reader(_again(first, text), delimiter=separator)
            header = next(reader, [])
            lines = reader.line_num + above
            rows = [row for row, _ in zip(reader, range(_HEAD_ROWS), strict=False) if row]
    except UnicodeDecodeError as error:
        raise DataError(_not_utf8(path, error)) from None
    except (*_BROKEN, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table: {error}") from None
    return [header, *rows], encoding, separator, lines


def _first_rows(table: Table) -> list[list[str]]:
    return _head(table.file, table.packed)[0][1:]


def _as_text(opened: gzip.GzipFile | io.BufferedReader, encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    return io.TextIOWrapper(opened, {"utf-8": "utf-8-sig"}.get(encoding, encoding), errors, newline="")


def _again(first: str, rest: io.TextIOWrapper) -> Any:
    yield first
    yield from rest


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _not_utf8(file: Path, error: UnicodeDecodeError) -> str:
    if error.encoding != "utf-8":
        return f"{file}: cannot be read as a table: it begins as UTF-16 and is none ({error.reason})"
    return (
        f"{file}: the byte 0x{error.object[error.start]:02x} is no UTF-8 ({error.reason}); save it as 'CSV UTF-8', "
        "since nothing says which other encoding it is in"
    )


def _read(table: Table, kinds: dict[str, pyarrow.DataType]) -> pyarrow.Table:
    """Columns by name, with what else there is looked at: rows that do not fit, and columns without a name."""
    names = [name or f"\0{at}" for at, name in enumerate(table.columns)]
    blank = [name for name in names if name.startswith("\0")]
    if table.closed:
        names.append("\0closing")
        blank.append("\0closing")
    # a table that pandas wrote with its row numbers: the first column has no name
    checked = [name for name in blank if name != "\0" + "0"]
    misfits: list[pyarrow.csv.InvalidRow] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        misfits.append(row)
        return "skip"

    try:
        with pyarrow.input_stream(str(table.file), compression="gzip" if table.packed else None) as stream:
            read = pyarrow.csv.read_csv(
                stream,
                pyarrow.csv.ReadOptions(
                    use_threads=False,
                    column_names=names,
                    skip_rows=table.header_lines,
                    encoding=table.encoding,
                    block_size=_LONGEST_ROW,
                ),
                pyarrow.csv.ParseOptions(delimiter=table.separator, newlines_in_values=True, invalid_row_handler=note),
                pyarrow.csv.ConvertOptions(
                    column_types={**kinds, **dict.fromkeys(checked, pyarrow.string())},
                    include_columns=[*kinds, *checked],
                    null_values=list(MISSING),
                    strings_can_be_null=False,
                    decimal_point=table.decimal,
                ),
            )
    except pyarrow.ArrowInvalid as error:
        if "conversion error to double" in str(error):
            raise _BadNumberError from None
        if "straddling" in str(error):
            raise DataError(
                f"{table.file}: cannot be read as a table: a row of more than {_LONGEST_ROW >> 20} MB; a quotation "
                "mark that nothing closes takes all lines below it for one cell"
            ) from None
        if "Empty CSV" in str(error) or "Could not skip" in str(error):
            return pyarrow.table({name: pyarrow.array([], kind) for name, kind in kinds.items()})
        if "UTF8" in str(error):
            raise DataError(_not_utf8(table.file, _first_bad_byte(table))) from None
        raise DataError(f"{table.file}: cannot be read as a table: {error}") from None
    except (OSError, EOFError, UnicodeError) as error:
        raise DataError(f"{table.file}: cannot be read as a table: {error}") from None
    if misfits:
        raise DataError(_misfit_rows(table, misfits))
    for name in checked:
        filled = np.flatnonzero(_trimmed_column(read[name]).notna())
        if len(filled):
            at, row = names.index(name) + 1, int(filled[0])
            raise DataError(
                f"{table.file}, line {row + 1 + table.header_lines}: column {at} has no name, and holds "
                f"{read[name][row].as_py()!r}; name it in the header"
            )
    _refuse_open_quote(table, read)
    return read


def _refuse_open_quote(table: Table, read: pyarrow.Table) -> None:
    """A quotation mark that nothing closes would take rows below it for one cell, to the next mark or to the end."""
    texts = [read[name] for name in read.column_names if read[name].type == pyarrow.string()]
    if any(_has_line_ends(column) for column in texts) or _has_line_ends(pyarrow.array(table.columns)):
        _refuse_open_quotes_of(table)


def _has_line_ends(column: pyarrow.ChunkedArray | pyarrow.Array) -> bool:
    return bool(pyarrow.compute.any(pyarrow.compute.match_substring_regex(column, "[\r\n]")).as_py())


def _refuse_open_quotes_of(table: Table) -> None:
    """Read a table as strictly as CSV is written: behind a mark that closes a cell stands nothing more of it."""
    last = 0
    try:
        with gzip.open(table.file) if table.packed else table.file.open("rb") as opened:
            # a column that is not read may hold bytes of any encoding
            text = _as_text(opened, table.encoding, errors="replace")
            reader = csv.reader(text, delimiter=table.separator, strict=True)
            for _ in reader:
                last = reader.line_num
    except csv.Error:
        raise DataError(
            f"{table.file}, line {last + 1}: a quotation mark opens there and nothing closes it, so that lines below "
            "are taken for one cell; close it, or double those that are part of a cell"
        ) from None
    except _BROKEN as error:
        raise DataError(f"{table.file}: cannot be read as a table: {error}") from None


def _misfit_rows(table: Table, rows: list[pyarrow.csv.InvalidRow]) -> str:
    first = rows[0]
    more = f" ({len(rows)} such rows)" if len(rows) > 1 else ""
    start = first.text if len(first.text) <= 60 else first.text[:60] + "…"
    return (
        f"{table.file}, line {first.number}: {first.actual_columns} fields where the header names "
        f"{len(table.columns)}{more}, in {start!r}; mend the file, which may have been cut off"
    )


def _first_bad_byte(table: Table) -> UnicodeDecodeError:
    try:
        b"".join(_blocks(table)).decode("utf-8")
    except UnicodeDecodeError as error:
        return error
    raise AssertionError("it was said to hold one")


def _blocks(table: Table) -> Iterator[bytes]:
    try:
        with gzip.open(table.file) if table.packed else table.file.open("rb") as opened:
            yield from iter(lambda: opened.read(1 << 20), b"")
    except _BROKEN as error:
        raise DataError(f"{table.file}: cannot be read as a table: {error}") from None


def _numbers_one_by_one(table: Table, texts: Sequence[str], numbers: Sequence[str]) -> pyarrow.Table:
    """As `_read`, where a cell among numbers is none at first sight: find out which, or read it all the same."""
    read = _read(table, dict.fromkeys([*texts, *numbers], pyarrow.string()))
    words = []
    for name in numbers:
        cells = [cell.strip() for cell in read[name].to_pylist()]
        odd = next(
            (row for row, cell in enumerate(cells) if cell not in MISSING and not is_number(cell, table.decimal)), None
        )
        if odd is not None:
            words.append((name, odd, cells[odd]))
            continue
        values = [float("nan") if cell in MISSING else float(cell.replace(",", ".")) for cell in cells]
        read = read.set_column(read.column_names.index(name), name, pyarrow.chunked_array([pyarrow.array(values)]))
    if words:
        name, row, word = words[0]
        more = f" ({len(words)} such columns)" if len(words) > 1 else ""
        raise DataError(
            f"{table.file}, line {row + 1 + table.header_lines}: the column {name!r} holds {word!r}, which is no "
            f"number, and is taken for a feature{more}; call it Metadata_…, say which are features by `features`, "
            "or mend the cell"
        )
    return read


def _trimmed(text: str) -> str:
    return text.strip().strip(_INVISIBLE).strip()


def _trimmed_column(column: pyarrow.ChunkedArray) -> pd.Series:
    compute = pyarrow.compute
    trimmed = compute.utf8_trim_whitespace(compute.utf8_trim(compute.utf8_trim_whitespace(column), _INVISIBLE))
    filled = compute.if_else(compute.equal(trimmed, ""), pyarrow.scalar(None, pyarrow.string()), trimmed)
    return pd.Series(filled.to_pandas(), dtype="str")
