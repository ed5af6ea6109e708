"""The whole RxRx1 catalogue, without an image on disk."""

import pandas as pd
import pytest

from debatch.config.metadata import MetadataFile
from debatch.registry import build_registry
from debatch.screen.index import expected_index
from debatch.screen.metadata import read_catalogue
from debatch.screen.splits import make_split, split_sha256


@pytest.fixture(scope="module")
def kaggle(real_data, root):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RXRX1_KAGGLE", str(real_data / "rxrx1_metadata"))
        registry = build_registry({"screen": "rxrx1_kaggle"}, root)
        yield registry, registry.screen.metadata.tables()


@pytest.fixture(scope="module")
def index(kaggle):
    registry, tables = kaggle
    catalogue = read_catalogue(registry.screen, tables, registry.experiments)
    return expected_index(catalogue, registry.screen.source)


def test_counts_of_the_release(index):
    wells = index.drop_duplicates(["experiment", "plate", "well"])
    assert (len(wells), len(index), index["label"].nunique()) == (62_755, 125_510, 1_139)
    assert wells.groupby("official_subset")["experiment"].nunique().to_dict() == {"train": 33, "test": 18}
    experiments = wells.drop_duplicates("experiment")
    of = experiments.groupby(["official_subset", "cell_type"]).size()
    assert of["train"].to_dict() == {"HUVEC": 16, "RPE": 7, "HEPG2": 7, "U2OS": 3}
    assert of["test"].to_dict() == {"HUVEC": 8, "RPE": 4, "HEPG2": 4, "U2OS": 2}
    assert len(wells[wells["official_subset"] == "train"]) == 40_612
    empty = wells[wells["well_type"] == "negative_control"].groupby(["experiment", "plate"])["well"].agg(set)
    assert len(empty) == 204
    assert all("B02" in places for places in empty)


def test_every_split_of_the_screen_can_be_drawn(kaggle, index):
    registry, _ = kaggle
    assert registry.screen.splits.names == ["separated", "separated_val", "stratified", "stratified_site"]
    for name in registry.screen.splits.names:
        subset = index.merge(make_split(name, index, registry.screen.splits), on="image_id")
        training = subset[subset["subset"] == "train"]
        assert training["label"].notna().all()
        assert training["label"].nunique() == 1_139
        if name == "separated":
            assert (subset["subset"] == subset["official_subset"]).all()
        if name.startswith("stratified"):
            wells = subset if name == "stratified_site" else subset.drop_duplicates(["experiment", "plate", "well"])
            sides = {"tested": wells["subset"] == "test", "official": wells["official_subset"] == "test"}
            counts = wells.assign(n=1, **sides).groupby(["cell_type", "label"])[["n", *sides]].sum()
            # this release tells the labels of the test side's controls alone
            controls = counts["official"] > 0
            assert controls.groupby("cell_type").sum().to_dict() == dict.fromkeys(("HEPG2", "HUVEC", "RPE", "U2OS"), 31)
            assert (counts["tested"] == counts["official"])[controls].all()
            assert (counts["tested"] - counts["n"] * 18 / 51)[~controls].abs().max() <= 0.5
            training_side = subset[subset["official_subset"] == "train"]
            by_batch = (training_side["subset"] == "test").groupby(training_side["batch"]).mean()
            of_cell_type = by_batch.groupby(by_batch.index.str.split("-").str[0]).transform("mean")
            assert (by_batch - of_cell_type).abs().max() < 0.01


def test_labels_as_integers_and_as_sirna_strings_are_the_same(kaggle, index, tmp_path):
    registry, tables = kaggle
    renamed = []
    for table in tables:
        frame = pd.read_csv(table.file, dtype=str)
        if "sirna" in frame:
            frame["sirna"] = "sirna_" + frame["sirna"]
        path = tmp_path / table.file.split("/")[-1]
        frame.to_csv(path, index=False)
        renamed.append(MetadataFile(file=str(path), fields=table.fields))
    catalogue = read_catalogue(registry.screen, renamed, registry.experiments)
    strings = expected_index(catalogue, registry.screen.source)
    assert strings["label"].equals(index["label"])
    name = strings.loc[strings["label"] == 7, "perturbation"].iloc[0]
    assert name == "sirna_7"
    config = registry.screen.splits
    assert split_sha256(make_split("stratified", strings, config)) == split_sha256(
        make_split("stratified", index, config)
    )


def test_unlabelled_test_images_are_kept_and_never_scored(index):
    unlabelled = index["label"].isna()
    assert unlabelled.sum() == 39_794
    assert set(index.loc[unlabelled, "official_subset"]) == {"test"}
