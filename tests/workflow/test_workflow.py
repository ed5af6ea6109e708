import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers import ROOT
from helpers.workflow import PATIENCE, own_folder, planned, snakemake

from debatch.cli import main
from debatch.config.trained import read_weights_facts
from debatch.embedding_table import top_columns
from debatch.evaluate.metrics import OF_PREDICTIONS
from debatch.evaluate.tidy import of_all
from debatch.files import Files
from debatch.registry.products import rule_of_form
from debatch.runtime.times import read_times
from debatch.tabular import read_about, read_frame, write_frame

pytestmark = pytest.mark.workflow


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_end_to_end_leaves_every_file_of_the_contract(tiny):
    files = Files(str(tiny / "results"), "tiny")
    index = pd.read_parquet(files.index())
    assert list(index.columns[:12]) == [
        "image_id", "experiment", "plate", "well", "site", "cell_type", "well_type", "perturbation", "label", "batch",
        "part", "store_row",
    ]  # fmt: skip
    assert len(index) == 6 * 12 * 2
    assert index["image_id"].is_unique
    both = ("baseline", "train"), ("adabn", "batch")
    methods = *both, ("gradient_reversal", "train"), ("adabn_gradient_reversal", "batch")
    for method, inference in methods:
        for split in ("separated", "stratified", "stratified_site"):
            place = (method, split, 0)
            record = json.loads(Path(files.run(*place), "recipe.json").read_text())
            about = pq.read_schema(files.embeddings(files.run(*place), inference)).metadata
            assert about[b"split_sha256"].decode() == record["split_sha256"]
            assert record["recipe"]["epochs"] == len(pd.read_csv(files.run(*place) + "/history.csv"))
            predictions = pd.read_parquet(files.predictions(files.run(*place), inference))
            assert list(predictions) == [
                "image_id", "label", "predicted", "predicted_well", "batch", "batch_predicted", "log_probability",
                "statistics_images", *top_columns("class"), *top_columns("log_probability"),
            ]  # fmt: skip
            assert (predictions["class_1"] == predictions["predicted"]).all()
            split_frame = pd.read_parquet(files.split(split))
            test = split_frame.loc[split_frame["subset"] == "test", "image_id"]
            assert set(predictions["image_id"]) == set(test)
            assert not os.path.exists(files.run(*place) + "/checkpoint.pt")
    table = pd.read_csv(files.table("table1", "csv"))
    # five methods and six columns; shuffled labels on one split, two guesses on three
    assert len(table) == 5 * 6 + 1 + 2 * 3
    # a head says nothing of embeddings under statistics that it did not learn under
    undefined = table[table["mean"].isna()]
    assert undefined[["row", "column"]].values.tolist() == [["adabn_test_only", "batch_classification_accuracy"]]
    assert set(undefined["verdict"]) == {"not defined"}
    assert set(table.drop(undefined.index)["verdict"]) == {"not comparable"}
    for name, cells in (
        ("table_differences", 10 * 2),
        ("table3", (4 + 1) * 2),
        ("table_s3", 8 * 6),
        # of seen batches alone: each method's controls and permuted batches, and the guess of controls
        ("table_probe", 5 * 11 + 10 + (5 + 5 + 1) * 5),
        # one test batch a cell type: nothing tells batches apart there; and one well of a positive control in each half
        ("table_correction", 4 * 4 * 2),
    ):
        assert len(pd.read_csv(files.table(name, "csv"))) == cells
        made_from = json.loads(Path(files.table(name, "json")).read_text())["runs"]
        assert {run["method"] for run in made_from} == {method for method, _ in methods}
    assert "simulated images" in Path(files.report()).read_text()
    assert set(index.columns[12:]) > {"qc_flags", "focus_DNA", "clipped_DNA"}
    for name in ("qc", "plates_focus", "illumination", "figure6", "figure7", "figure10", "figure_correction"):
        for suffix in ("svg", "png", "csv"):
            assert os.path.getsize(files.figure(name, suffix)) > 0


