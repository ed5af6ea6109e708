import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import MemoryReader, make_images, make_index, self_statistics

from debatch.config import Recipe
from debatch.embed import embed_images, statistics_groups, training_groups
from debatch.errors import DataError
from debatch.model.inputs import ImageSet
from debatch.model.network import Network

INDEX = make_index(experiments=3, wells=13)
IMAGES = make_images(INDEX)
SPLIT = pd.DataFrame({"image_id": INDEX["image_id"], "subset": np.where(INDEX["batch"] == "E02", "test", "train")})

TEN = Recipe(statistics_images=10, group=8)
FORMS = ["train", "batch", "plate", "controls", "mini_batch", "half", "n5"]


def embed(recipe, inference, index=INDEX, images=IMAGES, split=SPLIT):
    torch.manual_seed(0)
    network = Network(recipe, channels=3, classes=4, batches=2)
    image_set = ImageSet(index, self_statistics(index, images), MemoryReader(index, images), torch.device("cpu"))
    groups = statistics_groups(inference, index, split, recipe)
    return embed_images(network, image_set, groups, recipe, ["E00", "E01"])


@pytest.mark.parametrize("inference", FORMS)
def test_result_does_not_depend_on_image_order(tiny_recipe, inference):
    order = np.random.default_rng(0).permutation(len(INDEX))
    first = embed(tiny_recipe, inference).embeddings.set_index("Metadata_Image")
    second = embed(tiny_recipe, inference, INDEX.iloc[order].reset_index(drop=True), IMAGES[order])
    second = second.embeddings.set_index("Metadata_Image").loc[first.index]
    features = [column for column in first if column.startswith("embedding_")]
    np.testing.assert_allclose(first[features], second[features], atol=1e-4)


