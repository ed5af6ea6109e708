import numpy as np
import pytest
from helpers.images import make_images, make_index

from debatch.errors import DataError
from debatch.screen.ingest.measure import measure
from debatch.screen.normalization import GROUPS, as_arrays, normalization_statistics


@pytest.fixture
def screen():
    index = make_index(experiments=2, wells=8)
    return index, make_images(index)


def statistics(screen, variant):
    index, images = screen
    return as_arrays(
        normalization_statistics(index, measure(images).moments, ["a", "b", "c"], variant), index["image_id"]
    )


def test_self_is_each_images_own_pixels(screen):
    means, sds = statistics(screen, "self")
    np.testing.assert_allclose(means, screen[1].mean((2, 3)), rtol=1e-6)
    np.testing.assert_allclose(sds, screen[1].std((2, 3)), rtol=1e-5)


@pytest.mark.parametrize("variant", sorted(GROUPS))
def test_pixels_are_pooled_over_the_group(screen, variant):
    index, images = screen
    means, sds = statistics(screen, variant)
    own = np.ones(len(index), bool)
    for column in GROUPS[variant]:
        own &= (index[column] == index[column].iloc[0]).to_numpy()
    if variant.endswith("_controls"):
        own &= (index["well_type"] == "negative_control").to_numpy()
    pooled = images[own].transpose(1, 0, 2, 3).reshape(3, -1)
    np.testing.assert_allclose(means[0], pooled.mean(1), rtol=1e-6)
    np.testing.assert_allclose(sds[0], pooled.std(1), rtol=1e-5)


def test_constant_channel_becomes_zero_and_not_infinite(screen):
    index, images = screen
    images[:, 1] = 7
    means, sds = statistics((index, images), "self")
    assert (sds[:, 1] == 1).all()
    assert (means[:, 1] == 7).all()


def test_plate_without_controls_is_named(screen):
    index, images = screen
    index.loc[index["experiment"] == "E01", "well_type"] = "treatment"
    with pytest.raises(DataError, match="no control well in experiment E01, plate 1"):
        statistics((index, images), "plate_controls")