def test_embeddings_hold_metadata_and_float32_features(tiny):
    files = Files(str(tiny / "results"), "tiny")
    frame = pd.read_parquet(files.embeddings(files.run("adabn", "separated", 0), "batch"))
    metadata = [column for column in frame if column.startswith("Metadata_")]
    assert set(frame.drop(columns=metadata).dtypes.astype(str)) == {"float32"}


def test_corrected_embeddings_say_of_which_split_they_are(tiny):
    files = Files(str(tiny / "results"), "tiny")
    folder = files.run("adabn", "separated", 0)
    plain, corrected = (read_about(files.embeddings(folder, view)) for view in ("batch", "batch.znorm"))
    assert corrected == {**plain, "correction": "znorm"}
    assert len(plain["split_sha256"]) == 64


def test_nothing_is_left_to_do(tiny):
    assert "Nothing to be done" in snakemake(tiny, "-n", screen="tiny").output


def test_times_of_jobs_are_gathered_and_no_benchmark_stays_that_could_date_a_result(tiny):
    files = Files("results", "tiny")
    times = read_times(tiny / files.benchmarks(), tiny / files.times())
    rules = {rule_of_form(time.rule) for time in times}
    assert {"ingest_experiment", "train", "embed_run", "score_run", "probe_run", "correct_run"} <= rules
    assert all(time.recipe for time in times if time.rule in ("train", "embed_adaptation"))
    assert list((tiny / files.benchmarks()).rglob("*.jsonl")) == []


def test_editing_one_methods_learning_rate_reruns_that_methods_runs_only(tiny_copy):
    edit(tiny_copy / "config/methods.yaml", "adaptive\n\nadabn_g", "adaptive\n  learning_rate: 0.002\n\nadabn_g")
    done = snakemake(tiny_copy, "-n", "table1", screen="tiny")
    assert planned(done) == {"train": 3, "embed_run": 3, "score_run": 3, "make_table": 1, "table1": 1}
    assert "runs/baseline" not in "".join(
        line for line in done.output.splitlines() if line.strip().startswith("output:")
    )


def test_status_calls_done_what_snakemake_leaves_alone(tiny_copy, monkeypatch, capsys):
    def told() -> dict[str, tuple[str, str]]:
        assert main(["status", "table3", "--json", "--config", "screen=tiny"]) == 0
        return {run["method"]: (run["state"], run["detail"]) for run in json.loads(capsys.readouterr().out)["runs"]}

    monkeypatch.chdir(tiny_copy)
    assert set(told().values()) == {("done", "")}
    edit(tiny_copy / "config/methods.yaml", "adaptive\n\nadabn_g", "adaptive\n  learning_rate: 0.002\n\nadabn_g")
    found = told()
    assert found.pop("adabn") == ("outdated", "will be trained again: settings that changed: learning_rate")
    assert set(found.values()) == {("done", "")}
    split = Path(Files("results", "tiny").split("separated"))
    write_frame(read_frame(split).iloc[::-1].reset_index(drop=True), split, read_about(split))
    state, detail = told()["baseline"]
    assert state == "outdated"
    assert detail.startswith("its job will run again: splits/separated.parquet changed; it trains again, unless")


def test_a_method_on_the_baselines_weights_trains_nothing(tiny_copy):
    """AdaBN at test only, where it was not asked for before."""
    files = Files(str(tiny_copy / "results"), "tiny")
    assert not Path(files.run("adabn_test_only", "separated", 0)).exists()
    table = pd.read_csv(files.table("table1", "csv")).set_index(["row", "column"])["mean"]
    assert table.loc["adabn_test_only"].drop("batch_classification_accuracy").notna().all()
    folder = files.run("baseline", "separated", 0)
    embedded = [pd.read_parquet(files.embeddings(folder, how)) for how in ("train", "batch")]
    features = [column for column in embedded[0] if column.startswith("embedding_")]
    assert not embedded[0][features].equals(embedded[1][features])
    edit(tiny_copy / "config/methods.yaml", "  weights_of: baseline\n  test_statistics: batch",
         "  weights_of: baseline\n  test_statistics: plate")  # fmt: skip
    assert planned(snakemake(tiny_copy, "-n", "table1", screen="tiny")) == {
        "embed_run": 3, "score_run": 3, "make_table": 1, "table1": 1
    }  # fmt: skip


