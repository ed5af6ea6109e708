import fcntl
import json
import os
import platform
import shutil
import time
from pathlib import Path

import pytest

from debatch.cli import main
from debatch.cli.choice import chosen_registry
from debatch.cli.planning.dry_run import Job
from debatch.cli.run_state import read_state
from debatch.errors import UserError
from debatch.files import Files

SCREEN = "extends: tiny\ntraining: {epochs: 10}\nsplits: {names: [separated]}\ntargets: [table3]\n"
CONFIG = ["--config", "screen=mine.yaml"]
LONG_AGO = time.time() - 30 * 24 * 3600


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text(SCREEN)
    monkeypatch.chdir(tmp_path)
    # of files that a test wrote Snakemake knows nothing
    snakemake_would_run(monkeypatch)
    return tmp_path


def snakemake_would_run(monkeypatch, **reasons: str) -> None:
    """Trainings that Snakemake would start again: method -> its reason."""
    jobs = [Job("make_table", {"table": "table3"})]
    for method, reason in reasons.items():
        run = {"method": method, "split": "separated", "seed": "0"}
        jobs.append(Job("train", run, reason=reason))
    monkeypatch.setattr("debatch.cli.outdated.dry_run", lambda *_: jobs)


def run_folder(method: str) -> Path:
    made = Path(f"results/mine/runs/{method}/separated/seed0")
    made.mkdir(parents=True, exist_ok=True)
    return made


def write_history(method: str, seconds: list[float], torn: str = "") -> Path:
    path = run_folder(method) / "history.csv"
    rows = [f"{at},1.0,{value}" for at, value in enumerate(seconds, start=1)]
    path.write_text("\n".join(["epoch,loss,seconds", *rows, ""]) + torn)
    return path


def write_log(method: str, *lines: str) -> Path:
    path = Path(f"logs/mine/train/{method}-separated-seed0.log")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"12:00:00 {line}\n" for line in lines))
    return path


def finish(method: str, epoch_seconds: float = 10.0) -> None:
    registry = chosen_registry(["screen=mine.yaml"])
    write_history(method, [epoch_seconds] * 10)
    record = {"recipe": registry.recipes[method].model_dump()}
    (run_folder(method) / "recipe.json").write_text(json.dumps(record))
    (run_folder(method) / "model.safetensors").write_text("")


def state(method: str):
    registry = chosen_registry(["screen=mine.yaml"])
    return read_state(registry, Files(registry.results, registry.name), (method, "separated", 0))


def make_old(*paths: Path) -> None:
    for path in paths:
        os.utime(path, (LONG_AGO, LONG_AGO))


def test_screen_with_nothing_yet_says_so(capsys):
    assert main(["status", *CONFIG]) == 0
    assert "Nothing has been trained yet: 4 trainings wait" in capsys.readouterr().out


def test_target_without_trainings_says_so(capsys):
    assert main(["status", "qc", *CONFIG]) == 0
    assert "need no training" in capsys.readouterr().out


def test_done_running_failed_and_waiting_are_told_apart(capsys):
    finish("baseline")
    write_history("gradient_reversal", [100.0, 20.0, 20.0, 20.0, 20.0, 20.0], torn="7,0.5")
    write_history("adabn", [10.0])
    write_log("adabn", "adabn/separated/seed0: epoch 1/10  loss 3", "Error: the loss is not a number in epoch 2")
    assert main(["status", *CONFIG]) == 1
    said = capsys.readouterr().out
    assert "1 done, 1 running, 1 failed, 1 waiting" in said
    assert "Error: the loss is not a number in epoch 2" in said
    assert "Epochs 17 of 40" in said
    lines = {line.split()[0]: line for line in said.splitlines() if line.split()[1:2] == ["separated"]}
    assert "running" in lines["gradient_reversal"]
    assert "6/10" in lines["gradient_reversal"]
    assert "80.0 s" in lines["gradient_reversal"]  # four epochs as the last five were, and not as the first
    assert "when it will be done is not known: failed runs must be started again" in said


