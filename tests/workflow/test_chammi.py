"""CHAMMI's layout, made of real images: from its files to the scores of all nine tasks, by the shipped screen."""

import os
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from helpers.chammi import TASKS, write_chammi
from helpers.workflow import own_folder, snakemake

from debatch.config import Recipe, Screen
from debatch.config.read import expand
from debatch.embed import embed_images, statistics_groups, training_groups
from debatch.errors import DataError
from debatch.evaluate.tasks import task_scores
from debatch.files import Files
from debatch.model.inputs import ImageSet, channels_seen
from debatch.model.network import Network
from debatch.screen import open_screen
from debatch.screen.metadata import read_catalogue
from debatch.screen.splits import balance
from debatch.screen.store import ImageReader
from debatch.screen.subsets import images_in
from debatch.tabular import read_frame

pytestmark = pytest.mark.workflow
FILES = Files("results", "chammi")
PARTS = {"Allen": "WTC-11", "HPA": "HPA", "CP": "CP"}
# of Table 2, in its order
NINE = [("WTC-11", "Task_one"), ("WTC-11", "Task_two"), *(("HPA", task) for task in TASKS[:3])]
NINE += [("CP", task) for task in TASKS]


@pytest.fixture(scope="module")
def made(real_data, tmp_path_factory):
    """The workflow's folder after ingestion, the raw tree, and its rows."""
    tree = tmp_path_factory.mktemp("chammi")
    rows = write_chammi(tree, real_data)
    folder = own_folder(tmp_path_factory.mktemp("run"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAMMI", str(tree))
        snakemake(folder, "ingest", FILES.split("tasks"), FILES.normalization("experiment"), screen="chammi")
    return folder, tree, rows


@pytest.fixture(scope="module")
def files(made):
    return Files(str(made[0] / "results"), "chammi")


@pytest.fixture(scope="module")
def screen(root):
    return Screen(**yaml.safe_load((root / "config/screens/chammi.yaml").read_text()))


def test_each_data_set_is_a_part_with_its_channels(made, files):
    index = read_frame(files.index())
    assert index.groupby("part").size().to_dict() == {"WTC-11": 16, "HPA": 16, "CP": 72}
    shapes = {part: open_screen(files.root, part).images.shape[1:] for part in PARTS.values()}
    assert shapes == {"WTC-11": (3, 238, 238), "HPA": (4, 512, 512), "CP": (5, 160, 160)}
    assert open_screen(files.root, "HPA").channels == ["microtubules", "protein", "nucleus", "er"]
    assert set(index["experiment"]) == set(PARTS.values())
    assert index["image_id"].is_unique
    # each image stands by itself
    assert (index.groupby(["experiment", "plate", "well"]).size() == 1).all()
    for part in PARTS.values():
        assert pd.read_csv(files.problems(part)).empty


def test_stored_pixels_are_those_of_the_files(made, files):
    tree = made[1]

    for part, name, channel in (("HPA", "HPA/crops/HEPG2_2_2.png", 2), ("CP", "CP/crops/HUVEC-4-5.png", 4)):
        own = open_screen(files.root, part)
        (at,) = own.index.index[own.index["file_path"] == name]
        width = own.images.shape[3]
        tape = imagecodecs.png_decode((tree / name).read_bytes())
        stored = own.images[at, channel].compute(scheduler="sync")
        np.testing.assert_array_equal(stored, tape[:, channel * width : (channel + 1) * width])


def test_the_split_is_what_the_table_says(made, files):
    rows = made[2]
    index, split = read_frame(files.index()), read_frame(files.split("tasks"))
    path_of = index.set_index("image_id")["file_path"]
    for subset, column in (("train", "Train"), *((task, task) for task in TASKS)):
        said = set(rows.loc[rows["train_test_split"] == column, "file_path"])
        assert set(path_of[list(images_in(split, subset))]) == said
    assert balance(split, index)["subset"].tolist() == ["train", *sorted(TASKS)]


@pytest.mark.parametrize("stem", ["slice_param", "fixed_channels"])
def test_two_strategies_are_scored_on_all_nine_tasks(made, files, screen, stem):
    recipe = Recipe(
        backbone="small_resnet", stem=stem, pixels=32, embedding_width=None, group=16, normalization="experiment"
    )
    torch.manual_seed(0)
    index, split = read_frame(files.index()), read_frame(files.split("tasks"))
    reader = ImageReader(files.stores(index["experiment"].unique()), 1)
    statistics = read_frame(files.normalization("experiment"))
    images = ImageSet(index, statistics, reader, torch.device("cpu"), channels_seen(recipe, index, reader))
    network = Network(recipe, len(images.channels), int(index["label"].max()) + 1, 3, images.channel_sets)
    scored, training = (
        embed_images(network, images, groups("train", index, split, recipe), recipe, list(PARTS.values())).embeddings
        for groups in (statistics_groups, training_groups)
    )
    assert len(scored) == len(index) - len(training)
    found = task_scores(training, scored, index, split, screen.splits)
    tasks = found[found["metric"] == "task_f1"]
    assert [*zip(tasks["part"], tasks["task"], strict=True)] == sorted(
        NINE, key=lambda own: [*PARTS.values()].index(own[0])
    )
    assert tasks["value"].between(0, 1).all()
    means = found[found["metric"] == "ood_f1"].set_index("part")
    assert means["n"].to_dict() == {"WTC-11": 1, "HPA": 2, "CP": 3, "": 3}
    by_part = [
        tasks.loc[(tasks["part"] == part) & (tasks["task"] != "Task_one"), "value"].mean() for part in means.index
    ]
    assert means["value"].tolist() == pytest.approx([*by_part[:3], np.mean(by_part[:3])])
    # new classes, which no training image has: neighbours of the other group alone can be right
    for part, task in (("HPA", "Task_three"), ("CP", "Task_four")):
        own = found[(found["metric"] == "class_f1") & (found["part"] == part) & (found["task"] == task)]
        trained = set(index.loc[index["image_id"].isin(images_in(split, "train")), "perturbation"])
        assert len(own) == 2
        assert not trained & set(own["class"])


def test_a_label_that_differs_is_an_error_with_its_line(made, tmp_path, monkeypatch, screen):
    rows = made[2].copy()
    rows.loc[3, "label"] = "M5"
    rows.to_csv(tmp_path / "morphem70k_v2.csv", index=False)
    monkeypatch.setenv("CHAMMI", str(tmp_path))
    with pytest.raises(DataError, match=r"morphem70k_v2.csv, line 5: label is 'M5' and Label is 'M0' \(1 such row\)"):
        read_catalogue(screen, screen.metadata.tables(), ["WTC-11"])


def test_the_whole_of_chammi_has_as_many_images_as_its_paper(screen):
    table = Path(expand(screen.metadata.names()[0])) if os.environ.get("CHAMMI") else Path()
    if not table.is_file():
        pytest.skip("CHAMMI is not here; set $CHAMMI to the folder with morphem70k_v2.csv")
    catalogue = read_catalogue(screen, screen.metadata.tables(), list(PARTS.values()))
    expected = {name: part.expected_images for name, part in screen.parts.items()}
    assert catalogue["experiment"].value_counts().to_dict() == expected
    assert sum(expected.values()) == screen.images_expected() == 220_284
