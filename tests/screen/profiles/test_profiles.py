import logging

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT
from helpers.profiles import entered

from debatch.config.read import read_yaml, validate
from debatch.config.screen import Screen
from debatch.embedding_table import feature_names, features_of, own_metadata
from debatch.errors import ConfigError, DataError
from debatch.screen.profiles.index import index_profiles

COLUMNS = {"batch": "week", "perturbation": "drug", "plate": "Metadata_Plate", "well": "Metadata_Well"}


def made_up(plates=3, wells=4, features=5):
    """Profiles of a week each plate; the drug goes by the well."""
    rng = np.random.default_rng(0)
    rows = [(f"P{p}", f"A{w:02d}", f"week{p}", f"drug{w}") for p in range(1, plates + 1) for w in range(1, wells + 1)]
    table = pd.DataFrame(rows, columns=["Metadata_Plate", "Metadata_Well", "week", "drug"])
    return table.assign(**{f"f{n}": rng.normal(size=len(rows)) for n in range(features)})


def screen_of(file, columns=COLUMNS, **keys):
    keys = {"features": None, "profiles": None, **keys}
    features, profiles = keys.pop("features"), keys.pop("profiles")
    sets = profiles or {"cp": {"file": str(file), **({"features": features} if features else {})}}
    return validate(Screen, {"profiles": sets, "columns": columns, **keys}, "screen")


def written(table, path):
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".h5ad":
        import anndata

        features = [name for name in table if name.startswith("f")]
        metadata = table.drop(columns=features).astype(object)
        metadata.index = pd.Index([str(row) for row in range(len(table))], dtype=object)
        anndata.AnnData(
            table[features].to_numpy(np.float32), metadata, pd.DataFrame(index=pd.Index(features, dtype=object))
        ).write_h5ad(path)
    else:
        table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz", "p.parquet", "p.h5ad"])
def test_every_format_comes_to_the_same_embeddings(tmp_path, name):
    table = made_up()
    index, embeddings, problems = entered(screen_of(written(table, tmp_path / name)))
    assert list(index["image_id"][:2]) == ["week1_P1_A01_1", "week1_P1_A02_1"]
    assert index["batch"].nunique() == 3
    assert index["label"].nunique() == 4
    assert feature_names(embeddings) == ["f0", "f1", "f2", "f3", "f4"]
    np.testing.assert_allclose(features_of(embeddings), table[feature_names(embeddings)], rtol=1e-6)
    assert problems.count == 0


def test_a_file_in_our_own_format_needs_no_columns_named(tmp_path):
    table = made_up().rename(columns={"week": "Metadata_Batch", "drug": "Metadata_Perturbation"})
    table["Metadata_Site"], table["Metadata_WellType"], table["Metadata_CellType"] = 1.0, "treatment", "U2OS"
    index, embeddings, _ = entered(screen_of(written(table, tmp_path / "p.parquet"), columns={}))
    assert set(index["cell_type"]) == {"U2OS"}
    assert set(index["site"]) == {"1"}
    assert len(embeddings) == len(table)


def test_columns_without_the_prefix_are_told_apart_by_what_they_hold(tmp_path):
    table = made_up().rename(columns={"Metadata_Plate": "plate", "Metadata_Well": "well"})
    table["dose"] = 0.5
    columns = {"batch": "week", "perturbation": ["drug", "dose"]}
    index, embeddings, _ = entered(screen_of(written(table, tmp_path / "p.csv"), columns=columns))
    assert feature_names(embeddings) == [f"f{n}" for n in range(5)]
    assert index["perturbation"][0] == "drug1_0.5"


def test_features_are_chosen_by_pattern(tmp_path):
    screen = screen_of(written(made_up(), tmp_path / "p.csv"), features=["f[01]"])
    assert feature_names(entered(screen)[1]) == ["f0", "f1"]


def test_a_plate_map_says_what_the_wells_hold(tmp_path):
    table = made_up()
    table[["Metadata_Plate", "Metadata_Well", "week", "drug"]].to_csv(tmp_path / "map.csv", index=False)
    profiles = table.drop(columns=["week", "drug"]).sample(frac=1, random_state=0)
    profiles["Metadata_Well"] = profiles["Metadata_Well"].str.replace("A0", "a")
    columns = {**COLUMNS, "experiment": "week", "cell_type": None, "well_type": None}
    screen = screen_of(
        written(profiles, tmp_path / "p.csv"), columns=columns, metadata={"file": str(tmp_path / "map.csv")}
    )
    index, embeddings, _ = entered(screen)
    assert list(index["perturbation"][:2]) == ["drug1", "drug2"]
    np.testing.assert_allclose(features_of(embeddings), table[feature_names(embeddings)], rtol=1e-6)