def test_a_training_that_others_start_with_is_counted_before_them(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(
        SCREEN.replace("table3", "cdcl_table2a") + "columns: {mechanism: mechanism}\n"
        "methods: {mechanisms_after_cdcl: {starts_from: dino}}\n"
    )
    assert main(["status", *CONFIG]) == 0
    assert "7 trainings wait" in capsys.readouterr().out, "six rows, and dino"


def test_finish_is_told_for_as_many_at_once_as_run_now(capsys):
    finish("baseline", 3600.0)
    finish("adabn", 3600.0)
    write_history("gradient_reversal", [3600.0] * 6)
    before = time.time()
    assert main(["status", "--json", *CONFIG]) == 0
    told = json.loads(capsys.readouterr().out)
    # four epochs of the one that runs, and ten of the one that waits, on the one place there is
    assert told["training_seconds_left"] == pytest.approx(14 * 3600)
    finish_at = time.mktime(time.strptime(told["estimated_finish"][:16], "%Y-%m-%dT%H:%M"))
    assert finish_at == pytest.approx(before + 14 * 3600, abs=120)
    assert {run["state"] for run in told["runs"]} == {"done", "running", "waiting"}


def test_run_whose_lock_is_held_runs_whatever_its_log_says():
    old = write_history("baseline", [10.0]), write_log("baseline", "Error: of the attempt before")
    make_old(*old)
    lock = run_folder("baseline") / "writer.lock"
    lock.write_text(json.dumps({"host": platform.node(), "pid": 1, "slurm_job": "4711"}))
    with open(lock) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = state("baseline")
    assert found.state == "running"
    assert "SLURM job 4711" in found.detail
    assert state("baseline").state == "failed"


def test_looking_at_a_lock_leaves_it_free():
    lock = run_folder("baseline") / "writer.lock"
    lock.write_text("{}")
    state("baseline")
    with open(lock) as mine:
        fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_lock_left_by_a_killed_run_of_this_machine_says_that_it_stopped():
    write_history("baseline", [10.0])
    (run_folder("baseline") / "writer.lock").write_text(json.dumps({"host": platform.node()}))
    assert state("baseline").state == "failed"
    assert "stopped without an error" in state("baseline").detail


def test_run_of_another_machine_is_judged_by_how_recently_it_wrote():
    history = write_history("baseline", [10.0])
    lock = run_folder("baseline") / "writer.lock"
    lock.write_text(json.dumps({"host": "another-node"}))
    assert state("baseline").state == "running"
    make_old(history)
    assert state("baseline").state == "failed"


def test_run_whose_folder_was_removed_waits_however_young_its_log_is():
    log = write_log("baseline", "baseline/separated/seed0: epoch 10/10  loss 2")
    shutil.rmtree(run_folder("baseline"))
    few_minutes_ago = time.time() - 300
    os.utime(log, (few_minutes_ago, few_minutes_ago))
    assert state("baseline").state == "waiting"


def test_run_that_has_just_begun_to_import_runs():
    write_log("baseline", "")
    shutil.rmtree(run_folder("baseline"))
    assert state("baseline").state == "running"


def test_run_that_left_before_its_time_limit_waits_to_go_on():
    write_history("baseline", [10.0, 10.0])
    write_log(
        "baseline", "Error: baseline/separated/seed0: its time limit is near: saved in epoch 3 of 10; run it again"
    )
    found = state("baseline")
    assert (found.state, found.epochs_done, found.seconds_left) == ("waiting", 2, 80.0)


def test_error_of_an_attempt_that_went_on_is_forgotten():
    write_history("baseline", [10.0])
    write_log("baseline", "Error: once", "baseline/separated/seed0: epoch 1/10  loss 2")
    assert state("baseline").state == "running"


@pytest.mark.parametrize("content", ["", "epoch,loss\n1,2\n", "\x00\x00", "epoch,seconds\nx,y\n"])
def test_damaged_history_is_no_epochs(content):
    (run_folder("baseline") / "history.csv").write_text(content)
    found = state("baseline")
    assert (found.epochs_done, found.seconds_left) == (0, None)


def test_finished_run_of_another_recipe_says_so():
    finish("baseline")
    record = run_folder("baseline") / "recipe.json"
    record.write_text(record.read_text().replace('"learning_rate": 0.004', '"learning_rate": 0.4'))
    assert "learning_rate" in state("baseline").detail


def table_of(capsys, *arguments: str) -> tuple[str, dict[str, str]]:
    main(["status", *CONFIG, *arguments])
    said = capsys.readouterr().out
    return said, {line.split()[0]: line for line in said.splitlines() if line.split()[1:2] == ["separated"]}


def test_finished_runs_that_will_be_trained_again_are_not_called_done(capsys, monkeypatch):
    for method in ("baseline", "gradient_reversal", "adabn", "adabn_gradient_reversal"):
        finish(method)
    record = run_folder("baseline") / "recipe.json"
    record.write_text(record.read_text().replace('"learning_rate": 0.004', '"learning_rate": 0.4'))
    snakemake_would_run(
        monkeypatch,
        baseline="Params have changed since last execution: Union of exclusive params before and now",
        adabn="Updated input files: results/mine/images.parquet, results/mine/splits/separated.parquet",
        gradient_reversal="Input files updated by another job: results/mine/images.parquet",
    )
    said, lines = table_of(capsys)
    assert "1 done, 3 outdated, 0 running" in said
    assert "All trainings are done" not in said
    assert "Epochs 10 of 40" in said
    assert "Left: 5.00 min of training" in said
    assert "will be trained again: settings that changed: learning_rate" in lines["baseline"]
    assert "its job will run again: images.parquet, splits/separated.parquet changed; it trains" in lines["adabn"]
    assert "images.parquet will be made again; it trains again, unless" in lines["gradient_reversal"]
    assert " done " in lines["adabn_gradient_reversal"]


def test_another_recipe_that_snakemake_does_not_know_of_is_done_and_said(capsys):
    """As of results that were copied without Snakemake's records."""
    finish("baseline")
    record = run_folder("baseline") / "recipe.json"
    record.write_text(record.read_text().replace('"learning_rate": 0.004', '"learning_rate": 0.4'))
    said, lines = table_of(capsys)
    assert "1 done" in said
    assert "settings that changed: learning_rate; Snakemake will not train it again by itself" in lines["baseline"]


def test_outdated_runs_in_json_and_where_snakemake_cannot_be_asked(capsys, monkeypatch):
    finish("baseline")
    snakemake_would_run(monkeypatch, baseline="Code has changed since last execution; Incomplete output files: a, b")
    main(["status", "--json", *CONFIG])
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["outdated"], told["outdated_is_known"]) == (0, 1, True)
    (run,) = [run for run in told["runs"] if run["state"] == "outdated"]
    assert run["training_seconds_left"] == 100.0
    assert "its last job was broken off and the workflow's code changed" in run["detail"]

    def broken(*_):
        raise UserError("Snakemake cannot plan this: no disk\nand more")

    monkeypatch.setattr("debatch.cli.outdated.dry_run", broken)
    main(["status", "--json", *CONFIG])
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["outdated"], told["outdated_is_known"]) == (1, 0, False)
    main(["status", *CONFIG])
    said = capsys.readouterr().out
    assert "Whether Snakemake trains finished runs again is not known: Snakemake cannot plan this: no disk" in said


def test_snakemake_is_asked_of_finished_runs_alone(monkeypatch):
    asked = []
    monkeypatch.setattr("debatch.cli.outdated.dry_run", lambda *given: asked.append(given[1]) or [])
    main(["status", *CONFIG])
    assert asked == []  # it takes seconds
    finish("adabn")
    main(["status", *CONFIG])
    assert asked == [["results/mine/runs/adabn/separated/seed0/model.safetensors"]]


def test_status_writes_nothing(folder):
    finish("baseline")
    before = sorted(folder.rglob("*"))
    main(["status", *CONFIG])
    assert sorted(folder.rglob("*")) == before


def test_unknown_target_names_the_nearest(capsys):
    assert main(["status", "tabel1", *CONFIG]) == 1
    assert "did you mean 'table1'?" in capsys.readouterr().err


def test_override_that_is_none(capsys):
    assert main(["status", "--config", "screen"]) == 1
    assert "expected key=value" in capsys.readouterr().err