@pytest.mark.parametrize("inference", FORMS)
def test_result_does_not_depend_on_the_loader_or_on_threads(tiny_recipe, inference, monkeypatch):
    first = embed(tiny_recipe, inference).embeddings
    monkeypatch.setattr("debatch.model.inputs.GROUPS_AHEAD", 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    try:
        second = embed(tiny_recipe, inference).embeddings
    finally:
        torch.set_num_threads(threads)
    features = [column for column in first if column.startswith("embedding_")]
    np.testing.assert_allclose(first[features], second[features], atol=1e-4)


def test_last_group_smaller_than_the_rest_is_not_dropped(tiny_recipe):
    """13 test images in groups of 8."""
    embedded = embed(tiny_recipe, "batch")
    assert len(embedded.embeddings) == len(embedded.predictions) == 13
    assert embedded.predictions["image_id"].tolist() == INDEX.loc[INDEX["batch"] == "E02", "image_id"].tolist()


def test_train_statistics_come_from_training_images_only(tiny_recipe):
    (group,) = statistics_groups("train", INDEX, SPLIT, TEN)
    assert len(group.reference) == 10
    assert (INDEX["batch"].iloc[group.reference] != "E02").all()


def test_batch_statistics_are_the_test_batchs_own_and_unlabelled_images_count():
    index = INDEX.copy()
    index.loc[index["well"] == "B03", "label"] = pd.NA
    (group,) = statistics_groups("batch", index, SPLIT, TEN)
    assert group.name == "E02"
    assert len(group.reference) == 13
    assert (index["batch"].iloc[group.reference] == "E02").all()


def test_batch_statistics_come_from_training_images_where_the_batch_has_such():
    subset = np.where(np.arange(len(INDEX)) % 3 == 0, "test", "train")
    split = pd.DataFrame({"image_id": INDEX["image_id"], "subset": subset})
    for group in statistics_groups("batch", INDEX, split, TEN):
        assert set(subset[group.reference]) == {"train"}
        assert set(subset[group.images]) == {"test"}
        assert set(INDEX["batch"].iloc[group.reference]) == {group.name}


def test_test_batch_with_a_single_image_is_named():
    index = INDEX[(INDEX["batch"] != "E02") | (INDEX["well"] == "B02")].reset_index(drop=True)
    with pytest.raises(DataError, match="E02: test statistics 'batch' would come from 1 image; at least two"):
        statistics_groups("batch", index, SPLIT, TEN)


def two_plates():
    """Of each batch, the last seven wells stand on plate 2."""
    return INDEX.assign(plate=np.where(INDEX["well"] >= "B08", "2", "1"))


def test_plate_statistics_are_the_plates_own():
    index = two_plates()
    groups = statistics_groups("plate", index, SPLIT, TEN)
    assert [group.name for group in groups] == ["E02_1", "E02_2"]
    for group in groups:
        np.testing.assert_array_equal(group.reference, group.images)
        assert index["plate"].iloc[group.images].nunique() == 1
    assert sum(len(group.images) for group in groups) == 13


def test_control_statistics_are_the_batchs_control_wells():
    (group,) = statistics_groups("controls", INDEX, SPLIT, TEN)
    assert set(INDEX["well_type"].iloc[group.reference]) == {"negative_control"}
    assert len(group.images) == 13
    none = INDEX.assign(well_type="treatment")
    with pytest.raises(
        DataError, match=r"E02: test statistics 'controls' would come from no control image \(see `well_types`"
    ):
        statistics_groups("controls", none, SPLIT, TEN)


def test_a_number_of_images_is_drawn_by_their_names():
    (group,) = statistics_groups("n5", INDEX, SPLIT, TEN)
    assert len(group.reference) == 5
    assert set(group.reference) <= set(group.images)
    (again,) = statistics_groups("n5", INDEX.iloc[::-1].reset_index(drop=True), SPLIT, TEN)
    names = INDEX["image_id"].to_numpy()
    assert set(names[group.reference]) == set(names[::-1][again.reference])
    (all_of_them,) = statistics_groups("n500", INDEX, SPLIT, TEN)
    assert len(all_of_them.reference) == 13


def test_mini_batches_are_shuffled_groups_of_one_batch_each_by_itself():
    index = make_index(experiments=3, wells=40)
    split = pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["batch"] == "E00", "train", "test")})
    groups = statistics_groups("mini_batch", index, split, TEN)
    assert sorted(np.concatenate([group.images for group in groups])) == list(range(40, 120))
    for group in groups:
        np.testing.assert_array_equal(group.reference, group.images)
        assert index["batch"].iloc[group.images].nunique() == 1
        # in the order of the index a mini-batch would be a few neighbouring wells
        assert np.ptp(group.images) > 10
    assert {len(group.images) for group in groups} == {8}


def test_half_gives_two_sides_that_share_neither_wells_nor_statistics():
    index = make_index(experiments=3, wells=12, sites=2)
    split = pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["batch"] == "E02", "test", "train")})
    groups = statistics_groups("half", index, split, TEN)
    wells = [set(index["well"].iloc[part]) for group in groups for part in (group.reference, group.images)]
    assert [len(own) for own in wells] == [3, 3, 3, 3]
    assert len(set.union(*wells)) == 12


@pytest.mark.parametrize("inference", FORMS)
def test_no_form_touches_images_outside_the_split_or_trains_on_test(inference):
    index = make_index(experiments=4, wells=13)  # E03 is in no subset
    for group in statistics_groups(inference, index, SPLIT, TEN):
        assert set(index["batch"].iloc[group.images]) == {"E02"}
        sources = set(index["batch"].iloc[group.reference])
        assert sources <= ({"E00", "E01"} if inference == "train" else {"E02"})


def test_images_outside_the_split_are_not_used():
    index = make_index(experiments=4, wells=13)
    (group,) = statistics_groups("batch", index, SPLIT, TEN)
    assert len(group.reference) == 13


def test_well_prediction_is_the_mean_of_its_sites(tiny_recipe):
    index = make_index(experiments=3, wells=5, sites=3)
    split = pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["batch"] == "E02", "test", "train")})
    predictions = embed(tiny_recipe, "batch", index, make_images(index), split).predictions
    wells = predictions["image_id"].str.rsplit("_", n=1).str[0]
    assert (predictions.groupby(wells)["predicted_well"].nunique() == 1).all()
    assert (predictions["log_probability"] <= 0).all()