def test_a_plate_map_that_matches_nothing_is_refused_with_both_sides_shown(tmp_path):
    table = made_up()
    plates = table[["Metadata_Plate", "Metadata_Well", "week", "drug"]]
    plates = plates.assign(Metadata_Plate=plates["Metadata_Plate"].str.replace("P", "Q"))
    plates.to_csv(tmp_path / "map.csv", index=False)
    columns = {**COLUMNS, "experiment": "week", "cell_type": None, "well_type": None}
    file = written(table.drop(columns=["week", "drug"]), tmp_path / "p.csv")
    screen = screen_of(file, columns=columns, metadata={"file": str(tmp_path / "map.csv")})
    with pytest.raises(DataError, match=r"matches none of the 12 profiles.*Q1 A01.*P1 A01"):
        index_profiles(screen)


def test_a_second_set_is_joined_by_plate_and_well_and_may_lack_some(tmp_path, caplog):
    table = made_up()
    second = table.drop(columns=["week", "drug"]).iloc[::-1][:8]
    sets = {
        "cp": {"file": str(written(table, tmp_path / "a.csv"))},
        "net": {"file": str(written(second, tmp_path / "b.csv"))},
    }
    with caplog.at_level(logging.WARNING):
        index, embeddings, _ = entered(screen_of(None, profiles=sets), "net")
    assert len(index) == 12
    assert list(embeddings["Metadata_Image"]) == list(index["image_id"][4:])
    np.testing.assert_allclose(features_of(embeddings), table[feature_names(embeddings)][4:], rtol=1e-6)
    assert "no usable profile of 4 of the screen's 12 wells" in caplog.text


def test_mechanisms_are_joined_by_compound_and_dose_as_numbers(tmp_path):
    table = made_up().assign(dose="3.0")
    moa = pd.DataFrame(
        {"compound": ["drug1", "drug2"], "concentration": ["3.000000", "3"], "moa": ["actin", "tubulin"]}
    )
    moa.to_csv(tmp_path / "moa.csv", index=False)
    match = {"drug": "compound", "dose": "concentration"}
    annotation = {"file": str(tmp_path / "moa.csv"), "match": match, "partial": True}
    columns = {**COLUMNS, "compound": "drug", "mechanism": "moa"}
    file = written(table, tmp_path / "p.csv")
    screen = screen_of(file, columns=columns, annotations=[annotation], features=["f*"])
    index, embeddings, _ = entered(screen)
    assert index["mechanism"][:3].tolist()[:2] == ["actin", "tubulin"]
    assert index["mechanism"].isna().sum() == 6
    assert embeddings["Metadata_Mechanism"][0] == "actin"


def test_a_table_of_mechanisms_that_matches_nothing_is_refused_with_both_sides_shown(tmp_path):
    pd.DataFrame({"compound": ["aspirin"], "moa": ["cox"]}).to_csv(tmp_path / "moa.csv", index=False)
    annotation = {"file": str(tmp_path / "moa.csv"), "match": {"drug": "compound"}}
    screen = screen_of(written(made_up(), tmp_path / "p.csv"), annotations=[annotation])
    with pytest.raises(DataError, match=r"none of its 1 rows matches.*'aspirin'.*'drug1', 'drug2', 'drug3' and 1 more"):
        index_profiles(screen)


def test_a_table_of_mechanisms_that_says_two_things_is_refused(tmp_path):
    pd.DataFrame({"compound": ["drug1"] * 2, "moa": ["a", "b"]}).to_csv(tmp_path / "moa.csv", index=False)
    annotation = {"file": str(tmp_path / "moa.csv"), "match": {"drug": "compound"}}
    screen = screen_of(written(made_up(), tmp_path / "p.csv"), annotations=[annotation])
    with pytest.raises(DataError, match="'drug1' stands twice"):
        index_profiles(screen)


@pytest.mark.parametrize(
    ("there", "here", "same"),
    [
        ("3.000000", "3", True),
        ("0.10", "0.1", True),
        ("1_2", "12", False),
        ("007", "7", False),
        ("1e1", "10", False),
        ("1e-01", "0.1", True),
    ],
)
def test_only_numbers_with_a_point_are_compared_as_numbers(tmp_path, there, here, same):
    table = made_up(wells=2).assign(dose=there)
    pd.DataFrame({"dose": [here, "8"], "moa": ["actin", "other"]}).to_csv(tmp_path / "moa.csv", index=False)
    table.loc[0, "dose"] = "8"  # so that something matches
    annotation = {"file": str(tmp_path / "moa.csv"), "match": {"dose": "dose"}, "partial": True}
    screen = screen_of(written(table, tmp_path / "p.csv"), annotations=[annotation], features=["f*"])
    assert (index_profiles(screen)["moa"] == "actin").any() == same


def test_an_empty_key_matches_nothing(tmp_path):
    table = made_up(wells=2)
    table["compound"] = [None, "a"] * 3
    pd.DataFrame({"name": [None, "a"], "moa": ["nothing", "actin"]}).to_csv(tmp_path / "moa.csv", index=False)
    annotation = {"file": str(tmp_path / "moa.csv"), "match": {"compound": "name"}}
    screen = screen_of(written(table, tmp_path / "p.csv"), annotations=[annotation], features=["f*"])
    assert set(index_profiles(screen)["moa"].dropna()) == {"actin"}


