import pandas as pd

from debatch.tabular import read_frame, write_frame


def test_names_in_a_csv_are_text_whatever_they_look_like_and_an_empty_one_stays_empty(tmp_path):
    names = ["01", "NA", "", "1e5"]
    frame = pd.DataFrame(
        {"cell_type": names, "batch": names[::-1], "value": [1.5, None, 0.0, 2.0], "note": ["a", "b", "c", ""]}
    )
    write_frame(frame, tmp_path / "a.csv")
    read = read_frame(tmp_path / "a.csv")
    assert read["cell_type"].tolist() == names
    assert read["batch"].tolist() == names[::-1]
    assert read["value"].isna().tolist() == [False, True, False, False]
    assert read["value"].dtype == float
