import numpy as np
import pandas as pd
import pytest
import torch
from conftest import MemoryReader, make_images, make_index, self_statistics

from debatch.embed import embed_images, statistics_groups
from debatch.errors import DataError
from debatch.model.inputs import ImageSet
from debatch.model.network import Network

INDEX = make_index(experiments=3, wells=13)
IMAGES = make_images(INDEX)
SPLIT = pd.DataFrame({"image_id": INDEX["image_id"], "subset": np.where(INDEX["batch"] == "E02", "test", "train")})


def embed(recipe, inference, index=INDEX, images=IMAGES, split=SPLIT):
    torch.manual_seed(0)
    network = Network(recipe, channels=3, classes=4, batches=2)
    image_set = ImageSet(index, self_statistics(index, images), MemoryReader(index, images), torch.device("cpu"))
    groups = statistics_groups(inference, index, split, recipe.statistics_images)
    return embed_images(network, image_set, groups, recipe, ["E00", "E01"])


@pytest.mark.parametrize("inference", ["train", "batch"])
def test_result_does_not_depend_on_image_order(tiny_recipe, inference):
    order = np.random.default_rng(0).permutation(len(INDEX))
    first = embed(tiny_recipe, inference).embeddings.set_index("Metadata_Image")
    second = embed(tiny_recipe, inference, INDEX.iloc[order].reset_index(drop=True), IMAGES[order])
    second = second.embeddings.set_index("Metadata_Image").loc[first.index]
    features = [column for column in first if column.startswith("embedding_")]
    np.testing.assert_allclose(first[features], second[features], atol=1e-4)


def test_last_group_smaller_than_the_rest_is_not_dropped(tiny_recipe):
    """13 test images in groups of 8."""
    embedded = embed(tiny_recipe, "batch")
    assert len(embedded.embeddings) == len(embedded.predictions) == 13
    assert embedded.predictions["image_id"].tolist() == INDEX.loc[INDEX["batch"] == "E02", "image_id"].tolist()


def test_train_statistics_come_from_training_images_only(tiny_recipe):
    (group,) = statistics_groups("train", INDEX, SPLIT, 10)
    assert len(group.reference) == 10
    assert (INDEX["batch"].iloc[group.reference] != "E02").all()


def test_batch_statistics_are_the_test_batchs_own_and_unlabelled_images_count():
    index = INDEX.copy()
    index.loc[index["well"] == "B03", "label"] = pd.NA
    (group,) = statistics_groups("batch", index, SPLIT, 10)
    assert group.name == "E02"
    assert len(group.reference) == 13
    assert (index["batch"].iloc[group.reference] == "E02").all()


def test_batch_statistics_come_from_training_images_where_the_batch_has_such():
    subset = np.where(np.arange(len(INDEX)) % 3 == 0, "test", "train")
    split = pd.DataFrame({"image_id": INDEX["image_id"], "subset": subset})
    for group in statistics_groups("batch", INDEX, split, 10):
        assert set(subset[group.reference]) == {"train"}
        assert set(subset[group.images]) == {"test"}
        assert set(INDEX["batch"].iloc[group.reference]) == {group.name}


def test_test_batch_with_a_single_image_is_named():
    index = INDEX[(INDEX["batch"] != "E02") | (INDEX["well"] == "B02")].reset_index(drop=True)
    with pytest.raises(DataError, match="the test batch E02 has a single image"):
        statistics_groups("batch", index, SPLIT, 10)


def test_images_outside_the_split_are_not_used():
    index = make_index(experiments=4, wells=13)
    (group,) = statistics_groups("batch", index, SPLIT, 10)
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