def test_format_is_the_fields(tiny_recipe):
    frame = embed(tiny_recipe, "train").embeddings
    metadata = [column for column in frame if column.startswith("Metadata_")]
    assert {"Metadata_Plate", "Metadata_Well", "Metadata_Perturbation", "Metadata_Batch"} <= set(metadata)
    features = frame.drop(columns=metadata)
    assert features.shape[1] == 16
    assert set(features.dtypes.astype(str)) == {"float32"}
    assert (features.to_numpy() >= 0).all()


@pytest.mark.parametrize("inference", ["train", "batch", "plate", "controls", "mini_batch", "n5"])
def test_training_images_are_looked_at_as_test_images_of_their_batch_are(inference):
    """For a probe that is fitted on the one and scored on the other."""
    index = make_index(experiments=3, wells=8, sites=2)
    split = pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["well"] < "B07", "train", "test")})
    recipe = Recipe(group=4, statistics_images=12)
    train = set(np.flatnonzero(split["subset"] == "train"))
    groups = training_groups(inference, index, split, recipe)
    assert sorted(np.concatenate([group.images for group in groups])) == sorted(train)
    assert all(set(group.reference) <= train for group in groups)
    if inference != "mini_batch":
        of_test = {group.name: group.reference for group in statistics_groups(inference, index, split, recipe)}
        for group in groups:
            np.testing.assert_array_equal(group.reference, of_test[group.name])


def test_statistics_from_fewer_images_than_a_group_are_said_and_counted(tiny_recipe, caplog):
    index = make_index(experiments=3, wells=8)
    index = index[(index["experiment"] != "E02") | (index["well"] < "B05")].reset_index(drop=True)
    split = pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["batch"] == "E02", "test", "train")})
    images = make_images(index)
    network = Network(tiny_recipe, 3, 4, 2)
    reader = MemoryReader(index, images)
    image_set = ImageSet(index, self_statistics(index, images), reader, torch.device("cpu"))
    groups = statistics_groups("batch", index, split, tiny_recipe)
    embedded = embed_images(network, image_set, groups, tiny_recipe, ["E00", "E01"])
    assert set(embedded.predictions["statistics_images"]) == {3}
    assert "E02: statistics from only 3 images (a training group has 8)" in caplog.text


def test_batch_of_one_well_is_left_out_by_halves(tiny_recipe, caplog):
    index = make_index(experiments=3, wells=8)
    index.loc[index["batch"] == "E02", "well"] = "B02"
    images = make_images(index)
    split = pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["batch"] > "E00", "test", "train")})
    embedded = embed(tiny_recipe, "half", index, images, split)
    assert set(embedded.embeddings["Metadata_Batch"]) == {"E01"}
    assert "E02: too few wells to take statistics from halves of them" in caplog.text
    nothing = embed(tiny_recipe, "half", index, images, split.assign(
        subset=np.where(index["batch"] == "E02", "test", "train")))  # fmt: skip
    assert len(nothing.embeddings) == len(nothing.predictions) == 0
    assert list(nothing.embeddings) == list(embedded.embeddings)


@pytest.mark.parametrize("inference", FORMS)
def test_named_tasks_of_a_split_change_nothing(inference):
    """An image of several tasks has several rows."""
    tested = SPLIT[SPLIT["subset"] == "test"]
    tasks = [tested.assign(subset="one"), tested.iloc[:3].assign(subset="two")]
    with_tasks = pd.concat([SPLIT, *tasks], ignore_index=True)
    for groups in (statistics_groups, *([training_groups] if inference != "half" else [])):
        plain, named = (groups(inference, INDEX, split, TEN) for split in (SPLIT, with_tasks))
        assert [group.name for group in named] == [group.name for group in plain]
        for one, other in zip(named, plain, strict=True):
            np.testing.assert_array_equal(one.images, other.images)
            np.testing.assert_array_equal(one.reference, other.reference)
