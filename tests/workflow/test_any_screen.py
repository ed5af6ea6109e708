"""Screens other than simulated ones, from their YAML alone."""

import json
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
import zarr
from helpers.workflow import own_folder, planned, snakemake
from PIL import Image

from debatch.evaluate.tidy import of_all
from debatch.files import Files
from debatch.screen import open_screen
from debatch.tabular import read_frame

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def raw_tiffs(tmp_path_factory):
    """A 16-bit screen: 3 experiments, 8 wells, 2 sites, controls, two of them without a label."""
    folder = own_folder(tmp_path_factory.mktemp("any"))
    generator = np.random.default_rng(0)
    rows = []
    for experiment in ("A", "B", "C"):
        for at in range(8):
            kind = "negative_control" if at % 4 == 3 else "treatment"
            label = None if experiment == "C" and at == 0 else f"drug {at % 4}"
            rows.append({"week": experiment, "well": f"B{at + 2}", "drug": label, "kind": kind})
            for site in (1, 2):
                for channel in ("DAPI", "ER"):
                    pixels = generator.integers(200, 4000, (40, 40), dtype=np.uint16)
                    pixels[:: 2 + at % 4] += 900
                    path = folder / f"raw/{experiment}_r02c{at + 2:02d}_f{site}-{channel}-{at}x.tiff"
                    path.parent.mkdir(exist_ok=True)
                    tifffile.imwrite(path, pixels)
    pd.DataFrame(rows).to_csv(folder / "wells.csv", index=False)
    screen = {
        "source": {
            "root": "../../raw",
            "pattern": "{experiment}_r{row:d}c{column:d}_f{site:d}-{channel}-*.tiff",
            "channels": {"DAPI": "DNA", "ER": "ER"},
        },
        "metadata": {"file": "../../wells.csv"},
        "experiments": ["A", "B", "C"],
        "fields": {"plate": 1},
        "plate_format": {"rows": 16, "columns": 24},
        "columns": {
            "experiment": "week",
            "batch": "week",
            "perturbation": "drug",
            "cell_type": None,
            "well_type": "kind",
        },
        "store": {"dtype": "uint16", "codec": "zstd"},
        "image": {"crop": 32},
        "splits": {
            "names": ["separated", "separated_val", "stratified_site", "fold2"],
            "test_batches": ["C"],
            "folds": 3,
        },
        "training": {
            "backbone": "small_resnet",
            "pixels": 32,
            "embedding_width": 16,
            "group": 8,
            "groups_per_step": 1,
            "epochs": 1,
            "warmup_epochs": 0,
            "optimizer": "adamw",
            "learning_rate": 0.001,
            "objective": {"mixing": "none"},
            "learning_rate_images": 8,
            "statistics_images": 16,
            "normalization": "experiment_controls",
        },
        "compute": {"threads": 1, "gpus": 0, "mem_mb": 1500, "ingest_threads": 1},
        "seeds": 1,
        "targets": ["qc", "plates", "illumination", "table1", "report"],
    }
    (folder / "config/screens/mine.yaml").write_text(yaml.safe_dump(screen))
    tables = yaml.safe_load((folder / "config/tables.yaml").read_text())
    tables["tables"]["table1"] |= {"methods": ["baseline", "adabn"], "splits": ["separated", "separated_val"]}
    (folder / "config/tables.yaml").write_text(yaml.safe_dump(tables))
    return folder


def test_16_bit_screen_with_another_normalization_goes_all_the_way(raw_tiffs):
    snakemake(raw_tiffs, screen="mine")
    files = Files(str(raw_tiffs / "results"), "mine")
    screen = open_screen(files.root)
    assert screen.images.dtype == np.uint16
    raw = tifffile.imread(raw_tiffs / "raw/B_r02c05_f2-ER-3x.tiff")
    at = screen.index.index[screen.index["image_id"] == "B_1_B05_2"][0]
    np.testing.assert_array_equal(screen.images[at].compute()[1], raw[4:36, 4:36])
    assert screen.index["label"].isna().sum() == 2
    folder = files.run("baseline", "separated", 0)
    predictions = pd.read_parquet(files.predictions(folder, "train"))
    scored = of_all(read_frame(files.metrics(folder, "train"))).set_index(["metric", "subset"])
    assert len(predictions) == 16
    assert scored.loc[("accuracy", "all"), "n"] == 14  # those with a label
    held_out = pd.read_parquet(files.split("separated_val"))
    validated = pd.read_parquet(files.predictions(files.run("adabn", "separated_val", 0), "batch"))
    assert set(validated["image_id"]) == set(held_out.loc[held_out["subset"] == "val", "image_id"])
    assert "C" not in set(validated["batch"])
    report = Path(files.report()).read_text()
    assert "stratified_site" in report
    assert "fold2" in report


