import numpy as np
import torch
from helpers.images import MemoryReader, make_images, make_index, self_statistics

from debatch.learn.augment import random_dihedral
from debatch.model.inputs import ImageSet


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
