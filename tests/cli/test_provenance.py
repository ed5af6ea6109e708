import hashlib
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from helpers.images import make_index

from debatch.cli import main
from debatch.cli.choice import chosen_registry
from debatch.files import Files
from debatch.report.cells import record_origins, recorded_origin
from debatch.report.kinds.tables import draft_table
from debatch.report.results import Results
from debatch.screen.splits import split_sha256
from debatch.tabular import write_frame, write_text

HEAD = "row,column,mean,sd,n,low,high,unit,published_mean,published_sd,verdict,note\n"
CONFIG = ["--config", "screen=tiny"]
METHODS = ["baseline", "gradient_reversal", "adabn", "adabn_gradient_reversal"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The tiny screen as if it had run: records, splits, one table of each kind that matters."""
    monkeypatch.chdir(tmp_path)
    hours_ago = time.time() - 7200
    records = [record(method, split) for method in METHODS for split in ("separated", "stratified")]
    for made in records:
        write_text(json.dumps(made), run_of(made) / "recipe.json")
    write_frame(make_index(3, 8), "results/tiny/images.parquet", {"metadata_sha256": ""})
    for split in ("separated", "stratified"):
        write_frame(split_of(split), f"results/tiny/splits/{split}.parquet")
    cells = [
        f"{m},accuracy_batch_{s},61.25,1.5,1,50,70,%,75.1,0.2,not comparable,\n"
        for m in METHODS
        for s in ("separated", "stratified")
    ]
    cells += [f"{m},batch_generalization,90,,1,,,%,,,,\n" for m in [*METHODS, "adabn_test_only"]]
    cells += ["majority_class,accuracy_batch_separated,8.3,,1,,,%,,,,\n"]
    write_text(HEAD + "".join(cells), "results/tiny/tables/table1.csv")
    rows = "adabn,kbet,80,,1,,,%,,,,\nadabn.harmony,kbet,94.6,,1,,,%,,,,\nchance,neighbor_same_batch,30,,1,,,%,,,,\n"
    write_text(HEAD + rows, "results/tiny/tables/table_correction.csv")
    write_text(
        HEAD + "adabn_minus_baseline,accuracy_batch_separated,3,,1,,,%,,,,\n",
        "results/tiny/tables/table_differences.csv",
    )
    registry = chosen_registry(CONFIG[1:])
    results = Results(registry, Files(registry.results, registry.name))
    for table in ("table1", "table_correction", "table_differences"):
        made_from = record_origins(draft_table(table, results))
        guess = {
            "cells": [("majority_class", "accuracy_batch_separated")],
            "runs": [],
            "splits": ["separated"],
            "words": "x",
        }
        write_text(
            json.dumps({"table": table, "runs": records, "made_from": [*made_from, guess]}),
            f"results/tiny/tables/{table}.json",
        )
    for path in tmp_path.rglob("*"):
        os.utime(path, (hours_ago, hours_ago))
    return tmp_path


def split_of(name: str) -> pd.DataFrame:
    return pd.DataFrame({"image_id": [f"{name}1", f"{name}2"], "subset": ["train", "test"]})


def record(method: str, split: str) -> dict:
    return {
        "screen": "tiny", "method": method, "split": split, "seed": 0,
        "recipe": chosen_registry(["screen=tiny"]).recipes[method].model_dump(),
        "split_sha256": split_sha256(split_of(split)), "debatch": "0.1.0", "git_commit": "a" * 40 + "+",
        "python": "3.11.7", "packages": {"torch": "2.13.0"},
        "hardware": {"device": "NVIDIA H100", "cpu": "CPU X", "threads": 8}, "precision": "bfloat16",
        "wall_seconds": 5400.0, "finished": "2026-11-20T10:00:00+00:00",
    }  # fmt: skip


def run_of(made: dict) -> Path:
    return Path(f"results/tiny/runs/{made['method']}/{made['split']}/seed0")


def provenance(capsys, *cell: str) -> tuple[int, dict]:
    status = main(["provenance", *cell, "--json", *CONFIG])
    return status, json.loads(capsys.readouterr().out)


def runs(told: dict) -> list[tuple[str, str]]:
    return [(run["method"], run["split"]) for run in told["runs"]]


def test_cell_of_one_split_names_its_run_with_all_that_it_was_made_with(capsys):
    assert main(["provenance", "table1", "adabn", "accuracy_batch_separated", *CONFIG]) == 0
    said = capsys.readouterr().out
    assert "61.25 % ± 1.5 (n = 1), [50 to 70] over test batches; the paper: 75.1 %, not comparable" in said
    assert "adabn/separated/seed0" in said
    assert "stratified" not in said
    for told in ("NVIDIA H100", "1.50", "aaaaaaaaaaaa, edited", "2026-11-20 10:00:00 UTC", "torch 2.13.0"):
        assert told in said
    assert f"{split_sha256(split_of('separated'))}, the same as in the runs" in said
    assert "Everything that it was made from is there as it was" in said


def test_ratio_of_two_splits_stands_on_runs_of_both(capsys):
    status, told = provenance(capsys, "table1", "adabn", "batch_generalization")
    assert status == 0
    assert runs(told) == [("adabn", "separated"), ("adabn", "stratified")]
    assert told["wall_seconds"] == 10_800
    assert told["gpu_hours"] == pytest.approx(3.0)


def test_method_that_borrows_weights_names_the_training(capsys):
    _, told = provenance(capsys, "table1", "adabn_test_only", "batch_generalization")
    assert runs(told) == [("baseline", "separated"), ("baseline", "stratified")]
    assert told["views"] == ["batch"]


def test_difference_stands_on_both_methods(capsys):
    _, told = provenance(capsys, "table_differences", "adabn_minus_baseline", "accuracy_batch_separated")
    assert set(runs(told)) == {("adabn", "separated"), ("baseline", "separated")}


def test_corrected_row_says_its_view(capsys):
    _, told = provenance(capsys, "table_correction", "adabn.harmony", "kbet")
    assert runs(told) == [("adabn", "separated")]
    assert told["views"] == ["batch.harmony"]


def test_guess_stands_on_no_run(capsys):
    _, told = provenance(capsys, "table1", "majority_class", "accuracy_batch_separated")
    assert told["runs"] == []
    assert told["splits"]["separated"]["sha256_now"] == split_sha256(split_of("separated"))


@pytest.mark.parametrize(
    ("cell", "near"),
    [
        (("tabel1", "adabn", "batch_generalization"), "did you mean 'table1'?"),
        (("table1", "adabm", "batch_generalization"), "did you mean 'adabn'?"),
        (("table1", "adabn", "batch_generalisation"), "did you mean 'batch_generalization'?"),
        (("table3", "adabn", "ALPHA"), "`snakemake table3` makes it"),
    ],
)
def test_wrong_name_suggests_the_nearest(cell, near, capsys):
    assert main(["provenance", *cell, *CONFIG]) == 1
    assert near in capsys.readouterr().err


def findings(capsys) -> str:
    status, told = provenance(capsys, "table1", "adabn", "accuracy_batch_separated")
    assert status == 1
    return " | ".join(told["findings"])


def test_run_that_is_gone(capsys):
    (run_of({"method": "adabn", "split": "separated"}) / "recipe.json").unlink()
    assert "adabn/separated/seed0: the run is gone" in findings(capsys)


def test_run_that_was_trained_again(capsys):
    again = {**record("adabn", "separated"), "finished": "2026-11-21T10:00:00+00:00"}
    write_text(json.dumps(again), run_of(again) / "recipe.json")
    assert "trained again since (finished 2026-11-21T10:00:00+00:00)" in findings(capsys)


def test_split_that_was_drawn_again(capsys):
    write_frame(split_of("other"), "results/tiny/splits/separated.parquet")
    assert "split separated: not the one that the runs were trained on" in findings(capsys)


def test_embeddings_newer_than_the_table(capsys):
    path = run_of({"method": "adabn", "split": "separated"}) / "embeddings/batch.parquet"
    path.parent.mkdir()
    path.write_text("")
    assert "newer than the table" in findings(capsys)


def test_run_that_the_table_does_not_list(capsys):
    path = Path("results/tiny/tables/table1.json")
    write_text(json.dumps({**json.loads(path.read_text()), "runs": []}), path)
    assert "the table was made without it" in findings(capsys)


def test_table_that_does_not_say_what_it_is_made_from(capsys):
    write_text("{}", "results/tiny/tables/table1.json")
    assert "table1.json does not say what the cell is made from: make it again" in findings(capsys)


def test_profiles_are_told_by_file_and_checksum(folder, capsys):
    profiles = folder / "p.csv"
    profiles.write_text("Metadata_Plate,Metadata_Well\nP1,A01\n")
    (folder / "mine.yaml").write_text(f"profiles: {{cp: {{file: {profiles}}}}}\n")
    write_text(HEAD + "cp.harmony,kbet,20,,1,,,%,,,,\n", "results/mine/tables/table_correction.csv")
    run = asdict(chosen_registry(["screen=mine.yaml"]).run("cp", "all", 0)) | {"correction": "harmony"}
    made_from = [{"cells": [["cp.harmony", "kbet"]], "runs": [run], "splits": ["all"], "words": ""}]
    write_text(json.dumps({"runs": [], "made_from": made_from}), "results/mine/tables/table_correction.json")
    own = hashlib.sha256(profiles.read_bytes())
    made_from = hashlib.sha256(own.digest()).hexdigest()
    write_frame(pd.DataFrame({"image_id": ["a"]}), "results/mine/images.parquet", {"metadata_sha256": made_from})
    cell = ["provenance", "table_correction", "cp.harmony", "kbet", "--config", "screen=mine.yaml"]
    assert main(cell) == 0
    said = capsys.readouterr().out
    assert str(profiles) in said
    assert own.hexdigest() in said
    assert "under profiles.harmony; nothing was trained" in said
    profiles.write_text("other")
    assert main(cell) == 1
    assert "not those that the index was made from" in capsys.readouterr().out


def drafted(table):
    """The table of a screen that has no results yet."""
    registry = chosen_registry(["screen=rxrx1"])
    return draft_table(table, Results(registry, Files(registry.results, registry.name))).cells


def test_cells_of_variations_and_of_few_batches_name_the_runs_they_are_made_from():
    mixed = drafted("table2")["mixup", "adabn"].origin
    assert [(run.weights, run.split, run.seed) for run in mixed.runs] == [("adabn__mixup", "separated", 0)]
    default = drafted("table5")["self", "baseline"].origin
    assert {run.weights for run in default.runs} == {"baseline"}
    assert len(default.runs) == 5
    seeds = drafted("table4")["adabn", "RPE"].origin
    assert {(run.split, run.seed) for run in seeds.runs} == {("few_RPE_draw0", seed) for seed in range(5)}
    draws = drafted("table4")["adabn", "RPE_draws"].origin
    assert {(run.split, run.seed) for run in draws.runs} == {(f"few_RPE_draw{draw}", 0) for draw in range(5)}
    assert draws.words == "the first seed on each draw of training batches"


def test_cells_of_tables_of_adaptation_name_the_trained_runs():
    own = drafted("table_adaptation")["adabn.plate_controls", "n16"].origin
    assert {(run.weights, run.seed) for run in own.runs} == {("adabn", seed) for seed in range(5)}
    borrowed = drafted("table_label_shift")["classes_50", "adabn_test_only.difference"].origin
    assert {run.weights for run in borrowed.runs} == {"baseline"}
    assert "adaptation.csv" in borrowed.words
    assert drafted("table_adaptation")["adabn.plate_controls", "available"].origin.runs == ()
    probed = drafted("table_probe_normalization")["plate", "adabn.knn_unseen"].origin
    assert [(run.weights, run.seed) for run in probed.runs] == [("adabn__plate", 0)]
    assert "half" in probed.words


def test_what_a_table_records_of_its_cells_is_read_again():
    registry = chosen_registry(["screen=rxrx1"])
    draft = draft_table("table1", Results(registry, Files(registry.results, registry.name)))
    record = json.loads(json.dumps({"made_from": record_origins(draft)}))
    for (row, column), cell in draft.cells.items():
        assert recorded_origin(record, row, column) == cell.origin
    assert recorded_origin(record, "adabn", "no_column") is None
