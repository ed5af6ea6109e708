"""Profiles as others write them: every row is embedded, or listed, or an error says what is wrong."""

import gzip
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
from helpers.fuzz import examples, of_user, one_line
from hypothesis import given
from hypothesis import strategies as st

from debatch.cli.check_profiles import check_profiles_lines
from debatch.config import Screen
from debatch.config.metadata import Columns, Derive, Metadata
from debatch.config.profiles import ProfileSet
from debatch.embedding_table import features_of
from debatch.screen.ingest.plan import Problems
from debatch.screen.profiles.index import embed_profiles, index_profiles
from debatch.screen.profiles.read import read_profiles

TEXTS = st.sampled_from(
    ["DMSO", "taxol", "Taxol ", "NA", "nan", "", " ", "A_1", "1", "01", "1.50", "\u00b5", "2-Sep", "x\ny", 'a"b']
)
WELLS = ["A01", "A02", "B02", "B03", "C01", "C02"]
ODD_WELLS = st.sampled_from(["a1", "A1", " A01", "A001", "", "Z99", "13"])
VALUES = st.sampled_from([0.0, 1.0, -1.5, 3e38, 1e300, 1e-300, float("nan"), float("inf"), float("-inf")]) | st.floats(
    -9, 9, width=16
)
ENDINGS = [".csv", ".CSV", ".csv.gz", ".tsv", ".parquet", ".h5ad"]
NAMES = st.sampled_from(
    ["Cells_Area", "Nuclei_Area", "f0", "f1", "0", "Metadata_f", "ImageNumber", "well_type", "\u00e9"]
)


@st.composite
def sets(draw, plates=("P1", "P2")):
    """(ending, frame of metadata, features (N, D), their names), a row a well."""
    plates = draw(st.sampled_from([plates, ["1", "01"], ["1", "2"], [""], [1.0, 2.0]]))
    wells = [
        (plate, well) for plate in plates for well in draw(st.lists(st.sampled_from(WELLS), unique=True, min_size=1))
    ]
    rows = [{"Metadata_Plate": plate, "Metadata_Well": well} for plate, well in wells]
    for row in rows:
        row["Metadata_Batch"] = draw(st.sampled_from("ab")) if draw(st.integers(0, 9)) else draw(TEXTS)
        row["Metadata_Perturbation"] = draw(TEXTS)
        row["note"] = draw(TEXTS)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        draw(st.sampled_from(rows))["Metadata_Well"] = draw(ODD_WELLS)
    metadata = pd.DataFrame(rows)
    if draw(st.booleans()):
        metadata["Metadata_Site"] = draw(st.sampled_from(["1", "s1", "1_2"]))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    values = np.array([[draw(VALUES) for _ in names] for _ in rows]) if draw(st.booleans()) else None
    if values is None:
        values = np.arange(len(rows) * len(names), dtype=float).reshape(len(rows), len(names)) / 3
        for _ in range(draw(st.integers(0, 3))):
            values[draw(st.integers(0, len(rows) - 1)), draw(st.integers(0, len(names) - 1))] = draw(VALUES)
    metadata = metadata[draw(st.permutations(list(metadata.columns)))]
    return draw(st.sampled_from(ENDINGS)), metadata, values, names


def write(path, metadata, values, names):
    features = pd.DataFrame(values, columns=names)
    table = pd.concat([metadata, features], axis=1)
    table = table.loc[:, ~table.columns.duplicated()]
    name = path.name.lower()
    if name.endswith(".parquet"):
        table.to_parquet(path)
    elif name.endswith(".h5ad"):
        with np.errstate(over="ignore"):
            obs = metadata.astype({name: object for name, kind in metadata.dtypes.items() if kind == "str"})
            obs.index = pd.Index(list(map(str, metadata.index)), dtype=object)
            kept = anndata.AnnData(values.astype(np.float32), obs)
        kept.var_names = pd.Index(names, dtype=object)
        kept.write_h5ad(path, convert_strings_to_categoricals=False)
    else:
        text = table.to_csv(index=False, sep="\t" if ".tsv" in name else ",")
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return len(table)


@st.composite
def screens(draw):
    """(sets of one or two files each, plate map or none, changes of the screen)."""
    some = draw(st.lists(st.tuples(sets(), st.booleans()), min_size=1, max_size=2))
    plate_map = None
    if draw(st.booleans()):
        own = [
            (str(row["Metadata_Plate"]), row["Metadata_Well"])
            for (_, frame, _, _), _ in some
            for _, row in frame.iterrows()
        ]
        own = list(dict.fromkeys(own))
        kept = draw(st.lists(st.sampled_from(own), unique=True)) if draw(st.booleans()) else own
        columns = ["Metadata_Plate", "Metadata_Well", "Metadata_Perturbation", "Metadata_Batch"]
        plate_map = pd.DataFrame(
            [(*place, draw(TEXTS), draw(st.sampled_from("ab"))) for place in kept], columns=columns
        )
        if draw(st.booleans()):
            plate_map["Metadata_Well"] = plate_map["Metadata_Well"].str.lower()
    columns = {"plate": "Metadata_Plate", "well": "Metadata_Well", "perturbation": "Metadata_Perturbation"}
    columns |= {"batch": "Metadata_Batch", "experiment": "Metadata_Batch", "cell_type": None, "well_type": None}
    if draw(st.booleans()):
        columns = {"batch": "Metadata_Batch"} if plate_map is None else columns
    changes = {
        "columns": Columns(**columns),
        "on_problem": draw(st.sampled_from(["fail", "drop", "drop", "drop"])),
        "missing": draw(st.none() | st.just(["NA"])),
        "derive": draw(st.sampled_from([{}, {}, {"row": Derive(source="Metadata_Well", pattern="([A-Z]*)")}])),
    }
    return some, plate_map, changes


