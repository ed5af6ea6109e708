import numpy as np
import pytest
from helpers.images import make_images, make_index

from debatch.config.images import Store
from debatch.errors import DataError
from debatch.screen.ingest.measure import measure
from debatch.screen.normalization import GROUPS, as_arrays, moments_of, normalization_statistics
from debatch.screen.store import StoreWriter


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
    # both kinds of control well: RxRx1 has one EMPTY well a plate, too few alone
    index.loc[index["label"] == 0, "well_type"] = "positive_control"
    means, sds = statistics(screen, variant)
    own = np.ones(len(index), bool)
    for column in GROUPS[variant]:
        own &= (index[column] == index[column].iloc[0]).to_numpy()
    if variant.endswith("_controls"):
        own &= (index["well_type"] != "treatment").to_numpy()
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


def in_parts():
    """Two experiments of a part each, with channels a, b and b, c; the moments of all three channels."""
    index = make_index(experiments=2, wells=4)
    index["part"] = index["experiment"]
    images = make_images(index)
    moments = measure(images).moments
    moments[:4, 2], moments[4:, 0] = 0, 0
    return index, images, moments


def test_channel_that_an_images_part_lacks_has_no_statistics():
    index, _, moments = in_parts()
    for variant in GROUPS:
        found = normalization_statistics(index, moments, ["a", "b", "c"], variant)
        for column in ("mean", "sd"):
            assert found[f"{column}_a"].isna().tolist() == [False] * 4 + [True] * 4
            assert found[f"{column}_c"].isna().tolist() == [True] * 4 + [False] * 4
            assert found[f"{column}_b"].notna().all()
    # the same stain, and not the same stored values
    assert found["mean_b"].iloc[0] != found["mean_b"].iloc[7]


def test_statistics_are_picked_by_name():
    index, images, moments = in_parts()
    found = normalization_statistics(index, moments, ["a", "b", "c"], "self")
    means, _ = as_arrays(found, index["image_id"].iloc[[5, 4]], ["c", "b"])
    np.testing.assert_allclose(means, images[[5, 4]][:, [2, 1]].mean((2, 3)), rtol=1e-6)
    with pytest.raises(DataError, match="the image E01_1_B02_1 has no channel 'a'; name channels that all images"):
        as_arrays(found, index["image_id"], ["b", "a"])
    with pytest.raises(DataError, match="has no channel 'd'"):
        as_arrays(found, index["image_id"], ["d"])


def test_moments_of_stores_are_put_under_their_channels_names(tmp_path):
    index, images, _ = in_parts()
    stores = {}
    for experiment, channels in (("E00", ["a", "b"]), ("E01", ["c", "b"])):
        own = images[index.index[index["experiment"] == experiment]][:, :2]
        stores[experiment] = tmp_path / f"{experiment}.zarr"
        with StoreWriter(stores[experiment], own.shape, Store(), {"channels": channels}) as writer:
            writer.append(own, measure(own).moments)
    moments, names = moments_of(index, stores)
    assert names == ["a", "b", "c"]
    np.testing.assert_array_equal(moments[:4, :2], measure(images[:4]).moments[:, :2])
    np.testing.assert_array_equal(moments[4:, [2, 1]], measure(images[4:]).moments[:, :2])
    assert not moments[:4, 2].any()
    assert not moments[4:, 0].any()
