"""What stands beside embeddings: the metadata that are known by name, and the user's own columns."""

import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index

from debatch.config.corrections import Combat, ZNorm
from debatch.correct.apply import correct_table
from debatch.embedding_table import (
    METADATA,
    OPTIONAL,
    embedding_table,
    feature_names,
    features_of,
    images_of,
    own_metadata,
    prediction_table,
)
from debatch.evaluate.scores import score_embeddings
from debatch.tabular import read_frame, write_frame

MEASURES = ("intensity", "saturation", "focus", "foreground", "clipped", "cut_off")


@pytest.fixture
def index():
    """As a job reads it, with columns of the user's own and with measures of pixels."""
    index = make_index(experiments=3, wells=12, sites=2)
    own = {
        "concentration": [f"{at % 3}.5" for at in range(len(index))],
        "Metadata_Site_Count": [None if at % 5 == 0 else str(at) for at in range(len(index))],
    }
    measures = {f"{measure}_DNA": np.float32(0.5) for measure in MEASURES}
    return index.assign(qc_flags="", official_subset="train", **own, **measures)


def embedded(index, features=6):
    return embedding_table(index, np.random.default_rng(0).normal(size=(len(index), features)))


def test_the_users_own_columns_travel_and_no_measure_does(index):
    table = embedded(index)
    assert [name for name in table.columns if name.startswith("Metadata_")] == [
        *METADATA.values(), "Metadata_concentration", "Metadata_Site_Count",
    ]  # fmt: skip
    assert own_metadata(table) == ["Metadata_concentration", "Metadata_Site_Count"]
    assert feature_names(table) == [f"embedding_{number}" for number in range(6)]
    assert features_of(table).shape == (len(index), 6)
    for column, name in (("concentration", "Metadata_concentration"), ("Metadata_Site_Count", "Metadata_Site_Count")):
        assert table[name].equals(index[column])


def test_own_columns_come_back_from_disk_as_text(index, tmp_path):
    table = embedded(index)
    write_frame(table, tmp_path / "train.parquet")
    back = read_frame(tmp_path / "train.parquet")
    assert back["Metadata_concentration"].tolist() == index["concentration"].tolist()
    assert back["Metadata_Site_Count"].isna().tolist() == index["Metadata_Site_Count"].isna().tolist()
    assert back["Metadata_concentration"].dtype == "str"


@pytest.mark.parametrize("taken", ["Compound", "Metadata_Mechanism", "Metadata_Batch", "Plate"])
def test_a_column_named_like_one_that_means_something_is_not_taken_for_it(index, taken):
    """Metrics would bar neighbours of a `Metadata_Compound` that the screen did not name."""
    name = "Metadata_" + taken.removeprefix("Metadata_")
    table = embedded(index.assign(**{taken: "mine"}))
    assert table[f"Metadata_source_{taken.removeprefix('Metadata_')}"].eq("mine").all()
    assert name not in table or (name in METADATA.values() and not table[name].eq("mine").any())
    images = images_of(table)
    assert not {"compound", "mechanism"} & set(images)
    assert images[list(METADATA)].equals(images_of(embedded(index))[list(METADATA)])


def test_a_column_that_says_what_stands_there_already_is_left_out(index):
    """As `Metadata_Batch` of profiles, which the screen calls its batch."""
    twice = index.assign(Metadata_Batch=index["batch"], Metadata_Label=index["label"].astype("str"))
    assert list(embedded(twice).columns) == list(embedded(index).columns)


def test_two_own_columns_never_share_a_name(index):
    table = embedded(index.assign(x="a", Metadata_x="b", Metadata_source_x="c"))
    assert table.columns.is_unique
    assert {name: table[name].iloc[0] for name in own_metadata(table)[2:]} == {
        "Metadata_source_source_x": "a", "Metadata_x": "b", "Metadata_source_x": "c",
    }  # fmt: skip


def test_compound_and_mechanism_of_the_screen_keep_their_places(index):
    table = embedded(index.assign(compound="c", mechanism="m"))
    assert own_metadata(table) == ["Metadata_concentration", "Metadata_Site_Count"]
    assert images_of(table)[list(OPTIONAL)].eq(["c", "m"]).all(axis=None)


@pytest.mark.parametrize("correction", [ZNorm(kind="znorm"), Combat(kind="combat")])
def test_a_correction_keeps_own_columns_and_does_not_look_at_them(index, correction):
    table = embedded(index)
    corrected = correct_table(table, correction)
    assert corrected[own_metadata(table)].equals(table[own_metadata(table)])
    without = correct_table(table.drop(columns=own_metadata(table)), correction)
    np.testing.assert_array_equal(features_of(corrected), features_of(without))


def test_scores_are_the_same_beside_own_columns(index):
    table = embedded(index)
    corrected = correct_table(table, Combat(kind="combat"))
    bare = [frame.drop(columns=own_metadata(table)) for frame in (table, corrected)]
    pd.testing.assert_frame_equal(score_embeddings(table, corrected), score_embeddings(*bare))


def test_pycytominer_takes_no_own_column_for_a_feature(index):
    from pycytominer import aggregate, feature_select, normalize

    table = embedded(index)
    names = feature_names(table)
    normal = normalize(table, features=names, samples="all", method="standardize")
    assert own_metadata(normal) == own_metadata(table)
    selected = feature_select(normal, features=names, operation="variance_threshold")
    assert own_metadata(selected) == own_metadata(table)
    wells = aggregate(table, strata=["Metadata_Plate", "Metadata_Well", "Metadata_concentration"], features=names)
    assert set(wells.columns) == {"Metadata_Plate", "Metadata_Well", "Metadata_concentration", *names}


def test_the_users_own_columns_stand_beside_predictions_too(index):
    table = prediction_table(index, np.log(np.full((len(index), 4), 0.25)))
    assert list(table.columns[-2:]) == ["Metadata_concentration", "Metadata_Site_Count"]
    assert table["Metadata_concentration"].tolist() == index["concentration"].tolist()