def test_unseen_probe_looks_at_the_same_wells_under_every_method(tiny):
    files = Files(str(tiny / "results"), "tiny")
    counts = {
        method: of_all(read_frame(files.probe(files.run(method, "separated", 0), how)))
        for method, how in (("baseline", "train"), ("adabn", "batch"))
    }
    counts = {method: frame.set_index(["metric", "subset"])["n"] for method, frame in counts.items()}
    assert counts["baseline"].equals(counts["adabn"])
    half = pd.read_parquet(files.embeddings(files.run("adabn", "separated", 0), "half"))
    assert counts["baseline"]["probe_lda", "all"] == len(half) == 2 * 6 * 2


def test_last_point_while_training_is_the_tables_accuracy(tiny):
    files = Files(str(tiny / "results"), "tiny")
    for method, how in (("baseline", "train"), ("adabn", "batch")):
        epochs = pd.read_csv(files.epochs(files.run(method, "separated", 0), how))
        metrics = pd.read_csv(files.metrics(files.run(method, "separated", 0), how), keep_default_na=False)
        of_all = metrics[(metrics["subset"] == "all") & (metrics["cell_type"] == "") & (metrics["batch"] == "")]
        for metric in OF_PREDICTIONS:
            curve = epochs[epochs["metric"] == metric]
            assert curve["epoch"].tolist() == [1, 2]
            assert curve["value"].iloc[-1] == of_all.set_index("metric").loc[metric, "value"], metric


def test_snapshots_that_are_gone_are_said(tiny_copy):
    files = Files("results", "tiny")
    shutil.rmtree(tiny_copy / files.run("baseline", "separated", 0) / "snapshots")
    curve = files.epochs(files.run("baseline", "separated", 0), "train")
    done = snakemake(tiny_copy, "--force", curve, check=False, screen="tiny")
    assert "epoch001.safetensors is not there: train this run again" in done.output, done.output[-3000:]


def test_what_only_asks_for_more_of_the_machine_reruns_nothing(tiny_copy):
    edit(tiny_copy / "config/screens/tiny.yaml", "mem_mb: 1500", "mem_mb: 3000")
    assert "Nothing to be done" in snakemake(tiny_copy, "-n", "table1", screen="tiny").output


def test_touched_script_reruns_nothing(tiny_copy):
    """As after every `git pull`: only what changed in content may cost GPU time."""
    for script in (ROOT / "workflow/scripts").glob("*.py"):
        os.utime(script)
    assert "Nothing to be done" in snakemake(tiny_copy, "-n", screen="tiny").output


def test_adaptation_says_what_the_runs_own_metrics_say(tiny):
    """One job under many statistics, against a job each."""
    files = Files("results", "tiny")
    for method, inference in (("baseline", "train"), ("baseline", "batch"), ("adabn", "batch")):
        folder = files.run(method, "separated", 0)
        many, own = (read_frame(tiny / path) for path in (files.adaptation(folder), files.metrics(folder, inference)))
        keys = ["metric", "cell_type", "batch"]
        many = many[(many["statistics"] == inference) & (many["subset"] == "all")].set_index(keys)["value"]
        own = own[own["subset"] == "all"].set_index(keys)["value"]
        for key in [key for key in many.index if key[0].startswith("accuracy")]:
            assert many[key] == own[key]
    table = pd.read_csv(tiny / files.table("table_adaptation", "csv")).set_index(["row", "column"])
    # its plates hold 24 images, of which 8 are controls
    assert table.loc[("adabn.plate_controls", "n8"), "mean"] == table.loc[("adabn.plate_controls", "all"), "mean"]
    assert pd.isna(table.loc[("adabn.plate", "n32"), "mean"])
    assert table.loc[("adabn.plate", "n32"), "note"] == "only 24 images in every plate"
    shift = pd.read_csv(tiny / files.table("table_label_shift", "csv")).set_index(["row", "column"])["mean"]
    assert shift["classes_50", "classes"] == 3
    assert shift["all", "adabn.whole"] == table.loc[("adabn.batch", "all"), "mean"]
    difference = shift["classes_50", "adabn.alone"] - shift["classes_50", "adabn.whole"]
    assert shift["classes_50", "adabn.difference"] == pytest.approx(difference)


