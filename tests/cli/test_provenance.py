import hashlib
import json
import os
import time
from pathlib import Path

import pandas as pd
import pytest

from debatch.cli import main
from debatch.cli.cells import origin_of
from debatch.cli.choice import chosen_registry
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
    write_frame(pd.DataFrame({"image_id": ["a"]}), "results/tiny/images.parquet", {"metadata_sha256": ""})
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
    for table in ("table1", "table_correction", "table_differences"):
        write_text(json.dumps({"table": table, "runs": records}), f"results/tiny/tables/{table}.json")
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
    write_text(json.dumps({"runs": []}), "results/tiny/tables/table1.json")
    assert "the table was made without it" in findings(capsys)


def test_profiles_are_told_by_file_and_checksum(folder, capsys):
    profiles = folder / "p.csv"
    profiles.write_text("Metadata_Plate,Metadata_Well\nP1,A01\n")
    (folder / "mine.yaml").write_text(f"profiles: {{cp: {{file: {profiles}}}}}\n")
    write_text(HEAD + "cp.harmony,kbet,20,,1,,,%,,,,\n", "results/mine/tables/table_correction.csv")
    write_text('{"runs": []}', "results/mine/tables/table_correction.json")
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


def test_cells_of_variations_and_of_few_batches_name_the_runs_they_are_made_from():
    registry = chosen_registry(["screen=rxrx1"])
    mixed = origin_of(registry, "table2", "mixup", "adabn")
    assert [(run.weights, run.split, run.seed) for run in mixed.runs] == [("adabn__mixup", "separated", 0)]
    default = origin_of(registry, "table5", "self", "baseline")
    assert {run.weights for run in default.runs} == {"baseline"}
    assert len(default.runs) == 5
    seeds = origin_of(registry, "table4", "adabn", "RPE")
    assert {(run.split, run.seed) for run in seeds.runs} == {("few_RPE_draw0", seed) for seed in range(5)}
    draws = origin_of(registry, "table4", "adabn", "RPE_draws")
    assert {(run.split, run.seed) for run in draws.runs} == {(f"few_RPE_draw{draw}", 0) for draw in range(5)}
    assert draws.words == "the first seed on each draw of training batches"


def test_cells_of_tables_of_adaptation_name_the_trained_runs():
    registry = chosen_registry(["screen=rxrx1"])
    own = origin_of(registry, "table_adaptation", "adabn.plate_controls", "n16")
    assert {(run.weights, run.seed) for run in own.runs} == {("adabn", seed) for seed in range(5)}
    borrowed = origin_of(registry, "table_label_shift", "classes_50", "adabn_test_only.difference")
    assert {run.weights for run in borrowed.runs} == {"baseline"}
    assert "adaptation.csv" in borrowed.words
    assert origin_of(registry, "table_label_shift", "classes_50", "total_variation").runs == []
    assert origin_of(registry, "table_adaptation", "adabn.plate_controls", "available").runs == []
    probed = origin_of(registry, "table_probe_normalization", "plate", "adabn.knn_unseen")
    assert [(run.weights, run.seed) for run in probed.runs] == [("adabn__plate", 0)]
    assert "half" in probed.words
    (guessed,) = origin_of(registry, "table_probe_normalization", "guess", "baseline.probe_unseen").runs
    assert guessed.weights == "baseline__all"
