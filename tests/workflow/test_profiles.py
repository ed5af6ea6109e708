"""Embeddings that stand alone: profiles made elsewhere, corrections, a trained model on another screen."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers import ROOT
from helpers.workflow import own_folder, planned, planned_files, read_aloud, snakemake

from debatch.embedding_table import feature_names, features_of
from debatch.evaluate import kbet
from debatch.evaluate.tidy import of_all
from debatch.files import Files
from debatch.tabular import read_frame

pytestmark = pytest.mark.workflow
FILES = Files("results", "bbbc021")


@pytest.fixture(scope="session")
def bbbc021(tmp_path_factory, real_data):
    """The real profiles, from their file to the report."""
    folder = own_folder(tmp_path_factory.mktemp("profiles"))
    link = folder.parent / "shared"
    link.mkdir(exist_ok=True)
    if not (link / "data").exists():
        (link / "data").symlink_to(real_data)
    snakemake(folder, screen="bbbc021")
    return folder


def read(folder, path):
    return pd.read_csv(folder / path)


def cell(table, row, column):
    return table[(table["row"] == row) & (table["column"] == column)].iloc[0]


def test_real_profiles_end_in_a_report(bbbc021):
    table = read(bbbc021, FILES.table("table_correction", "csv"))
    # 103 treatments; 92 of them have another batch with their mechanism (Ando et al. 2017 count the same)
    scores = read_frame(bbbc021 / FILES.scores(FILES.external("cellprofiler"), "profiles"))
    counts = of_all(scores).set_index("metric")["n"]
    assert (counts["nsc"], counts["nscb"]) == (103, 92)
    assert cell(table, "cellprofiler", "nsc")["mean"] > 85
    assert cell(table, "cellprofiler", "nscb")["mean"] < cell(table, "cellprofiler", "nsc")["mean"]
    assert cell(table, "cellprofiler", "sees")["note"] == "as made"
    assert {cell(table, f"cellprofiler.{name}", "sees")["note"] for name in ("znorm", "tvn", "sphering")} == {
        "controls"
    }
    assert {cell(table, f"cellprofiler.{name}", "sees")["note"] for name in ("combat", "harmony", "mnn")} == {
        "profiles"
    }
    # held against control wells that they were not fitted on, all corrections mix the weeks
    before = cell(table, "cellprofiler", "kbet_controls")["mean"]
    corrected = table["row"].str.contains("[.]") & ~table["row"].str.endswith(".permuted")
    after = table[(table["column"] == "kbet_controls") & corrected]["mean"]
    assert len(after) == 8
    assert (after > before).all()
    # those that take a batch's own mean away push weeks apart where each treatment is in one of them
    chance = cell(table, "chance", "neighbor_same_batch")["mean"]
    for name in ("znorm_all", "combat", "harmony", "mnn"):
        assert cell(table, f"cellprofiler.{name}", "neighbor_same_batch")["mean"] < chance
        assert cell(table, f"cellprofiler.{name}", "nscb")["mean"] < cell(table, "cellprofiler", "nscb")["mean"]
    page = (bbbc021 / FILES.report()).read_text()
    for words in (
        '<section id="figure_correction">',
        "Harmony",
        "mechanism",
        "NSCB",
        "Nothing was trained",
    ):
        assert words in page
    assert "is of the same batch in" in read_aloud(page)
    assert "simulated" not in page.lower()
    assert "Nothing to be done" in snakemake(bbbc021, "-n", screen="bbbc021").output


def test_kbet_of_the_real_profiles_is_the_frozen_one(bbbc021):
    table = pd.read_parquet(bbbc021 / FILES.embeddings(FILES.external("cellprofiler"), "profiles"))
    features, weeks = features_of(table).astype(np.float64), table["Metadata_Batch"].to_numpy(str)
    assert kbet(features, weeks, 50, include_self=True) == pytest.approx(0.0016, abs=0.0001)
    shuffled = np.random.default_rng(0).permutation(weeks)
    assert kbet(features, shuffled, 50, include_self=True) == pytest.approx(0.985, abs=0.01)


def test_copairs_and_pycytominer_read_our_parquet(bbbc021):
    import logging

    from copairs import map as copairs_map
    from pycytominer import normalize
    from pycytominer.cyto_utils.load import load_profiles

    path = bbbc021 / FILES.embeddings(FILES.external("cellprofiler"), "profiles.sphering")
    profiles = load_profiles(str(path))
    features = feature_names(profiles)
    metadata = [column for column in profiles if column.startswith("Metadata_")]
    normalized = normalize(profiles, features, metadata, samples="Metadata_WellType == 'negative_control'")
    assert normalized.shape == profiles.shape
    assert np.isfinite(normalized[features].to_numpy()).all()
    logging.getLogger("copairs").setLevel(logging.ERROR)
    some = profiles[profiles["Metadata_Batch"] == "Week1"].reset_index(drop=True)
    found = copairs_map.average_precision(
        some[metadata], some[features].to_numpy(), ["Metadata_Perturbation"], [], [], ["Metadata_Perturbation"],
        progress_bar=False,
    )  # fmt: skip
    treated = found[found["Metadata_WellType"] == "treatment"]["average_precision"]
    assert treated.notna().all()
    assert treated.mean() > 0.4  # far from chance, which is below 0.1


def test_every_view_of_the_profiles_is_written_as_anndata(bbbc021):
    import anndata

    folder = FILES.external("cellprofiler")
    snakemake(bbbc021, FILES.h5ad(folder, "profiles.harmony"), screen="bbbc021")
    assert planned(snakemake(bbbc021, "-n", "h5ad", screen="bbbc021"))["write_h5ad"] == 8
    table = anndata.read_h5ad(bbbc021 / FILES.h5ad(folder, "profiles.harmony"))
    assert table.shape == (632, 50)
    assert table.obs["Metadata_Mechanism"].nunique() == 13


def test_changing_one_correction_corrects_again_and_embeds_and_scores_nothing_else(bbbc021):
    config = bbbc021 / "config/corrections.yaml"
    text = config.read_text()
    config.write_text(text.replace("kind: harmony", "kind: harmony\n  components: 20"))
    try:
        jobs = planned(snakemake(bbbc021, "-n", "table_correction", screen="bbbc021"))
    finally:
        config.write_text(text)
    assert jobs == {"correct_run": 1, "make_table": 1, "table_correction": 1}


def test_a_screen_says_which_corrections_it_shows(bbbc021):
    (bbbc021 / "few.yaml").write_text("extends: bbbc021\ncorrections: [combat]\n")
    made = planned_files(snakemake(bbbc021, "-n", "table_correction", screen="few.yaml"))
    corrected = {Path(path).name for path in made if "/embeddings/profiles." in path}
    assert corrected == {"profiles.parquet", "profiles.combat.parquet"}
    (bbbc021 / "few.yaml").write_text("extends: bbbc021\ncorrections: [combate]\n")
    done = snakemake(bbbc021, "-n", "table_correction", check=False, screen="few.yaml")
    assert "no correction 'combate'; did you mean 'combat'?" in done.output


def simulated_profiles(folder):
    """Four batches of 12 treatments and controls, whose batch effect is a shift."""
    rng = np.random.default_rng(0)
    rows = [
        (f"B{b}", f"P{b}", f"{'ABCD'[w // 8]}{w % 8 + 1:02d}", "DMSO" if w % 4 == 3 else f"drug{w // 2}")
        for b in range(6)
        for w in range(32)
    ]
    table = pd.DataFrame(rows, columns=[f"Metadata_{name}" for name in ("Batch", "Plate", "Well", "Perturbation")])
    table["Metadata_WellType"] = np.where(table["Metadata_Perturbation"] == "DMSO", "negative_control", "treatment")
    drugs = {name: rng.normal(size=20) for name in sorted(set(table["Metadata_Perturbation"]))}
    batches = {name: 2 * rng.normal(size=20) for name in sorted(set(table["Metadata_Batch"]))}
    features = [
        3 * drugs[drug] + batches[batch] + rng.normal(size=20)
        for drug, batch in zip(table["Metadata_Perturbation"], table["Metadata_Batch"], strict=True)
    ]
    table = pd.concat([table, pd.DataFrame(features, columns=[f"f{n}" for n in range(20)])], axis=1)
    table.to_parquet(folder / "profiles.parquet")
    screen = {
        "profiles": {"made_up": {"file": "profiles.parquet"}},
        "splits": {"names": ["separated", "stratified"]},
        "corrections": ["znorm"],
        "targets": ["table1", "table3", "table_differences", "table_probe", "table_s3", "table_correction", "figure6",
                    "figure7", "figure_correction", "report"],
    }  # fmt: skip
    (folder / "mine.yaml").write_text(yaml.safe_dump(screen))


def test_profiles_get_every_table_that_a_trained_network_gets(tmp_path):
    """With splits, a linear classifier takes the place of the network's own head."""
    folder = own_folder(tmp_path / "mine")
    simulated_profiles(folder)
    snakemake(folder, screen="mine.yaml")
    files = Files("results", "mine")
    table1 = read(folder, files.table("table1", "csv"))
    assert cell(table1, "made_up", "accuracy_batch_separated")["mean"] > 60
    assert pd.isna(cell(table1, "made_up", "batch_classification_accuracy")["mean"])
    assert cell(table1, "majority_class", "accuracy_batch_separated")["mean"] < 40
    probe = read(folder, files.table("table_probe", "csv"))
    assert cell(probe, "made_up", "probe_seen")["mean"] > 90  # the shift tells the batch
    correction = read(folder, files.table("table_correction", "csv"))
    assert (
        cell(correction, "made_up.znorm", "replicate_across_batches")["mean"]
        > cell(correction, "made_up", "replicate_across_batches")["mean"]
    )
    page = (folder / files.report()).read_text()
    assert '<section id="table1">' in page
    assert "has not been made" not in page
    assert "is missing" not in page
    # with its targets left out, a screen that names splits shows the classifier's tables: they are made already
    screen = yaml.safe_load((folder / "mine.yaml").read_text())
    (folder / "mine.yaml").write_text(yaml.safe_dump({key: screen[key] for key in screen if key != "targets"}))
    done = snakemake(folder, screen="mine.yaml")
    assert re.findall(r"^ *(?:Rule: |(?:local)?rule )(make_\w+)", done.output, re.MULTILINE) == ["make_report"]
    page = (folder / files.report()).read_text()
    asked = ("table1", "table3", "table_probe", "figure6")
    assert {name for name in asked if f'<section id="{name}">' in page} == {"table1", "table3", "figure6"}
    assert "is missing" not in page


