import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, laplace
from skimage.filters import threshold_otsu

from debatch.config.screen import QcLimits
from debatch.screen.flags import FEWEST_IMAGES, kind_of_flag, qc_flags, too_few_to_flag, too_few_words
from debatch.screen.ingest.measure import cut_off, measure
from debatch.screen.nouns import IMAGE, TILE


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@given(seed=st.integers(0, 1000), top=st.sampled_from([3, 200, 255, 4095, 65535]))
@settings(max_examples=20)
def test_measures_are_their_definitions(dtype, seed, top):
    largest = np.iinfo(dtype).max
    images = np.random.default_rng(seed).integers(0, min(top, largest) + 1, (2, 2, 21, 17)).astype(dtype)
    images[0, 0, :3] = largest
    found = measure(images)
    wide = images.astype(object)
    for n in range(2):
        for c in range(2):
            plane, values = images[n, c], wide[n, c].ravel()
            assert found.moments[n, c].tolist() == [plane.size, sum(values), sum(v * v for v in values)]
            assert found.saturation[n, c] == pytest.approx((plane == largest).mean())
            # OpenCV mirrors the border without repeating it
            expected = laplace(plane.astype(np.float64), mode="mirror").var()
            assert found.focus[n, c] == pytest.approx(expected, rel=1e-4)
            assert found.foreground[n, c] == pytest.approx((plane > threshold_otsu(plane)).mean(), abs=0.02)


def test_constant_image_has_no_focus_and_no_foreground():
    found = measure(np.full((1, 1, 16, 16), 7, np.uint8))
    assert (found.focus[0, 0], found.foreground[0, 0], found.saturation[0, 0]) == (0, 0, 0)
    assert measure(np.full((1, 1, 16, 16), 255, np.uint8)).saturation[0, 0] == 1


def test_blur_lowers_focus():
    sharp = np.random.default_rng(0).integers(0, 255, (1, 1, 64, 64), dtype=np.uint8)
    blurred = gaussian_filter(sharp.astype(float), (0, 0, 2, 2)).astype(np.uint8)
    assert measure(blurred).focus[0, 0] < 0.05 * measure(sharp).focus[0, 0]


def index_of(count=40, **columns):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"experiment": ["A"] * count + ["B"] * count})
    frame["saturation_D"] = 0.0
    # experiment B is five times as sharp: an image is held against its own experiment
    frame["focus_D"] = np.exp(generator.normal(5, 0.1, 2 * count)) * np.repeat([1, 5], count)
    frame["foreground_D"] = generator.uniform(0.2, 0.3, 2 * count)
    for column, values in columns.items():
        for at, value in values.items():
            frame.loc[at, column] = value
    return frame


def test_what_is_odd_is_flagged_by_channel_and_nothing_else_is():
    index = index_of(saturation_D={3: 0.02, 4: 0.009}, focus_D={45: 150.0, 46: 0.0}, foreground_D={50: 0.001})
    flags = qc_flags(index, QcLimits())
    assert {at: flag for at, flag in enumerate(flags) if flag} == {
        3: "D: saturated",
        45: "D: out of focus",
        46: "D: constant",
        50: "D: little foreground",
    }


def plane(height=40, width=30, seed=0):
    return np.random.default_rng(seed).integers(100, 4000, (height, width), dtype=np.uint16)


@pytest.mark.parametrize(("rows", "share"), [(20, 0.5), (10, 0.25), (39, 0.975), (9, 0), (1, 0), (0, 0)])
def test_rows_of_zeros_at_the_end_are_measured_from_a_quarter_on(rows, share):
    image = plane()
    image[len(image) - rows :] = 0
    image[len(image) - rows - 1, 5:] = 0  # a copy ends within a row
    assert cut_off(image) == pytest.approx(share)


def test_zeros_that_are_no_end_of_a_file_are_none():
    black = np.zeros((40, 30), np.uint8)
    assert cut_off(black) == 0
    at_the_top = plane()
    at_the_top[:20] = 0
    assert cut_off(at_the_top) == 0
    # a subtracted background leaves half of its noise at zero, here and there
    subtracted = np.clip(np.random.default_rng(0).normal(0, 5, (400, 300)), 0, None).astype(np.uint8)
    assert (subtracted == 0).mean() > 0.5
    assert cut_off(subtracted) == 0
    # a background that was set to zero, and cells in the upper half alone
    sparse = black.copy()
    sparse[5:9, 4:9] = sparse[15:19, 20:24] = 200
    assert cut_off(sparse) == 0
    cut = subtracted.copy()
    cut[200:] = 0
    assert cut_off(cut) == pytest.approx(0.5, abs=0.01)


def test_an_image_that_ends_in_zeros_is_flagged_as_that_and_a_black_one_as_constant():
    index = index_of(focus_D={3: 0.0}).assign(site="1", cut_off_D=0.0)
    index.loc[2, "cut_off_D"] = 0.496
    flags = qc_flags(index, QcLimits())
    assert flags[2] == "D: its last 50 % are zeros, as of a copy that was cut off"
    assert flags[3] == "D: constant"
    tile = qc_flags(index.assign(site="1.04"), QcLimits())[2]
    assert tile == "D: its field's last 50 % are zeros, as of a copy that was cut off"
    assert {kind_of_flag(flag) for flag in (flags[2], tile)} == {"cut off"}
    assert kind_of_flag(flags[3]) == "constant"


def test_rows_of_a_version_that_measured_no_ends_are_not_flagged_for_it():
    old, new = index_of().assign(site="1"), index_of().assign(site="1", cut_off_D=0.0)
    assert not qc_flags(old, QcLimits()).any()
    assert not qc_flags(pd.concat([old, new], ignore_index=True), QcLimits()).any()


def test_limits_are_the_screens():
    index = index_of(saturation_D={3: 0.02})
    assert not qc_flags(index, QcLimits(saturation=0.05)).any()


def test_experiment_with_a_single_image_has_nothing_to_be_held_against():
    index = pd.DataFrame({"experiment": ["A"], "saturation_D": [0.0], "focus_D": [3.0], "foreground_D": [0.1]})
    assert qc_flags(index, QcLimits()).tolist() == [""]


def test_experiment_of_too_few_images_is_flagged_for_what_needs_no_comparison_alone():
    """What lies far below the others of a handful says nothing; a constant or saturated image does."""
    few = FEWEST_IMAGES - 1
    odd = {"focus_D": {3: 1.0, 4: 0.0}, "saturation_D": {5: 0.5}, "foreground_D": {6: 1e-5}}
    enough, short = index_of(FEWEST_IMAGES, **odd), index_of(few, **odd)
    assert {3, 4, 5, 6} == set(np.flatnonzero(qc_flags(enough, QcLimits())))
    flags = qc_flags(short, QcLimits())
    assert {at: flag for at, flag in enumerate(flags) if flag} == {4: "D: constant", 5: "D: saturated"}
    assert too_few_words(enough["experiment"], IMAGE) == ""
    assert too_few_words(short["experiment"], IMAGE).startswith(
        "Too few images to flag for focus or foreground in every experiment: fewer than 20"
    )


def test_experiments_of_too_few_images_are_named():
    experiments = pd.Series([name for name in "ABCDEFG" for _ in range(3)] + ["Z"] * FEWEST_IMAGES, dtype="category")
    assert " in A, B, C, D, E and 2 more: " in too_few_words(experiments, TILE)
    assert "Too few tiles" in too_few_words(experiments, TILE)
    assert too_few_to_flag(experiments[21:]) == []  # of a category that no row has there is nothing to say