def test_edited_metadata_is_read_again_and_absent_metadata_re_makes_nothing(raw_tiffs):
    wells = raw_tiffs / "wells.csv"
    content = wells.read_text()
    assert "Nothing to be done" in snakemake(raw_tiffs, "-n", "table1", screen="mine").output
    wells.write_text(content.replace("drug 1", "drug 9"))
    assert planned(snakemake(raw_tiffs, "-n", "ingest", screen="mine")) == {
        "ingest_experiment": 3,
        "index": 1,
        "ingest": 1,
    }
    wells.unlink()
    assert "Nothing to be done" in snakemake(raw_tiffs, "-n", "table1", screen="mine").output
    wells.write_text(content)


def test_an_explorer_of_what_was_made_shows_its_plates_points_and_pictures(raw_tiffs):
    snakemake(raw_tiffs, "explorer", screen="mine")
    files = Files(str(raw_tiffs / "results"), "mine")
    folder = Path(files.explorer()).parent
    screen = received(folder / "data/screen.js")
    index = pd.read_parquet(files.index())
    assert screen["count"] == len(index)
    assert screen["format"] == [16, 24]
    assert screen["simulated"] is False
    assert [view["title"] for view in screen["views"]] == ["Baseline", "AdaBN"]
    projected = pd.read_parquet(files.projections(files.run("adabn", "separated", 0)))
    predictions = pd.read_parquet(files.predictions(files.run("adabn", "separated", 0), "batch"))
    assert set(projected["image_id"]) == set(predictions["image_id"])
    for view in screen["views"]:
        assert (folder / view["file"]).exists()
        assert (folder / view["predictions"]).exists()
    for experiment in screen["experiments"]:
        for sheet in received(folder / f"images/{experiment}.js")["sheets"]:
            assert Image.open(folder / sheet["file"]).format == "WEBP"
    assert "Nothing to be done" in snakemake(raw_tiffs, "-n", "explorer", screen="mine").output


def received(path):
    """The value that a script hands to the page."""
    return json.loads(f"[{path.read_text().removeprefix('debatch.receive(').removesuffix(');' + chr(10))}]")[1]


def test_plates_as_ome_zarr(raw_tiffs):
    snakemake(raw_tiffs, "ome_zarr", screen="mine", ome_zarr="[A,B_1]")
    files = Files(str(raw_tiffs / "results"), "mine")
    for chosen in ("A", "B_1"):
        assert pd.read_csv(files.ome_zarr(chosen))["path"].tolist() == ["1.ome.zarr"]
    group = zarr.open_group(raw_tiffs / "results/mine/ome_zarr/B_1/1.ome.zarr", mode="r")
    plate = group.attrs["ome"]["plate"]
    assert len(plate["wells"]) == 8
    assert (len(plate["rows"]), len(plate["columns"])) == (16, 24)  # as the screen states it


def test_a_plate_that_is_not_there_says_which_are(raw_tiffs):
    done = snakemake(raw_tiffs, "ome_zarr", check=False, screen="mine", ome_zarr="[A_9]")
    assert done.returncode != 0
    assert "no plate 'A_9' to write as OME-Zarr; there is A_1, B_1, C_1" in done.output


def test_plate_without_controls_is_named_with_what_to_do(raw_tiffs):
    wells = pd.read_csv(raw_tiffs / "wells.csv")
    wells.loc[wells["week"] == "B", "kind"] = "treatment"
    wells.to_csv(raw_tiffs / "no_controls.csv", index=False)
    screen = (raw_tiffs / "config/screens/mine.yaml").read_text().replace("wells.csv", "no_controls.csv")
    (raw_tiffs / "config/screens/no_controls.yaml").write_text(screen)
    target = "results/no_controls/normalization/plate_controls.parquet"
    done = snakemake(raw_tiffs, target, check=False, screen="no_controls")
    assert done.returncode != 0
    assert "no control well in experiment B, plate 1" in done.output