def test_a_trained_model_embeds_another_screen(tiny, tmp_path):
    folder = own_folder(tmp_path / "other")
    screen = yaml.safe_load((ROOT / "config/screens/tiny.yaml").read_text())
    screen["simulate"] = {**screen["simulate"], "seed": 7, "experiments": {"GAMMA": 2}}
    (folder / "other.yaml").write_text(yaml.safe_dump(screen))
    files = Files("results", "other")
    model = tiny / Files("results", "tiny").run("adabn", "separated", 0)
    done = snakemake(folder, "embed", "h5ad", screen="other.yaml", model=str(model))
    assert "Rule: train" not in done.output
    embedded = files.embeddings(files.external("tiny-adabn-separated-seed0"), "batch")
    table = pd.read_parquet(folder / embedded)
    index = pd.read_parquet(folder / files.index())
    assert list(table["Metadata_Image"]) == list(index["image_id"])
    assert set(table["Metadata_Batch"]) == {"GAMMA-01", "GAMMA-02"}
    assert np.isfinite(features_of(table)).all()
    assert (folder / embedded.replace(".parquet", ".h5ad")).exists()
    # and those embeddings are profiles like any others
    (folder / "again.yaml").write_text(yaml.safe_dump({"profiles": {"adabn": {"file": embedded}}, "corrections": []}))
    snakemake(folder, "table_correction", screen="again.yaml")
    again = read(folder, Files("results", "again").table("table_correction", "csv"))
    assert np.isfinite(cell(again, "adabn", "kbet")["mean"])