def test_a_run_on_one_channel_is_embedded_by_it_here_and_on_another_screen(tiny_copy):
    """The run's own test embeddings, and those of `model=`, which knows the run by its folder alone."""
    files = Files("results", "tiny")
    folder = files.run("baseline__channels_2", "separated", 0)
    snakemake(tiny_copy, files.metrics(folder, "train"), screen="tiny")
    assert read_weights_facts(tiny_copy / files.model(folder)).channels == ["ER"]
    own = pd.read_parquet(tiny_copy / files.embeddings(folder, "train")).set_index("Metadata_Image")
    snakemake(tiny_copy, "embed", screen="tiny", model=folder)
    name = "tiny-baseline__channels_2-separated-seed0"
    every = pd.read_parquet(tiny_copy / files.embeddings(files.external(name), "train")).set_index("Metadata_Image")
    features = [column for column in own if column.startswith("embedding_")]
    assert own[features].to_numpy().std() > 0
    np.testing.assert_allclose(every.loc[own.index, features], own[features], rtol=1e-3, atol=1e-4)


def test_a_word_on_few_batches_draws_no_other_split_again(tiny_copy):
    """Else all that was trained would be trained again."""
    edit(tiny_copy / "config/screens/tiny.yaml", "few_batches: 2", "few_batches: 1, cell_types: {ALPHA: 2}")
    assert set(planned(snakemake(tiny_copy, "-n", screen="tiny"))) == {"make_report", "all"}


def test_a_label_reaches_all_that_shows_numbers_and_one_more_split_draws_no_other_again(tiny_copy):
    screen = tiny_copy / "config/screens/tiny.yaml"
    edit(screen, "stratified_site]", "stratified_site, fold1], folds: 3")
    assert planned(snakemake(tiny_copy, "-n", screen="tiny")) == {"split": 1, "make_report": 1, "all": 1}
    edit(screen, "title: Tiny (simulated)", "title: Tiny (simulated)\nlabel: a first try")
    again = planned(snakemake(tiny_copy, "-n", screen="tiny"))
    assert {"make_table", "make_figure", "make_report", "qc"} <= set(again)
    assert again["split"] == 1
    assert not {"train", "embed_run", "score_run"} & set(again)


def test_workflow_snakefile_is_an_entrance_too(tiny):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", str(ROOT / "workflow/Snakefile"), "-n", "--config", "screen=tiny"],
        cwd=tiny, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"screen": "dmo"}, "no screen 'dmo'; did you mean 'demo'?"),
        ({"scren": "demo"}, "unknown key `scren`; did you mean 'screen'?"),
    ],
)
def test_wrong_configuration_stops_at_once_with_one_message(tmp_path, choice, message):
    done = snakemake(own_folder(tmp_path / "w"), "-n", check=False, **choice)
    assert done.returncode != 0
    assert message in done.output, done.output[-3000:]
    assert "Traceback" not in done.output, done.output[-3000:]


def test_screen_whose_data_is_not_there_starts_no_job(tmp_path, monkeypatch):
    monkeypatch.delenv("RXRX1", raising=False)
    folder = own_folder(tmp_path / "w")
    done = snakemake(folder, "ingest", check=False, screen="rxrx1")
    assert done.returncode != 0
    assert "metadata.csv: no such file, and nothing was started" in done.output, done.output[-3000:]
    assert "the environment variable RXRX1 is not set" in done.output
    assert "rule ingest_experiment" not in done.output
    assert not (folder / "logs").exists() or not list((folder / "logs").rglob("*.log"))