def test_a_file_without_a_batch_column_is_refused(tmp_path):
    file = written(made_up(), tmp_path / "p.csv")
    columns = {key: name for key, name in COLUMNS.items() if key != "batch"}
    with pytest.raises(DataError, match=r"nothing says which column is the batch.*columns\.batch"):
        index_profiles(screen_of(file, columns=columns))
    with pytest.raises(DataError, match=r"no column 'weak', which the screen names as `columns\.batch`"):
        index_profiles(screen_of(file, columns={**COLUMNS, "batch": "weak"}))


def test_a_well_that_stands_twice_is_refused(tmp_path):
    table = made_up()
    file = written(pd.concat([table, table.tail(1)]), tmp_path / "p.csv")
    with pytest.raises(DataError, match=r"repeats experiment week3, plate P3, well A04"):
        index_profiles(screen_of(file))


def test_a_second_set_with_a_well_twice_is_refused(tmp_path):
    table = made_up()
    second = pd.concat([table, table.tail(1)]).drop(columns=["week", "drug"])
    sets = {
        "cp": {"file": str(written(table, tmp_path / "a.csv"))},
        "net": {"file": str(written(second, tmp_path / "b.csv"))},
    }
    with pytest.raises(DataError, match=r"well week3_P3_A04_1 stands twice"):
        entered(screen_of(None, profiles=sets), "net")


def broken(kind):
    table = made_up()
    if kind == "nan":
        table.loc[2, "f3"] = np.nan
    elif kind == "inf":
        table.loc[2, "f3"] = np.inf
    elif kind == "zero":
        table.loc[2, ["f0", "f1", "f2", "f3", "f4"]] = 0
    elif kind == "empty":
        table.loc[2, ["f0", "f1", "f2"]] = np.nan
    return table


@pytest.mark.parametrize(
    ("kind", "features", "profiles", "said"),
    [
        ("nan", 4, 12, "f3: missing or infinite in 1 profile"),
        ("inf", 4, 12, "f3: missing or infinite in 1 profile"),
        ("zero", 5, 11, "plate P1, well A03: all of its features are zero"),
        ("empty", 5, 11, "plate P1, well A03: most of its features are missing or infinite"),
    ],
)
def test_what_is_no_number_stops_the_screen_or_is_left_out_and_listed(tmp_path, kind, features, profiles, said):
    file = written(broken(kind), tmp_path / "p.csv")
    with pytest.raises(DataError, match=said):
        entered(screen_of(file))
    _, embeddings, problems = entered(screen_of(file, on_problem="drop"))
    assert len(feature_names(embeddings)) == features
    assert len(embeddings) == profiles
    assert np.isfinite(features_of(embeddings)).all()
    assert problems.count == 1


def test_a_constant_feature_is_named_and_kept(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        _, embeddings, _ = entered(screen_of(written(made_up().assign(f1=7.0), tmp_path / "p.csv")))
    assert "f1 is the same in all profiles" in caplog.text
    assert "f1" in feature_names(embeddings)


def test_words_among_the_features_are_refused(tmp_path):
    table = made_up().assign(comment="fine")
    with pytest.raises(DataError, match=r"line 2: the column 'comment' holds 'fine', which is no number"):
        entered(screen_of(written(table, tmp_path / "p.csv")))


@pytest.mark.parametrize(
    ("name", "said"),
    [("none.csv", "no such file"), ("p.xlsx", "profiles are read from"), ("text.parquet", "cannot be")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, said):
    (tmp_path / "text.parquet").write_text("not a table")
    with pytest.raises(DataError, match=said):
        index_profiles(screen_of(tmp_path / name))


def test_a_screen_of_profiles_asks_for_nothing_that_needs_images_or_training():
    screen = screen_of("p.csv")
    assert screen.splits.names == []
    assert "table_correction" in screen.targets
    assert not {"qc", "table1", "figure10"} & set(screen.targets)
    with pytest.raises(ConfigError, match="one of `source:`"):
        validate(
            Screen,
            {
                "profiles": {"cp": {"file": "p.csv"}},
                "source": {"root": "x", "pattern": "{well}", "channels": {"1": "DNA"}},
            },
            "screen",
        )


def test_the_real_profiles_enter_as_their_readme_counts_them(real_data, monkeypatch):
    monkeypatch.setenv("DEBATCH_REAL_DATA", str(real_data))
    path = ROOT / "config/screens/bbbc021.yaml"
    index, embeddings, problems = entered(validate(Screen, read_yaml(path), "bbbc021"), "cellprofiler")
    assert own_metadata(embeddings) == ["Metadata_Concentration"]
    # of its 189 columns of numbers one counts parents, and two are places in the image
    assert embeddings.shape == (632, 12 + 1 + 186)
    assert (index["plate"].nunique(), index["batch"].nunique()) == (55, 10)
    treated = index[index["well_type"] == "treatment"]
    assert (treated["compound"].nunique(), treated["mechanism"].nunique()) == (38, 12)
    assert problems.count == 0
