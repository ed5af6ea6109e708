import anndata
import numpy as np
import pandas as pd
import pytest
from helpers.profiles import entered

from debatch.config.profiles import ProfileSet
from debatch.config.read import validate
from debatch.config.screen import Screen
from debatch.embedding_table import feature_names, features_of
from debatch.errors import ConfigError, DataError
from debatch.screen.ingest.plan import PASSED_OVER, Problems
from debatch.screen.profiles.formats import open_profiles
from debatch.screen.profiles.index import index_profiles
from debatch.screen.profiles.read import read_profiles
from debatch.screen.profiles.spread import beyond_reason

COLUMNS = {
    "batch": "Metadata_Batch",
    "perturbation": "Metadata_Drug",
    "plate": "Metadata_Plate",
    "well": "Metadata_Well",
}


def table_of(plates=2, wells=4, features=3):
    rng = np.random.default_rng(0)
    rows = [(f"P{p}", f"A{w:02d}", f"run{p}", f"drug{w}") for p in range(1, plates + 1) for w in range(1, wells + 1)]
    table = pd.DataFrame(rows, columns=["Metadata_Plate", "Metadata_Well", "Metadata_Batch", "Metadata_Drug"])
    return table.assign(**{f"Cells_F{n}": rng.normal(size=len(rows)) for n in range(features)})


def screen_of(file, columns=COLUMNS, **keys):
    features = keys.pop("features", None)
    own = {"file": file, **({"features": features} if features else {})}
    return validate(Screen, {"profiles": {"cp": own}, "columns": columns, **keys}, "screen")


def h5ad(path, features, observations, names):
    observations = observations.astype(object).set_axis([f"w{row}" for row in range(len(observations))])
    observations.index = pd.Index(observations.index, dtype=object)
    observations.columns = observations.columns.astype(object)
    anndata.AnnData(
        np.asarray(features, np.float32), observations, pd.DataFrame(index=pd.Index(names, dtype=object))
    ).write_h5ad(path)
    return str(path)


def test_an_index_of_pandas_is_a_column_like_the_others(tmp_path):
    table = table_of()
    table.set_index(["Metadata_Plate", "Metadata_Well"]).to_parquet(tmp_path / "p.parquet")
    _, embeddings, _ = entered(screen_of(str(tmp_path / "p.parquet")))
    np.testing.assert_allclose(features_of(embeddings), table[feature_names(embeddings)], rtol=1e-6)
    assert embeddings["Metadata_Well"].tolist() == table["Metadata_Well"].tolist()


def test_what_stands_in_obs_is_metadata_whatever_it_is_called(tmp_path):
    table = table_of()
    metadata = table.filter(like="Metadata_").assign(n_objects=list("01234567"), leiden=["0", "1"] * 4)
    file = h5ad(tmp_path / "p.h5ad", table.filter(like="Cells"), metadata, ["Cells_F0", "n_genes", "Cells_F2"])
    index, embeddings, _ = entered(screen_of(file))
    assert feature_names(embeddings) == ["Cells_F0", "n_genes", "Cells_F2"]
    np.testing.assert_allclose(features_of(embeddings), table.filter(like="Cells"), rtol=1e-6)
    assert index["n_objects"].tolist() == [str(row) for row in range(8)]


@pytest.mark.filterwarnings("ignore:Variable names")
def test_a_name_that_stands_twice_is_refused_in_every_format(tmp_path):
    table = table_of()
    file = h5ad(
        tmp_path / "p.h5ad", table.filter(like="Cells"), table.filter(like="Meta"), ["Cells_F0", "Cells_F0", "b"]
    )
    with pytest.raises(DataError, match="2 features are called 'Cells_F0'"):
        index_profiles(screen_of(file))
    table.rename(columns={"Cells_F1": "Cells_F0"}).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(DataError, match="2 columns are called 'Cells_F0'"):
        index_profiles(screen_of(str(tmp_path / "p.csv")))


@pytest.mark.parametrize("name", ["P.CSV", "p.tsv", "p.txt.gz"])
def test_suffixes_in_capitals_and_other_separators_are_read(tmp_path, name):
    table = table_of()
    table.to_csv(tmp_path / name, index=False, sep="," if name == "P.CSV" else "\t")
    assert open_profiles(tmp_path / name).columns == list(table)
    np.testing.assert_allclose(
        features_of(entered(screen_of(str(tmp_path / name)))[1]), table.filter(like="Cells"), rtol=1e-6
    )


