"""A screen whose parts differ in channels and image size, from its images to embeddings of a network for each."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.workflow import own_folder, planned, snakemake

from debatch.config.trained import read_weights_facts
from debatch.errors import DataError
from debatch.files import Files
from debatch.screen import open_screen
from debatch.tabular import read_frame

pytestmark = pytest.mark.workflow
EXPERIMENTS = {"square": ["ALPHA-01", "ALPHA-02", "ALPHA-03"], "wide": ["BETA-01", "BETA-02", "BETA-03"]}


@pytest.fixture(scope="module")
def in_parts(tmp_path_factory) -> Path:
    """The shipped screen in parts, with a network for each of them."""
    folder = own_folder(tmp_path_factory.mktemp("parts"))
    methods = yaml.safe_load((folder / "config/methods.yaml").read_text())
    methods["wide"] = {"title": "Wide", "parts": ["wide"], "pixels": [24, 40], "batch_norm": "adaptive"}
    (folder / "config/methods.yaml").write_text(yaml.safe_dump(methods))
    tables = yaml.safe_load((folder / "config/tables.yaml").read_text())
    tables["tables"]["table1"] |= {"methods": ["baseline", "wide"], "nulls": []}
    (folder / "config/tables.yaml").write_text(yaml.safe_dump(tables))
    screen = yaml.safe_load((folder / "config/screens/tiny_parts.yaml").read_text())
    screen["targets"] = ["qc", "plates", "illumination", "table1", "report"]
    (folder / "config/screens/tiny_parts.yaml").write_text(yaml.safe_dump(screen))
    snakemake(folder, screen="tiny_parts")
    return folder


def files_of(folder: Path) -> Files:
    return Files(str(folder / "results"), "tiny_parts")


def test_each_part_keeps_its_channels_and_size(in_parts):
    files = files_of(in_parts)
    index = read_frame(files.index())
    assert {part: sorted(own["experiment"].unique()) for part, own in index.groupby("part")} == EXPERIMENTS
    square, wide = (open_screen(files.root, part) for part in EXPERIMENTS)
    assert (square.channels, square.images.shape[1:]) == (["DNA", "ER", "Actin"], (3, 64, 64))
    assert (wide.channels, wide.images.shape[1:]) == (["RNA", "DNA", "Mito", "ER"], (4, 48, 80))
    with pytest.raises(DataError, match=r"name one of its parts, as in .*: square, wide"):
        open_screen(files.root)
    lacking = index.groupby("part")[["focus_DNA", "focus_Actin", "focus_Mito"]].agg(lambda own: own.isna().all())
    assert lacking.loc["square"].tolist() == [False, False, True]
    assert lacking.loc["wide"].tolist() == [False, True, False]
    statistics = read_frame(files.normalization("self")).set_index("image_id")
    image = wide.images[0].compute()
    found = statistics.loc[wide.index["image_id"].iloc[0]]
    for name, plane in zip(wide.channels, image, strict=True):
        assert found[f"mean_{name}"] == pytest.approx(plane.mean())
    assert np.isnan(found["mean_Actin"])


def test_each_network_sees_and_embeds_the_images_of_its_part(in_parts):
    files = files_of(in_parts)
    split = read_frame(files.split("separated"))
    tested = set(split.loc[split["subset"] == "test", "image_id"])
    for method, view, part in (("baseline", "train", "square"), ("wide", "batch", "wide")):
        folder = files.run(method, "separated", 0)
        own = {image for image in tested if image.split("_")[0] in EXPERIMENTS[part]}
        assert own
        embeddings = read_frame(files.embeddings(folder, view))
        assert set(embeddings["Metadata_Image"]) == own
        assert np.isfinite(embeddings.filter(regex="^embedding_").to_numpy()).all()
        assert read_weights_facts(Path(files.model(folder))).channels == open_screen(files.root, part).channels


def test_figures_and_page_show_both_parts(in_parts):
    files = files_of(in_parts)
    shown = pd.read_csv(files.figure("qc", "csv"))
    assert shown.groupby("part")["mean_DNA"].count().min() > 5
    assert shown.loc[shown["part"] == "square", "mean_RNA"].isna().all()
    plates = pd.read_csv(files.figure("plates_focus", "csv"))
    channels = plates.groupby("experiment")["channel"].agg(lambda own: sorted(set(own)))
    assert channels["ALPHA-01"] == ["Actin", "DNA", "ER"]
    assert channels["BETA-01"] == ["DNA", "ER", "Mito", "RNA"]
    assert set(pd.read_csv(files.figure("illumination", "csv"))["channel"]) == {"DNA", "ER", "Actin", "RNA", "Mito"}
    assert "square: DNA, ER, Actin; wide: RNA, DNA, Mito, ER" in Path(files.report()).read_text()


def test_a_part_that_is_processed_otherwise_leaves_the_other_alone(in_parts):
    path = in_parts / "config/screens/tiny_parts.yaml"
    before = path.read_text()
    screen = yaml.safe_load(before)
    screen["parts"]["wide"]["image"]["crop"] = [36, 60]
    path.write_text(yaml.safe_dump(screen))
    try:
        jobs = planned(snakemake(in_parts, "-n", "ingest", screen="tiny_parts"))
    finally:
        path.write_text(before)
    assert jobs["ingest_experiment"] == len(EXPERIMENTS["wide"])
    assert "simulate_experiment" not in jobs
