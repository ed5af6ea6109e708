import numpy as np
import pandas as pd
import pytest
from helpers.images import make_images, make_index

from debatch.files import Files
from debatch.report.kinds.figures.umap import draw_umap
from debatch.report.qc import draw_qc, false_colour
from debatch.report.style import category_styles, new_figure, save_figure


def qc(index):
    images = dict(zip(index["image_id"], make_images(index), strict=True))
    return draw_qc(index, lambda row: images[row["image_id"]], {"all": ["a", "b", "c"]}, "mine")


def embeddings(index, features=8, seed=0):
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(4, features)) * 3
    values = centres[index["label"].to_numpy(int)] + generator.normal(size=(len(index), features))
    frame = pd.DataFrame(np.abs(values), columns=[f"embedding_{f}" for f in range(features)])
    names = {"image_id": "Image", "cell_type": "CellType", "well_type": "WellType"}
    for column in ("image_id", "cell_type", "well_type", "perturbation", "batch"):
        frame[f"Metadata_{names.get(column, column.capitalize())}"] = index[column].to_numpy()
    return frame.astype({f"embedding_{f}": np.float32 for f in range(features)})


def test_qc_shows_each_perturbation_in_each_batch_of_one_cell_type():
    index = make_index(experiments=7, wells=8, sites=2, cell_types=2)  # C0 has 4 batches, C1 three
    figure, numbers = qc(index)
    assert sorted(numbers["batch"].unique()) == ["E00", "E02", "E04", "E06"]
    assert (numbers.groupby("perturbation")["batch"].nunique() == 4).all()
    assert "T3" in set(numbers["perturbation"])  # the untreated control
    assert "cell type C0" in figure.get_suptitle()
    assert len(numbers) == len(figure.axes)


def test_qc_where_each_batch_holds_one_class_only_shows_every_class():
    index = make_index(experiments=6, wells=4)
    index["label"] = (index["batch"] > "E02").astype("Int64")
    index["perturbation"] = index["cell_type"] = np.where(index["batch"] > "E02", "B", "A")
    _, numbers = qc(index)
    assert numbers.groupby("perturbation").size().to_dict() == {"A": 3, "B": 3}


def test_one_display_range_for_the_whole_grid():
    limits = np.array([[0.0, 100.0]])
    bright = false_colour(np.full((1, 4, 4), 100, np.uint8), limits, ["#ffffff"])
    dim = false_colour(np.full((1, 4, 4), 50, np.uint8), limits, ["#ffffff"])
    assert bright.max() == 1
    assert dim.max() == pytest.approx(0.5)


def test_umap_keeps_one_cell_type_and_leaves_out_embeddings_without_direction():
    index = make_index(experiments=6, wells=16, cell_types=2)
    index.loc[index["experiment"] == "E05", "cell_type"] = "C0"
    frame = embeddings(index)
    frame.loc[frame["Metadata_Batch"] == "E00", [c for c in frame if c.startswith("embedding_")]] = np.float32(0)
    figure, numbers = draw_umap({"one": frame, "two": embeddings(index, seed=1)}, "title")
    assert set(numbers["batch"]) == {"E00", "E02", "E04", "E05"}
    assert numbers.groupby("method").size().to_dict() == {"one": 48, "two": 64}
    assert "16 all-zero embeddings left out" in figure.axes[0].get_title()
    assert np.isfinite(numbers[["x", "y"]]).all().all()


def test_few_points_are_shown_without_umap():
    figure, numbers = draw_umap({"one": embeddings(make_index(experiments=2, wells=4))}, "title")
    assert len(numbers) == 8
    assert figure.axes[0].get_xlabel() == "PCA 1"


def test_many_categories_differ_in_colour_or_marker():
    assert len(set(category_styles([str(n) for n in range(40)]).values())) == 40


def test_saved_figure_is_the_same_bytes_each_time(tmp_path):
    files = Files(str(tmp_path), "s")
    written = []
    for _ in range(2):
        figure = new_figure(2, 2)
        figure.subplots().plot([0, 1], [1, 0])
        save_figure(figure, files, "f", pd.DataFrame({"x": [1]}))
        written.append([(tmp_path / f"s/figures/f.{kind}").read_bytes() for kind in ("svg", "png", "csv")])
    assert written[0] == written[1]