@pytest.mark.parametrize(("screen", "images"), [("pediatric_sample", 1), ("bbbc022_sample", 7)])
def test_real_raw_tiffs_go_to_a_report_from_yaml_alone(real_data, tmp_path, monkeypatch, screen, images):
    monkeypatch.setenv("DEBATCH_REAL_DATA", str(real_data.resolve()))
    folder = own_folder(tmp_path / "own")
    snakemake(folder, screen=screen)
    files = Files(str(folder / "results"), screen)
    index = pd.read_parquet(files.index())
    assert len(index) == images
    assert "Image quality" in Path(files.report()).read_text()


def test_experiment_with_a_single_image_goes_through_ingestion(tmp_path):
    folder = own_folder(tmp_path / "own")
    (folder / "raw/E/Plate1").mkdir(parents=True)
    (folder / "raw/E/Plate1/B02_s1_w1.png").write_bytes(imagecodecs.png_encode(np.full((40, 40), 9, np.uint8)))
    (folder / "wells.csv").write_text("experiment,plate,well,perturbation\nE,1,B02,T1\n")
    screen = {
        "source": {
            "root": "../../raw",
            "pattern": "{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.png",
            "channels": {"1": "DNA"},
        },
        "metadata": {"file": "../../wells.csv"},
        "columns": {"cell_type": None, "well_type": None},
        "splits": {"names": []},
        "targets": ["qc", "plates", "illumination", "report"],
    }
    (folder / "config/screens/one.yaml").write_text(yaml.safe_dump(screen))
    variants = {name: f"results/one/normalization/{name}.parquet" for name in ("self", "all")}
    snakemake(folder, "all", *variants.values(), screen="one")
    index = pd.read_parquet(folder / "results/one/images.parquet")
    assert index["qc_flags"].tolist() == ["DNA: constant"]
    for path in variants.values():
        statistics = pd.read_parquet(folder / path)
        assert statistics[["mean_DNA", "sd_DNA"]].to_numpy().tolist() == [[9, 1]]


def test_a_screens_file_beside_its_data_serves_from_any_working_directory(tmp_path):
    lab, folder = tmp_path / "lab", own_folder(tmp_path / "work/own")
    (lab / "raw/E/Plate1").mkdir(parents=True)
    (lab / "raw/E/Plate1/B02_s1_w1.png").write_bytes(imagecodecs.png_encode(np.full((40, 40), 9, np.uint8)))
    (lab / "wells.csv").write_text("experiment,plate,well,perturbation\nE,1,B02,T1\n")
    (lab / "screens").mkdir()
    (lab / "screens/one.yaml").write_text(
        "source: {root: ../raw, pattern: '{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.png', "
        "channels: {'1': DNA}}\n"
        "metadata: {file: ../wells.csv}\nexperiments: [E]\ncolumns: {cell_type: null, well_type: null}\n"
        "splits: {names: []}\ntargets: [qc]\n"
    )
    snakemake(folder, "ingest", screen="../../lab/screens/one.yaml")
    index = pd.read_parquet(folder / "results/one/images.parquet")
    assert index["image_id"].tolist() == ["E_1_B02_1"]
    assert zarr.open_group(folder / "results/one/images/E.zarr").attrs["source"]["root"] == "../../lab/raw"
    assert "Nothing to be done" in snakemake(folder, "-n", "ingest", screen="../../lab/screens/one.yaml").output
    snakemake(folder, "ingest", screen=str(lab / "screens/one.yaml"), results="by_its_whole_name")
    assert (folder / "by_its_whole_name/one/images.parquet").exists()
    (lab / "wells.csv").unlink()
    done = snakemake(folder, "ingest", check=False, screen="../../lab/screens/one.yaml", results="again")
    said = "lab/wells.csv: no such file, and nothing was started; ../../lab/screens/one.yaml calls it `../wells.csv`"
    assert said in done.output, done.output[-3000:]
