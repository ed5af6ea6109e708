"""Networks that go on from another method's weights, to learn mechanisms: the fine-tuned half of CDCL's Table 2a."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.workflow import own_folder, planned, snakemake
from safetensors.numpy import load_file

from debatch.digests import sha256_of_file
from debatch.files import Files
from debatch.tabular import read_frame

pytestmark = pytest.mark.workflow
SCREEN = """
extends: tiny
title: Mechanisms (simulated)
simulate: {experiments: {ALPHA: 3, BETA: 0}, treatments: 6, mechanisms: 2}
columns: {mechanism: mechanism}
splits: {names: [separated]}
targets: [cdcl_table2a]
"""
LEARNERS = ["mechanisms", "mechanisms_after_supervised", "mechanisms_after_cdcl"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = own_folder(tmp_path_factory.mktemp("mechanisms"))
    (folder / "mine.yaml").write_text(SCREEN)
    snakemake(folder, "cdcl_table2a", screen="mine.yaml")
    return folder


@pytest.fixture(scope="module")
def files(made) -> Files:
    return Files(str(made / "results"), "mine")


def test_the_table_holds_networks_as_they_are_and_fine_tuned(files):
    table = pd.read_csv(files.table("cdcl_table2a", "csv"))
    shown = table[table["column"] == "nsc_znorm"].set_index("row")["mean"]
    assert set(shown.index) == {"untrained", "supervised_vit", "cdcl", *LEARNERS}
    assert shown.between(0, 100).all()
    text = Path(files.table("cdcl_table2a", "md")).read_text()
    assert "small_vit from CDCL, whose steps come on top (Mechanisms, after CDCL)" in text


def test_a_network_that_learns_mechanisms_starts_with_the_other_methods_backbone(files):
    for method, base in (("mechanisms_after_supervised", "supervised_vit"), ("mechanisms_after_cdcl", "cdcl")):
        record = json.loads((Path(files.run(method, "separated", 0)) / "recipe.json").read_text())
        start = files.model(files.run(base, "separated", 0))
        assert record["start_sha256"] == sha256_of_file(start)
        assert record["recipe"]["weights"] is None, "a path of this machine says nothing of the recipe"
        ours, theirs = (load_file(path) for path in (files.model(files.run(method, "separated", 0)), start))
        shared = [name for name in ours if name.startswith("backbone.")]
        assert shared == [name for name in theirs if name.startswith("backbone.")]
        moved = [np.abs(ours[name] - theirs[name]).max() for name in shared]
        fresh = load_file(files.model(files.run("mechanisms", "separated", 0)))
        apart = [np.abs(fresh[name] - theirs[name]).max() for name in shared]
        assert 0 < np.mean(moved) < np.mean(apart), "it learned, and it did not begin anew"
        assert ours["class_head.weight"].shape[0] == 2


def test_predictions_are_of_mechanisms_and_embeddings_know_the_perturbation(files):
    index = read_frame(files.index())
    folder = files.run("mechanisms_after_cdcl", "separated", 0)
    embedded = read_frame(files.embeddings(folder, "train"))
    assert embedded["Metadata_Label"].tolist() == index.set_index("image_id").loc[
        embedded["Metadata_Image"], "label"
    ].tolist()  # fmt: skip
    predictions = read_frame(files.predictions(folder, "train")).set_index("image_id")
    mechanism = index.set_index("image_id").loc[predictions.index, "mechanism"]
    assert predictions["label"].isna().equals(mechanism.isna())
    assert dict(zip(mechanism.dropna(), predictions["label"].dropna(), strict=True)) == {"M1": 0, "M2": 1}


def test_a_new_training_of_the_base_trains_what_starts_with_it(made):
    done = snakemake(made, "-n", "cdcl_table2a", "--forcerun", "train", screen="mine.yaml")
    assert planned(done)["train"] == 6
    model = made / "results/mine/runs/cdcl/separated/seed0/model.safetensors"
    model.write_bytes(model.read_bytes() + b" ")
    assert planned(snakemake(made, "-n", "cdcl_table2a", screen="mine.yaml"))["train"] == 1