def test_words_among_a_parquets_numbers_are_shown_with_their_row(tmp_path):
    table = table_of().astype({"Cells_F1": object})
    table.loc[2, "Cells_F1"] = "n.d."
    table["Cells_F1"] = table["Cells_F1"].astype(str)
    table.to_parquet(tmp_path / "p.parquet", index=False)
    with pytest.raises(DataError, match=r"row 3: the column 'Cells_F1' holds 'n\.d\.', which is no number"):
        entered(screen_of(str(tmp_path / "p.parquet")))


def test_blanks_around_names_are_no_part_of_them(tmp_path):
    table = table_of()
    spoilt = table.assign(
        Metadata_Drug=[f"{drug}\u00a0" if row % 2 else drug for row, drug in enumerate(table["Metadata_Drug"])],
        Metadata_Batch=[f" {batch}" if row % 2 else batch for row, batch in enumerate(table["Metadata_Batch"])],
    )
    spoilt.to_parquet(tmp_path / "p.parquet", index=False)
    spoilt.to_csv(tmp_path / "p.csv", index=False)
    for name in ("p.parquet", "p.csv"):
        index = index_profiles(screen_of(str(tmp_path / name)))
        assert set(index["perturbation"]) == set(table["Metadata_Drug"])
        assert set(index["batch"]) == {"run1", "run2"}


def test_a_dose_has_one_spelling_where_it_is_a_part_of_a_name(tmp_path):
    table = table_of(wells=2).assign(Metadata_Dose=["3", "3.0", "3.00", "1e-05"])
    table.to_csv(tmp_path / "p.csv", index=False)
    columns = {**COLUMNS, "perturbation": ["Metadata_Drug", "Metadata_Dose"]}
    found = index_profiles(screen_of(str(tmp_path / "p.csv"), columns))["perturbation"]
    assert found.tolist() == ["drug1_3", "drug2_3", "drug1_3", "drug2_0.00001"]


def test_two_names_that_joined_would_be_one_are_refused(tmp_path):
    table = table_of(wells=2).assign(Metadata_Drug=["A_1", "A", "B", "C"], Metadata_Dose=["2", "1_2", "1", "1"])
    table.to_csv(tmp_path / "p.csv", index=False)
    columns = {**COLUMNS, "perturbation": ["Metadata_Drug", "Metadata_Dose"]}
    with pytest.raises(DataError, match=r"'A_1' and '2' and 'A' and '1_2' would be one perturbation, 'A_1_2'"):
        index_profiles(screen_of(str(tmp_path / "p.csv"), columns))


def test_a_file_a_plate_is_read_by_pattern_or_list(tmp_path):
    table = table_of(plates=3)
    for plate, own in table.groupby("Metadata_Plate"):
        # another order of columns is the same set
        own[own.columns[::-1] if plate == "P2" else own.columns].to_csv(tmp_path / f"{plate}.csv", index=False)
    for file in (str(tmp_path / "P*.csv"), [str(tmp_path / f"P{plate}.csv") for plate in (1, 2, 3)]):
        _, embeddings, _ = entered(screen_of(file))
        np.testing.assert_allclose(features_of(embeddings), table.filter(like="Cells"), rtol=1e-6)


def test_files_of_a_set_whose_features_differ_are_named(tmp_path):
    table = table_of()
    table[:4].to_csv(tmp_path / "P1.csv", index=False)
    table[4:].drop(columns="Cells_F1").assign(Cells_New=1.0).to_csv(tmp_path / "P2.csv", index=False)
    with pytest.raises(
        DataError,
        match=r"P2\.csv: its features are not those of \S*P1\.csv: it lacks Cells_F1 and has Cells_New besides",
    ):
        index_profiles(screen_of(str(tmp_path / "P*.csv")))
    assert len(entered(screen_of(str(tmp_path / "P*.csv"), features=["Cells_F[02]"]))[1]) == 8


def test_no_file_that_fits_and_one_that_is_named_twice(tmp_path):
    with pytest.raises(DataError, match=r"Q\*\.csv: no file fits this pattern"):
        index_profiles(screen_of(str(tmp_path / "Q*.csv")))
    table_of().to_csv(tmp_path / "P1.csv", index=False)
    with pytest.raises(ConfigError, match=r"P1\.csv: named twice"):
        ProfileSet(file=[str(tmp_path / "P1.csv"), str(tmp_path / "P*.csv")]).files()