def test_a_model_whose_channels_the_screen_lacks_stops_before_anything_runs(tiny, tmp_path):
    folder = own_folder(tmp_path / "other")
    source = {"root": "images", "pattern": "{experiment}/{plate}/{well}_s{site}_w{channel}.tif"}
    screen = {"source": {**source, "channels": {"1": "dna", "2": "Brightfield"}}, "experiments": ["E1"]}
    (folder / "other.yaml").write_text(yaml.safe_dump(screen))
    model = tiny / Files("results", "tiny").run("adabn", "separated", 0)
    done = snakemake(folder, "-n", "embed", check=False, screen="other.yaml", model=str(model))
    facts = json.loads((model / "recipe.json").read_text())
    assert facts["method"] == "adabn"
    assert "the screen has 'dna', 'Brightfield' and lacks 'DNA'" in done.output, done.output[-2000:]
    assert "'dna' looks like the model's 'DNA'" in done.output


@pytest.mark.parametrize(
    ("model", "said"), [("results/nowhere", "no such folder"), ("config", "no recipe.json and no model.safetensors")]
)
def test_a_folder_that_is_no_trained_run_is_refused(tmp_path, model, said):
    folder = own_folder(tmp_path / "other")
    assert said in snakemake(folder, "-n", "embed", check=False, screen="tiny", model=model).output


