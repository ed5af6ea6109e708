import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debatch.errors import DataError
from debatch.pointers import pointer_problem
from debatch.text_table import columns_of_numbers, open_table, read_columns, read_text_table

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"


def written(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read(path, **options):
    return read_text_table(path, "metadata.file", **options)


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_separators_encodings_and_packing_are_found(tmp_path, separator, encoding, packed):
    text = f"well{separator}name\n A01 {separator}5 \u00b5M\nA02{separator}NA\n".encode(encoding)
    table = read(written(tmp_path / "A.CSV", gzip.compress(text) if packed else text))
    assert table.to_dict("list") == {"well": ["A01", "A02"], "name": ["5 \u00b5M", "NA"]}


CELLS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), max_size=8)


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8),
    st.sampled_from([",", "\t", ";"]),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_what_the_csv_module_writes_is_read_row_for_row(tmp_path_factory, rows, separator, encoding):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["one", "two", "three"], *rows])
    path = written(tmp_path_factory.mktemp("t") / "a.csv", text.getvalue(), encoding)
    invisible = "\u200b\u200c\u200d\u2060\ufeff"
    trimmed = [[cell.strip().strip(invisible).strip() or None for cell in row] for row in rows]
    found = read(path).astype("object")
    assert found.where(found.notna(), None).to_numpy().tolist() == [row for row in trimmed if any(row)]


def test_decimals_behind_a_comma_are_numbers_and_have_a_point_in_names(tmp_path):
    table = open_table(written(tmp_path / "a.csv", "dose;f0;f1\n0,5;1,25;3\n2;-1e-3;4\n"), "profiles")
    assert table.words == "fields parted by semicolons, decimals behind a comma"
    texts, numbers = read_columns(table, ["dose"], ["f0", "f1"])
    assert texts["dose"].tolist() == ["0.5", "2"]
    np.testing.assert_array_equal(numbers, [[1.25, 3], [-0.001, 4]])


def test_a_closing_separator_shifts_nothing(tmp_path):
    table = read(written(tmp_path / "a.csv", "plate,well\nP1,A01,\nP2,A02,\n"))
    assert table.to_dict("list") == {"plate": ["P1", "P2"], "well": ["A01", "A02"]}
    with pytest.raises(DataError, match="line 3: column 3 has no name, and holds 'x'"):
        read(written(tmp_path / "b.csv", "plate,well\nP1,A01,\nP2,A02,x\n"))


def test_row_numbers_of_pandas_are_passed_over_and_rows_of_blanks_are_none(tmp_path):
    table = read(written(tmp_path / "a.csv", ",plate,well,\n0,P1,A01,\n,,,\n\n1,P2,A02,\n"))
    assert table.to_dict("list") == {"plate": ["P1", "P2"], "well": ["A01", "A02"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("plate,well\nP1,A01\nP2\n", "line 3: 1 fields where the header names 2, in 'P2'"),
        ("plate,well\nP1,A01\nP2,A02,1,2\n", "line 3: 4 fields where the header names 2"),
        ("plate,well\nrow1,P1,A01\n", r"line 2: 3 fields where the header names 2.*row\.names"),
        ("plate,plate\nP1,A01\n", "2 columns are called 'plate'"),
        ('plate,well\nP1,"A01\nP2,A02\n', "a quotation mark opens there and nothing closes it|1 fields where"),
        ('well\nA01\n"A02\nA03\n', "a quotation mark opens there and nothing closes it"),
        (",,\n1,2,3\n", "its first line names no column"),
        (b"well,name\nA01,5 \xb5M\n", "the byte 0xb5 is no UTF-8.*save it as 'CSV UTF-8'"),
        ("well\nA01\n".encode("utf-16-le"), "no text that says its encoding"),
        (b"PK\x03\x04" + b"\0" * 40, "a workbook or an archive"),
        (POINTER, "`git lfs pull` fetches it"),
        (gzip.compress(b"plate,well\n" + b"P1,A01\n" * 90_000)[:-30], "cannot be read as a table"),
        (b"\x1f\x8b\x08", "cannot be read as a table"),
    ],
)
def test_what_cannot_be_read_says_what_and_where(tmp_path, content, message):
    path = written(tmp_path / "a.csv", content)
    with pytest.raises(DataError, match=message) as raised:
        read(path)
    assert str(raised.value).startswith(str(path))


def test_a_word_among_numbers_is_shown_with_its_line_and_a_blank_before_a_number_is_none(tmp_path):
    table = open_table(written(tmp_path / "a.csv", "f0,f1\n0.3145, 2\n NA ,3\n0.25,n.d.\n"), "profiles")
    with pytest.raises(DataError, match=r"line 4: the column 'f1' holds 'n\.d\.', which is no number"):
        read_columns(table, [], ["f0", "f1"])
    np.testing.assert_array_equal(read_columns(table, [], ["f0"])[1], [[0.3145], [np.nan], [0.25]])
    assert columns_of_numbers(table) == {"f0"}


def test_chosen_columns_alone_are_read(tmp_path):
    path = written(tmp_path / "a.csv", "plate,well,name\nP1,A01,x\nP2,A02,y\n")
    assert list(read(path, columns=["well"])) == ["well"]
    assert len(read(path, columns=[])) == 2


def test_a_pointer_of_git_lfs_is_one_whatever_it_stands_for(tmp_path):
    assert "git lfs pull" in pointer_problem(written(tmp_path / "a.tif", POINTER))
    assert pointer_problem(written(tmp_path / "b.tif", b"version 1")) == ""
    assert pointer_problem(tmp_path / "none.tif") == ""


def test_the_line_in_which_excel_names_the_separator_is_no_header(tmp_path):
    table = read(written(tmp_path / "a.csv", "sep=;\r\nplate;well\r\nP1;A01\r\n"))
    assert table.to_dict("list") == {"plate": ["P1"], "well": ["A01"]}


@pytest.mark.parametrize("text", ["plate,well\n", "plate,well", "plate,well\r\n"])
def test_a_header_alone_is_a_table_without_rows(tmp_path, text):
    assert len(read(written(tmp_path / "a.csv", text))) == 0
