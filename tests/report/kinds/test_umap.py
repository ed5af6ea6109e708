from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index

from debatch.report.kinds.figures import umap as figure6
from debatch.report.kinds.figures.umap import draw_umap
from debatch.report.kinds.figures.umap_zoom import draw_umap_zoom
from debatch.report.style import FAINT

NAMES = {"image_id": "Image", "cell_type": "CellType", "well_type": "WellType"}
FEATURES = [f"embedding_{feature}" for feature in range(8)]


def frame_of(index: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(len(index), len(FEATURES))).astype(np.float32)
    frame = pd.DataFrame(values, columns=FEATURES)
    for column in ("image_id", "cell_type", "well_type", "perturbation", "batch"):
        frame[f"Metadata_{NAMES.get(column, column.capitalize())}"] = index[column].to_numpy()
    return frame


@pytest.fixture(autouse=True)
def _no_umap(monkeypatch):
    """The real one compiles for half a minute; `test_figures.py` runs it, here the plain projection will do."""
    monkeypatch.setattr(figure6, "FEWEST_POINTS", 10**6)


def test_numbers_are_the_drawn_points():
    frame = frame_of(make_index(experiments=3, wells=8))
    figure, numbers = draw_umap({"one": frame}, "title")
    for axis in figure.axes:
        drawn = np.concatenate([np.asarray(points.get_offsets()) for points in axis.collections])
        expected = numbers[["x", "y"]].to_numpy()
        assert np.allclose(drawn[np.lexsort(drawn.T)], expected[np.lexsort(expected.T)])
    assert list(numbers["image"]) == list(frame["Metadata_Image"])


def test_the_users_own_columns_stand_beside_the_points():
    frame = frame_of(make_index(experiments=3, wells=8))
    own = [f"{at}.5" for at in range(len(frame))]
    frame.insert(0, "Metadata_concentration", own)
    frame.loc[0, FEATURES] = np.float32(0)
    _, numbers = draw_umap({"one": frame, "two": frame.drop(columns="Metadata_concentration")}, "title")
    assert list(numbers.columns) == [
        "image", "method", "x", "y", "batch", "perturbation", "Metadata_concentration",
    ]  # fmt: skip
    assert numbers.loc[numbers["method"] == "one", "Metadata_concentration"].tolist() == own[1:]
    assert numbers.loc[numbers["method"] == "two", "Metadata_concentration"].isna().all()


def test_zero_and_nan_embeddings_are_left_out_and_told_apart():
    frame = frame_of(make_index(experiments=3, wells=8))
    frame.loc[:1, FEATURES] = np.float32(0)
    frame.loc[2, FEATURES[0]] = np.nan
    figure, numbers = draw_umap({"one": frame}, "title")
    assert "(2 all-zero, 1 non-finite embeddings left out)" in figure.axes[0].get_title()
    assert len(numbers) == len(frame) - 3


@pytest.mark.parametrize("value", [0, 1])
def test_embeddings_without_variation_are_drawn(value):
    frame = frame_of(make_index(experiments=2, wells=8))
    frame[FEATURES] = np.float32(value)
    figure, numbers = draw_umap({"one": frame}, "title")
    assert len(numbers) == (len(frame) if value else 0)
    assert figure.axes[0].get_xlabel() == "PCA 1"


def test_every_cell_type_is_shown_where_each_batch_holds_one_class():
    index = make_index(experiments=4, wells=4)
    index["perturbation"] = index["cell_type"] = np.where(index["batch"] > "E01", "B", "A")
    _, numbers = draw_umap({"one": frame_of(index)}, "title")
    assert set(numbers["perturbation"]) == {"A", "B"}


def test_named_cell_type_is_shown():
    _, numbers = draw_umap({"one": frame_of(make_index(5, 4, cell_types=2))}, "title", cell_type="C1")
    assert set(numbers["batch"]) == {"E01", "E03"}


def test_batch_that_only_the_second_method_has_is_coloured():
    index = make_index(experiments=3, wells=8)
    first = frame_of(index[index["batch"] != "E02"])
    figure, _ = draw_umap({"one": first, "two": frame_of(index)}, "title")
    (legend,) = (own for axis in figure.axes if (own := axis.get_legend()) and own.get_title().get_text() == "batch")
    assert [text.get_text() for text in legend.get_texts()] == ["E00", "E01", "E02"]


def test_methods_stand_beside_each_other_and_each_row_has_its_legends():
    frame = frame_of(make_index(experiments=3, wells=8))
    figure, _ = draw_umap({f"m{n}": frame for n in range(5)}, "title")
    shown = [axis for axis in figure.axes if axis.axison]
    assert len(shown) == 2 * 5
    # four to a row, the fifth in a row of its own
    assert len({axis.get_subplotspec().colspan.start for axis in shown}) == 4
    titled = [axis.get_legend().get_title().get_text() for axis in shown if axis.get_legend()]
    assert titled == ["batch", "perturbation"] * 2


def test_many_points_are_pixels_in_a_vector_file_and_few_are_outlines(monkeypatch):
    frame = frame_of(make_index(experiments=3, wells=8))
    for most, pixels in ((4000, False), (5, True)):
        monkeypatch.setattr(figure6, "MOST_OUTLINES", most)
        figure, _ = draw_umap({"one": frame}, "title")
        assert {points.get_rasterized() for points in figure.axes[0].collections} == {pixels}


def test_only_treatments_are_coloured_and_grey_lies_below():
    figure, _ = draw_umap({"one": frame_of(make_index(experiments=3, wells=8))}, "title")
    legend = figure.axes[1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["T0", "T1", "T2", "negative controls"]
    assert legend.legend_handles[-1].get_color() == FAINT
    assert len(figure.axes[1].collections[0].get_offsets()) == 6  # the untreated control, first


def test_groups_that_lie_on_each_other_are_all_seen():
    figure, _ = draw_umap({"one": frame_of(make_index(experiments=2, wells=60))}, "title")
    colours = [tuple(colour) for points in figure.axes[0].collections for colour in points.get_facecolor()]
    assert sum(one != other for one, other in pairwise(colours)) > 10


def test_the_square_holds_most_points_and_each_correction_has_its_panels():
    index = make_index(experiments=3, wells=60)
    frame = frame_of(index)
    frame[FEATURES[0]] += 3
    crowded = frame.copy()
    crowded.loc[: len(frame) // 2, FEATURES] = (
        frame.loc[0, FEATURES].to_numpy() + 0.01 * frame.loc[: len(frame) // 2, FEATURES].to_numpy()
    )
    figure, numbers = draw_umap_zoom({"one": {"uncorrected": frame, "Z-norm": crowded}, "two": {"Z-norm": frame}}, "t")
    assert len(figure.axes) == 2 * 4
    own = numbers[(numbers["method"] == "one") & (numbers["correction"] == "Z-norm")]
    assert own["in_square"].sum() > len(frame) // 2
    inside = own[own["in_square"]]
    extent = max(np.ptp(own["x"]), np.ptp(own["y"]))
    assert max(np.ptp(inside["x"]), np.ptp(inside["y"])) <= 0.2501 * extent
    assert set(numbers["method"]) == {"one", "two"}