@pytest.mark.parametrize("target", ["qc", "figure10"])
def test_a_screen_of_profiles_refuses_what_needs_images(tmp_path, target):
    folder = own_folder(tmp_path / "mine")
    simulated_profiles(folder)
    text = (folder / "mine.yaml").read_text()
    (folder / "mine.yaml").write_text(text.replace("- table1\n", f"- table1\n- {target}\n"))
    done = snakemake(folder, "-n", check=False, screen="mine.yaml")
    assert f"{target} needs images, and the screen is of profiles" in done.output


def test_a_batch_without_controls_says_which_and_what_to_do(tmp_path):
    folder = own_folder(tmp_path / "mine")
    simulated_profiles(folder)
    table = pd.read_parquet(folder / "profiles.parquet")
    gone = (table["Metadata_Batch"] == "B2") & (table["Metadata_WellType"] == "negative_control")
    table[~gone].to_parquet(folder / "profiles.parquet")
    done = snakemake(folder, "table_correction", check=False, screen="mine.yaml")
    assert "control wells in the batches B2 (0): choose a correction that needs none" in done.output, done.output[
        -3000:
    ]


def test_one_batch_has_no_batch_effect_to_tell(tmp_path):
    folder = own_folder(tmp_path / "mine")
    simulated_profiles(folder)
    table = pd.read_parquet(folder / "profiles.parquet")
    table[table["Metadata_Batch"] == "B1"].to_parquet(folder / "profiles.parquet")
    screen = {"profiles": {"made_up": {"file": "profiles.parquet"}}, "corrections": ["znorm", "combat"]}
    (folder / "mine.yaml").write_text(yaml.safe_dump(screen))
    snakemake(folder, screen="mine.yaml")
    page = Path(folder / Files("results", "mine").report()).read_text()
    assert "Nothing tells here how strong the batch effect is" in read_aloud(page)