BOOKKEEPING = {
    "ImageNumber": 1.0, "TableNumber": 2.0, "ObjectNumber": 3.0, "Nuclei_Number_Object_Number": 1.0,
    "Cells_Parent_Nuclei": 1.0, "Nuclei_Children_Cells_Count": 1.0, "Nuclei_Location_Center_X": 7.0,
    "Cells_AreaShape_Center_Y": 7.0, "Cells_AreaShape_BoundingBoxMinimum_X": 7.0, "Image_ExecutionTime_01": 1.0,
    "Cells_Neighbors_FirstClosestObjectNumber_5": 1.0, "Image_Group_Index": 1.0, "Unnamed: 0": 1.0, "index": 2.0,
    "Batch": 1.0, "concentration": 3.0, "timestamp": 1.7e9, "well_id": 4.0,
}  # fmt: skip


def test_numbers_of_objects_and_places_are_no_features_unless_they_are_asked_for(tmp_path):
    kept = ["Cells_AreaShape_BoundingBoxArea", "Cells_Neighbors_NumberOfNeighbors_5", "Nuclei_AreaShape_EulerNumber"]
    table = table_of().assign(**BOOKKEEPING, **dict.fromkeys(kept, 2.5))
    table.to_csv(tmp_path / "p.csv", index=False)
    screen = screen_of(str(tmp_path / "p.csv"))
    profiles = read_profiles(screen.profiles["cp"], screen)
    assert profiles.left_out == list(BOOKKEEPING)
    assert profiles.names == ["Cells_F0", "Cells_F1", "Cells_F2", *kept]
    assert not set(BOOKKEEPING) & set(index_profiles(screen))
    asked = screen_of(str(tmp_path / "p.csv"), features=["Nuclei_Location_*"])
    assert read_profiles(asked.profiles["cp"], asked).names == ["Nuclei_Location_Center_X"]


def test_a_feature_beyond_reason_is_found_and_raw_moments_are_not():
    features = np.random.default_rng(0).normal(size=(50, 6))
    assert beyond_reason(features) == []
    features[:, 4] *= 1e11  # as a raw moment of shapes
    assert beyond_reason(features.astype(np.float32)) == []
    features[:, 2] *= 1e18
    (found,) = beyond_reason(features.astype(np.float32))
    assert found[0] == 2
    one = np.random.default_rng(0).normal(size=(50, 6))
    one[7, 3] = 1e12
    assert [at for at, _ in beyond_reason(one)] == [3]


def mapped(tmp_path, **keys):
    """Profiles of eight wells, of which the plate map lists seven and selects six; it lists one that has none."""
    table = table_of()
    metadata = table.filter(like="Metadata").assign(use="yes")
    metadata.loc[1, "use"] = "no"
    more = metadata.tail(1).assign(Metadata_Well="H12")
    pd.concat([metadata.drop(index=4), more]).to_csv(tmp_path / "map.csv", index=False)
    table[["Metadata_Plate", "Metadata_Well", "Cells_F0", "Cells_F1"]].to_csv(tmp_path / "p.csv", index=False)
    columns = {**COLUMNS, "experiment": "Metadata_Batch", "cell_type": None, "well_type": None}
    metadata = {"file": str(tmp_path / "map.csv"), "select": {"use": ["yes"]}}
    return screen_of(str(tmp_path / "p.csv"), columns, metadata=metadata, **keys)


def test_rows_in_are_rows_out_and_rows_listed(tmp_path):
    with pytest.raises(DataError, match=r"does not list the wells of 1 profiles, as plate 'P2' well 'A01'"):
        index_profiles(mapped(tmp_path))
    screen = mapped(tmp_path, on_problem="drop")
    listed = Problems("index", "left out")
    index = index_profiles(screen, listed)
    assert [(row["well"], row["problem"], row["action"]) for row in listed.rows] == [
        ("A01", "the metadata has no such well", "left out"),
        ("H12", "the metadata lists it, and no profile is there", PASSED_OVER),
    ]
    _, embeddings, problems = entered(screen)
    assert len(index) == len(embeddings) == 6
    assert [row["action"] for row in problems.rows] == [PASSED_OVER] * 2
    assert len(embeddings) + len(problems.rows) == 8