@examples(0.05)
@given(case=screens(), features=st.sampled_from([None, None, ["*"], ["f*", "Cells_*"]]))
def test_every_profile_is_embedded_or_listed(tmp_path, case, features):
    some, plate_map, changes = case
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    profiles, counts = {}, {}
    for number, ((ending, metadata, values, names), halves) in enumerate(some):
        if halves and len(metadata) > 1:
            middle = len(metadata) // 2
            parts = [slice(0, middle), slice(middle, None)]
        else:
            parts = [slice(None)]
        counts[f"set{number}"] = 0
        for part, rows in enumerate(parts):
            own = metadata[rows].reset_index(drop=True)
            counts[f"set{number}"] += write(folder / f"set{number}_{part}{ending}", own, values[rows], names)
        profiles[f"set{number}"] = ProfileSet(file=str(folder / f"set{number}_*{ending}"), features=features)
    if plate_map is not None:
        plate_map.to_csv(folder / "map.csv", index=False)
        changes["metadata"] = Metadata(file=str(folder / "map.csv"))
    screen = Screen(profiles=profiles, **changes)
    listed = Problems("index", "failed" if screen.on_problem == "fail" else "left out")
    index = one_line(index_profiles, screen, listed)
    registry = SimpleNamespace(screen=screen, in_own_words=str, externals=screen.profiles, name="mine")
    checked = of_user(check_profiles_lines, registry)
    assert (index is None) == (checked is None)
    if index is not None:
        assert index["image_id"].is_unique
        failed = False
        for name, profile_set in screen.profiles.items():
            problems = Problems(name, listed.action)
            read = one_line(read_profiles, profile_set, screen)
            table = None if read is None else one_line(embed_profiles, read, profile_set, screen, index, problems)
            if table is None:
                failed = True
                continue
            assert len(read.metadata) == len(read.features) == counts[name]
            profiles_listed = [
                row
                for row in problems.rows
                if (row["plate"] or row["well"] or not row["channel"])
                and not row["problem"].startswith("no usable profile")
            ]
            assert len(table) + len(profiles_listed) == counts[name]
            assert table["Metadata_Image"].is_unique
            assert np.isfinite(features_of(table)).all()
            features_listed = [row for row in problems.rows if row["channel"]]
            assert features_of(table).shape[1] + len(features_listed) == len(read.names)
            assert not problems.real or screen.on_problem == "drop"
        if failed:
            assert not checked[1]
        for lines in checked[0]:
            str(lines).encode()
    shutil.rmtree(folder)


ODD_COLUMNS = {
    "texts": ["a", None, "\u00e4"],
    "dates": pd.to_datetime(["2024-01-05", None, "2024-01-06"]),
    "flags": [True, False, True],
    "maybe": pd.array([True, None, False], dtype="boolean"),
    "kinds": pd.Categorical(["x", None, "y"]),
    "lists": [[1.0], [], None],
    "bytes": [b"\xff", b"a", None],
    "whole": pd.array([1, None, 3], dtype="Int64"),
    "large": [2**63 - 1, 0, 1],
    "mixed": ["1.5", "x", ""],
    "short": np.array([1, 2, 3], np.float16),
    "complex": [{"a": 1}, None, {"a": 2}],
}


@examples(0.05)
@given(
    ending=st.sampled_from(ENDINGS),
    odd=st.lists(st.sampled_from(sorted(ODD_COLUMNS)), unique=True, max_size=4),
    features=st.sampled_from([None, None, ["f0"], ["*"], ["f*", "whole", "flags", "short"]]),
    cut=st.floats(0, 1) | st.just(1.0),
    mutated=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=3),
)
def test_no_file_of_profiles_ends_in_anything_but_rows_or_one_line(tmp_path, ending, odd, features, cut, mutated):
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    rows = {
        "Metadata_Plate": ["P", "P", "Q"],
        "Metadata_Well": ["A01", "A02", "A01"],
        "Metadata_Batch": ["a", "a", "b"],
    }
    metadata = pd.DataFrame({**rows, "Metadata_Perturbation": ["x", "y", "x"]})
    values = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 7.0]])
    path = folder / f"set{ending}"
    own = metadata.assign(**{name: ODD_COLUMNS[name] for name in odd if not ending.endswith(".h5ad")})
    write(path, own, values, ["f0", "f1"])
    content = path.read_bytes()
    content = content[: int(cut * len(content))]
    for where, byte in mutated if content else []:
        at = int(where * (len(content) - 1))
        content = content[:at] + bytes([byte]) + content[at + 1 :]
    path.write_bytes(content)
    columns = Columns(batch="Metadata_Batch")
    profile_set = ProfileSet(file=str(path), features=features)
    screen = Screen(profiles={"set": profile_set}, columns=columns, on_problem="drop")
    one_line(index_profiles, screen)
    read = one_line(read_profiles, profile_set, screen)
    if read is not None:
        assert len(read.metadata) == len(read.features) == len(read.at) > 0
    if read is not None and cut == 1 and not mutated:
        assert len(read.features) == 3
        assert set(read.names) <= {"f0", "f1", "flags", "maybe", "whole", "large", "short"}
    shutil.rmtree(folder)
