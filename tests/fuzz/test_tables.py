"""Text tables, whole or broken: a table with every row, or one line that says what is wrong."""

import csv
import gzip
import io
import re

from helpers.fuzz import examples, one_line
from hypothesis import given
from hypothesis import strategies as st

from debatch.text_table import columns_of_numbers, open_table, read_columns, read_text_table

INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
# what tells one reader of CSV from another
ODD = st.sampled_from(
    [
        *(
            '"',
            '""',
            ",",
            ";",
            "\t",
            "\n",
            "\r\n",
            "\r",
            "\0",
            "\ufeff",
            " ",
            "\u2028",
            "\x85",
            "\x0c",
            "\x1c",
            "\u00a0",
            "'",
        ),
        *(
            "NA",
            "nan",
            "1,5",
            "1.5",
            "-1e-3",
            "inf",
            "0x10",
            "1_0",
            "\u0661",
            "#",
            "=1",
            "\u00e4",
            "a\u0308",
            "\U0001f9ea",
        ),
    ]
)
CELLS = st.text(max_size=6) | ODD | st.lists(ODD, max_size=4).map("".join)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters=',;\t"'), max_size=6)


def trimmed(cell):
    return cell.strip().strip(INVISIBLE).strip()


def as_lists(frame):
    frame = frame.astype("object")
    return frame.where(frame.notna(), None).to_numpy().tolist()


def with_point(cell):
    return cell.replace(",", ".") if re.fullmatch(r"[-+]?[0-9]+,[0-9]+([eE][-+]?[0-9]+)?", cell) else cell


def strictly(text, separator):
    """Rows of CSV as it is written; None where a mark that is out of place joins lines."""
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
    names = map(trimmed, rows[0])
    if any("\n" in cell or "\r" in cell for cell in (*names, *(cell for row in rows[1:] for cell in row))):
        try:
            list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
        except csv.Error:
            return None
    return rows


def encoded(text, encoding):
    return text.encode(encoding, "replace")


@st.composite
def tables(draw):
    """Rows of cells, all of the header's length, the header first."""
    header = draw(st.lists(NAMES.filter(trimmed), min_size=1, max_size=5, unique_by=trimmed))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(header), max_size=len(header)), max_size=8))
    return [header, *rows]


@st.composite
def broken_files(draw):
    """A table as the csv module writes it, with something done to its text and to its bytes."""
    rows = draw(tables())
    for _ in range(draw(st.integers(0, 2))):  # ragged rows, names that stand twice or are blank, blank lines
        at = draw(st.integers(0, len(rows) - 1))
        row = rows[at]
        rows[at] = draw(st.sampled_from([row[:-1], [*row, ""], [*row, "x"], row[:1] * len(row), [""] * len(row), []]))
    text = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r", ",\n", ";\n", "\n\n"]))
    csv.writer(text, delimiter=draw(st.sampled_from(",\t;")), quoting=quoting, lineterminator=ending).writerows(rows)
    content = text.getvalue()
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        content = content[:start] + draw(ODD) + content[start + draw(st.integers(0, 3)) :]
    content = encoded(content, draw(ENCODINGS))
    if draw(st.booleans()):
        content = gzip.compress(content)
    if draw(st.booleans()):
        content = content[: draw(st.integers(0, len(content)))]
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        start = draw(st.integers(0, len(content)))
        content = content[:start] + draw(st.binary(max_size=2)) + content[start + draw(st.integers(0, 2)) :]
    return content


def rows_of(table):
    """(header, rows) by the csv module: another reader of the same text."""
    raw = table.file.read_bytes()
    text = (gzip.decompress(raw) if table.packed else raw).decode(
        {"utf-8": "utf-8-sig"}.get(table.encoding, table.encoding)
    )
    rows = strictly(text, table.separator)
    assert rows is not None, "a mark that nothing closes took lines for one cell"
    return rows[0], rows[1:]


def check(path):
    found = one_line(read_text_table, path, "metadata.file")
    if found is None:
        one_line(open_table, path, "metadata.file")
        return
    table = open_table(path, "metadata.file")
    header, rows = rows_of(table)
    named = [at for at, name in enumerate(header) if trimmed(name)]
    assert list(found.columns) == [trimmed(header[at]) for at in named]
    expected = [[trimmed(row[at]) or None for at in named] for row in rows]
    if table.decimal == ".":
        assert as_lists(found) == [row for row in expected if any(row)]
    else:
        assert len(found) == sum(map(any, expected))
    numbers = [name for name in table.columns if name in columns_of_numbers(table)]
    read = one_line(read_columns, table, [name for name in found.columns if name not in numbers], numbers)
    if read is not None:
        texts, values = read
        assert values.shape[1] == len(numbers)
        assert len(texts) == len(values) or not texts.shape[1]


@examples(0.04)
@given(content=st.binary(max_size=200))
def test_no_bytes_end_in_anything_but_a_table_or_one_line(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    check(path)


@examples(0.15)
@given(content=broken_files())
def test_no_broken_table_loses_a_row_in_silence(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    check(path)


@examples(0.15)
@given(
    rows=tables(),
    separator=st.sampled_from([",", "\t", ";"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    # with another ending the csv module leaves some line ends within cells unquoted
    written=st.sampled_from([(csv.QUOTE_MINIMAL, "\r\n"), *((csv.QUOTE_ALL, end) for end in ("\n", "\r\n", "\r"))]),
    packed=st.booleans(),
    chosen=st.randoms(use_true_random=False),
)
def test_what_is_written_as_csv_is_read_row_for_row(tmp_path, rows, separator, encoding, written, packed, chosen):
    rows = [[cell.replace("\0", "").encode("utf-8", "ignore").decode() for cell in row] for row in rows]
    separator = separator if len(rows[0]) > 1 else ","  # nothing tells another one
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=written[0], lineterminator=written[1]).writerows(rows)
    content = text.getvalue().encode(encoding)
    half = len(content) // 2
    path = tmp_path / "a.csv"
    path.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]) if packed else content)
    header = [trimmed(name) for name in rows[0]]
    expected = [[trimmed(cell) or None for cell in row] for row in rows[1:]]
    if open_table(path, "metadata.file").decimal == ",":
        expected = [[cell and with_point(cell) for cell in row] for row in expected]
    found = read_text_table(path, "metadata.file")
    assert list(found.columns) == header
    assert as_lists(found) == [row for row in expected if any(row)]
    some = chosen.sample(header, chosen.randint(0, len(header)))
    own = read_text_table(path, "metadata.file", some)
    assert list(own.columns) == some
    if some:
        at = [header.index(name) for name in some]
        assert as_lists(own) == [row for row in ([row[i] for i in at] for row in expected) if any(row)]
    else:
        assert len(own) == len(found)