def test_wrong_number_in_a_screen_names_its_key(tmp_path):
    folder = own_folder(tmp_path / "w")
    edit(folder / "config/screens/tiny.yaml", "learning_rate: 0.004", "learning_rate: 4e-3")
    done = snakemake(folder, "-n", check=False, screen="tiny")
    assert "`training.learning_rate`" in done.output, done.output[-3000:]
    assert "write 4.0e-3" in done.output, done.output[-3000:]


def test_broken_raw_image_fails_its_job_with_one_sentence_and_a_list(tiny_copy):
    files = Files("results", "tiny")
    raw = sorted((tiny_copy / files.raw_root() / "ALPHA-01/Plate1").glob("*.tif"))
    raw[0].write_bytes(raw[0].read_bytes()[:100])
    raw[9].unlink()
    done = snakemake(
        tiny_copy, "--forcerun", "ingest_experiment", "--until", "ingest_experiment", check=False, screen="tiny"
    )
    assert done.returncode != 0
    assert (
        "experiment ALPHA-01: 2 problems with its images, listed in results/tiny/ingest/ALPHA-01.problems.csv"
        in done.output
    ), done.output[-3000:]
    assert len(pd.read_csv(tiny_copy / files.problems("ALPHA-01"))) == 2
    assert not (tiny_copy / files.store("ALPHA-01")).exists()
    assert (tiny_copy / files.store_marker("ALPHA-02")).exists()


def test_metadata_without_a_named_column(tiny_copy):
    metadata = tiny_copy / Files("results", "tiny").raw_metadata()
    edit(metadata, "cell_type", "celltype")
    done = snakemake(tiny_copy, "--forcerun", "index", "--until", "index", check=False, screen="tiny")
    assert (
        "no column 'cell_type', which the screen names as `columns.cell_type`; did you mean 'celltype'?" in done.output
    ), done.output[-3000:]


def test_test_class_that_was_never_trained(tiny_copy):
    edit(
        tiny_copy / "config/screens/tiny.yaml",
        "splits: {names: [separated, stratified, stratified_site]",
        "splits: {names: [separated], test_batches: [BETA-01]",
    )
    index = tiny_copy / Files("results", "tiny").index()
    frame = pd.read_parquet(index)
    frame.loc[frame["perturbation"] == "T01", "perturbation"] = frame["experiment"]
    write_frame(frame, index, read_about(index))
    done = snakemake(tiny_copy, Files("results", "tiny").split("separated"), check=False, screen="tiny")
    assert "1 of the test set's classes have no training image: BETA-01" in done.output, done.output[-3000:]


def test_killed_job_leaves_nothing_that_looks_finished_and_the_next_call_goes_on(tiny_copy):
    """Kill Snakemake and its training job half-way; the same command ends with the same weights."""
    files = Files("results", "tiny")
    edit(tiny_copy / "config/methods.yaml", "batch_norm: adaptive", "batch_norm: adaptive\n  epochs: 20")
    model = files.model(files.run("adabn", "separated", 0))
    whole = tiny_copy.parent / "whole"
    shutil.copytree(tiny_copy, whole, copy_function=shutil.copy2)
    snakemake(whole, model, screen="tiny")
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "2", model]
    process = subprocess.Popen(
        [*command, "--config", "screen=tiny"], cwd=tiny_copy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    checkpoint = tiny_copy / files.run("adabn", "separated", 0) / "checkpoint.pt"
    end = time.monotonic() + PATIENCE
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()
    assert not (tiny_copy / model).exists()
    subprocess.run([*command, "--unlock", "--config", "screen=tiny"], cwd=tiny_copy, check=True, capture_output=True)
    done = snakemake(tiny_copy, model, screen="tiny")
    assert "goes on after epoch" in done.output, done.output[-3000:]
    assert (tiny_copy / model).read_bytes() == (whole / model).read_bytes()


def test_lint_of_every_rule():
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_snakefile_is_a_table_of_contents():
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 60
    for script in (ROOT / "workflow/scripts").glob("*.py"):
        assert len(script.read_text().splitlines()) < 60, script