def annotated_by(tmp_path, wells, **keys):
    table_of().drop(columns="Metadata_Drug").to_csv(tmp_path / "p.csv", index=False)
    pd.DataFrame({"position": wells, "gene": [f"G{row}" for row in range(len(wells))]}).to_csv(
        tmp_path / "layout.csv", index=False
    )
    annotation = {"file": str(tmp_path / "layout.csv"), "match": {"Metadata_Well": "position"}, **keys}
    return screen_of(str(tmp_path / "p.csv"), {**COLUMNS, "perturbation": "gene"}, annotations=[annotation])


def test_wells_are_compared_as_wells_where_tables_are_joined(tmp_path):
    assert index_profiles(annotated_by(tmp_path, ["A1", "a2", "A03", "A4"]))["perturbation"].notna().all()


def test_a_table_that_does_not_know_all_rows_says_how_many_and_which(tmp_path):
    with pytest.raises(
        DataError, match=r"knows nothing of 2 of the 8 rows of \S*p\.csv: there is no 'A04';.*partial: true"
    ):
        index_profiles(annotated_by(tmp_path, ["A1", "A2", "A3"]))
    index = index_profiles(annotated_by(tmp_path, ["A1", "A2", "A3"], partial=True))
    assert index["perturbation"].isna().sum() == 2


def test_a_near_name_is_shown_where_a_join_loses_rows(tmp_path):
    table_of().to_csv(tmp_path / "p.csv", index=False)
    pd.DataFrame({"drug": ["drug1", "drug2", "drug3", "Drug4"], "moa": list("abcd")}).to_csv(
        tmp_path / "moa.csv", index=False
    )
    annotation = {"file": str(tmp_path / "moa.csv"), "match": {"Metadata_Drug": "drug"}}
    with pytest.raises(DataError, match=r"there is no 'drug4' \(it has 'Drug4'\)"):
        index_profiles(screen_of(str(tmp_path / "p.csv"), annotations=[annotation]))


def test_words_that_mean_nothing_are_kept_until_the_screen_says_so(tmp_path):
    table_of().replace({"Metadata_Drug": {"drug1": "nan"}}).to_csv(tmp_path / "p.csv", index=False)
    assert (index_profiles(screen_of(str(tmp_path / "p.csv")))["perturbation"] == "nan").sum() == 2
    assert index_profiles(screen_of(str(tmp_path / "p.csv"), missing=["nan"]))["perturbation"].isna().sum() == 2


def test_a_word_of_well_types_in_another_spelling_is_no_treatment(tmp_path):
    table = table_of().replace({"Metadata_Drug": {"drug1": "DMSO"}})
    table.loc[4, "Metadata_Drug"] = "dmso"
    table.to_csv(tmp_path / "p.csv", index=False)
    columns = {**COLUMNS, "well_type": "Metadata_Drug"}
    kinds = {"DMSO": "negative_control", "*": "treatment"}
    with pytest.raises(DataError, match=r"row 5: the well type 'dmso' looks like 'DMSO' of `well_types`"):
        index_profiles(screen_of(str(tmp_path / "p.csv"), columns, well_types=kinds))
    both = {**kinds, "dmso": "negative_control"}
    index = index_profiles(screen_of(str(tmp_path / "p.csv"), columns, well_types=both))
    assert (index["well_type"] == "negative_control").sum() == 2


@pytest.mark.parametrize(("column", "role"), [("Metadata_Drug", "perturbation"), ("Metadata_Batch", "batch")])
def test_two_sets_that_say_two_things_of_a_well_are_refused(tmp_path, column, role):
    table = table_of()
    table.to_csv(tmp_path / "a.csv", index=False)
    table.assign(**{column: table[column].to_numpy()[::-1]}).to_csv(tmp_path / "b.csv", index=False)
    sets = {"one": {"file": str(tmp_path / "a.csv")}, "two": {"file": str(tmp_path / "b.csv")}}
    columns = {**COLUMNS, "experiment": "Metadata_Plate"}
    with pytest.raises(DataError, match=rf"b\.csv: says of 8 wells another {role} than \S*a\.csv, as"):
        index_profiles(validate(Screen, {"profiles": sets, "columns": columns}, "screen"))


def test_bytes_in_parquet_are_text(tmp_path):
    table = table_of()
    table.assign(Metadata_Drug=[drug.encode() for drug in table["Metadata_Drug"]]).to_parquet(tmp_path / "p.parquet")
    assert set(index_profiles(screen_of(str(tmp_path / "p.parquet")))["perturbation"]) == set(table["Metadata_Drug"])
