import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, laplace
from skimage.filters import threshold_otsu

from debatch.config.screen import QcLimits
from debatch.screen.flags import FEWEST_IMAGES, qc_flags, too_few_to_flag, too_few_words
from debatch.screen.ingest.measure import measure
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
