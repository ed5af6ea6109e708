import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import MemoryReader, in_parts, make_images, make_index, self_statistics

from debatch.embed import embed_images, statistics_groups
from debatch.errors import DataError
from debatch.learn.augment import random_dihedral
from debatch.learn.data import training_data
from debatch.learn.train import Trainer, TrainingFiles
from debatch.model.inputs import ImageSet
from debatch.model.standardize import standardize


def test_16_bit_images_reach_the_network_whole():
    """torch has no flip of uint16: they travel as int32."""
    index = make_index(experiments=1, wells=4)
    images = make_images(index).astype(np.uint16) * 257
    images_set = ImageSet(index, self_statistics(index, images), MemoryReader(index, images), torch.device("cpu"))
    (group,) = images_set.groups([np.array([2, 0])])
    np.testing.assert_array_equal(group.images.numpy(), images[[2, 0]])
    flipped = random_dihedral(group.images, torch.Generator().manual_seed(0))
    assert flipped.sum() == group.images.sum()
    standardized = group.standardized(32)
    assert standardized.dtype == torch.float32
    torch.testing.assert_close(standardized.mean((2, 3)), torch.zeros(2, 3), atol=1e-4, rtol=0)


def test_memory_is_used_again_only_when_nobody_holds_it():
    index = make_index(experiments=1, wells=8)
    images = make_images(index)
    images_set = ImageSet(index, self_statistics(index, images), MemoryReader(index, images), torch.device("cpu"))
    kept = [(group.positions, group.images) for group in images_set.groups([np.array([at]) for at in range(8)])]
    for positions, held in kept:
        np.testing.assert_array_equal(held.numpy(), images[positions])


def test_groups_are_of_one_part_and_their_channels_are_found_by_name(tmp_path):
    index, statistics, reader, expected = in_parts(tmp_path)
    images_set = ImageSet(index, statistics, reader, torch.device("cpu"), ["c1", "c0"])
    order = np.random.default_rng(0).permutation(len(index))
    groups = list(images_set.groups(images_set.cut(order, 8)))
    assert len(groups) == 6
    assert sorted(np.concatenate([group.positions for group in groups])) == list(range(48))
    for group in groups:
        assert len(set(index["part"].iloc[group.positions])) == 1
        assert group.channels == ("c1", "c0")
        np.testing.assert_array_equal(group.images.numpy(), np.stack([expected[at] for at in group.positions]))
        torch.testing.assert_close(
            group.standardized(32).mean((2, 3)), torch.zeros(len(group.positions), 2), atol=1e-4, rtol=0
        )


def test_channel_that_a_part_lacks_is_refused_before_anything_is_read(tmp_path):
    index, statistics, reader, _ = in_parts(tmp_path)
    with pytest.raises(DataError, match="the image E02_1_B02_1 has no channel 'c2'"):
        ImageSet(index, statistics, reader, torch.device("cpu"), ["c0", "c2"])


def test_parts_of_two_sizes_are_no_input_of_one_network(tmp_path):
    index, statistics, reader, _ = in_parts(tmp_path, sizes=((32, 32), (24, 40)))
    with pytest.raises(DataError, match=r"differ in the size of their images \(square: 32 x 32; other: 24 x 40\)"):
        ImageSet(index, statistics, reader, torch.device("cpu"), ["c0", "c1"])
    own = index[index["part"] == "other"]
    images_set = ImageSet(own, statistics, reader, torch.device("cpu"), ["c0", "c1"])
    (group,) = images_set.groups([np.arange(5)])
    assert group.standardized([24, 40]).shape == (5, 2, 24, 40)
    halved = group.standardized([12, 20])
    torch.testing.assert_close(halved, torch.nn.functional.avg_pool2d(group.standardized([24, 40]), 2))
    with pytest.raises(DataError, match=r"24 x 40 pixels .* has 32 x 32, .* write `pixels: \[25, 41\]`"):
        group.standardized(32)


def test_network_is_trained_on_two_parts_by_the_channels_that_they_share(tmp_path, tiny_recipe):
    index, statistics, reader, _ = in_parts(tmp_path, sizes=((24, 40), (24, 40)))
    recipe = tiny_recipe.model_copy(update={"pixels": [24, 40], "channels": ["c0", "c1"], "epochs": 1})
    split = pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["well"] < "B10", "train", "test")})
    data = training_data(index, split, False, 0)
    images = ImageSet(data.rows, statistics, reader, torch.device("cpu"), recipe.channels)
    trainer = Trainer(recipe, data, images, seed=0, name="test")
    history = trainer.fit(TrainingFiles(tmp_path / "history.csv", tmp_path / "checkpoint.pt"))
    assert np.isfinite(history["loss"]).all()
    every = ImageSet(index, statistics, reader, torch.device("cpu"), recipe.channels)
    groups = statistics_groups("train", index, split, recipe)
    embedded = embed_images(trainer.network, every, groups, recipe, data.batch_names)
    assert len(embedded.embeddings) == (split["subset"] == "test").sum()


def test_images_smaller_than_the_networks_input_are_interpolated_and_not_repeated():
    slope = torch.arange(24).repeat(24, 1).to(torch.uint8)[None, None]
    larger = standardize(slope, torch.zeros(1, 1), torch.ones(1, 1), 48)
    steps = larger[0, 0, 0, 1:-1].diff()
    torch.testing.assert_close(steps, torch.full_like(steps, 0.5))
