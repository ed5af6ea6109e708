import numpy as np
import pandas as pd
import pytest
from helpers.images import make_images, make_index

from debatch.report.qc import RANGE_NOTE, channel_colours, draw_qc

CHANNELS = ["a", "b", "c"]


def draw(index: pd.DataFrame):
    images = dict(zip(index["image_id"], make_images(index), strict=True))
    figure, numbers = draw_qc(index, lambda row: images[row["image_id"]], CHANNELS, "mine")
    return figure, numbers, images


def test_numbers_are_those_of_the_shown_images():
    _, numbers, images = draw(make_index(experiments=3, wells=8))
    for row in numbers.to_dict("records"):
        for name, plane in zip(CHANNELS, images[row["image_id"]], strict=True):
            assert row[f"mean_{name}"] == pytest.approx(plane.mean())
            assert row[f"sd_{name}"] == pytest.approx(plane.std())


def test_lowest_site_and_same_choice_whatever_the_row_order():
    index = make_index(experiments=3, wells=8, sites=2)
    _, numbers, _ = draw(index)
    assert numbers["image_id"].str.endswith("_1").all()
    order = np.random.default_rng(0).permutation(len(index))
    images = dict(zip(index["image_id"], make_images(index), strict=True))
    shuffled = index.iloc[order].reset_index(drop=True)
    _, again = draw_qc(shuffled, lambda row: images[row["image_id"]], CHANNELS, "mine")
    pd.testing.assert_frame_equal(numbers, again)


def test_missing_image_leaves_a_marked_cell():
    index = make_index(experiments=3, wells=8)
    index = index[~((index["batch"] == "E01") & (index["perturbation"] == "T0"))].reset_index(drop=True)
    figure, numbers, _ = draw(index)
    blank = [axis for axis in figure.axes if any(text.get_text() == "no image" for text in axis.texts)]
    assert len(blank) == 1
    assert not blank[0].images
    assert len(numbers) == len(figure.axes) - 1


def test_figure_names_the_stains_and_says_how_it_was_scaled():
    figure, _, _ = draw(make_index(experiments=2, wells=4))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == CHANNELS
    assert legend.get_title().get_text() == RANGE_NOTE


@pytest.mark.parametrize("channels", [1, 2, 6, 9])
def test_each_channel_has_its_own_colour(channels):
    assert len(set(channel_colours(channels))) == channels
