"""A finished run is not trained a second time, whoever asks for it again."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.images import make_images
from helpers.tiny_trainer import LARGER
from safetensors.torch import load_file

from debatch.config.trained import read_trained_model
from debatch.errors import DataError
from debatch.jobs import job as job_module
from debatch.jobs.launch import run_training
from debatch.learn import identity
from debatch.learn.identity import code_digest
from debatch.runtime.pauses import OutOfTimeError, Pauses
from debatch.screen.splits import split_sha256
from debatch.tabular import read_frame, write_frame

USED_AGAIN = "adabn/separated/seed3: trained already, with the same settings, data and code: its weights are used again"


@pytest.fixture
def finished(job):
    """A run that is trained."""
    run_training(job)
    return job


@pytest.fixture
def steps(monkeypatch):
    """The steps that are taken from now on."""
    taken = []
    take_step = job_module.Trainer._take_step

    def noting(self, step, *how):
        taken.append(step)
        return take_step(self, step, *how)

    monkeypatch.setattr(job_module.Trainer, "_take_step", noting)
    return taken


def names(job):
    return sorted(path.name for path in job.folder.iterdir())


def test_a_finished_run_whose_model_was_taken_away_is_there_again_in_no_step(finished, steps, caplog):
    weights, record = Path(finished.model).read_bytes(), (finished.folder / "recipe.json").read_bytes()
    before = names(finished)
    os.utime(finished.model, (0, 0))
    os.remove(finished.model)
    with caplog.at_level("INFO", "debatch"):
        run_training(finished)
    assert not steps
    assert f"{USED_AGAIN}; remove {finished.folder}/finished.safetensors to train anew" in caplog.text
    assert Path(finished.model).read_bytes() == weights
    assert (finished.folder / "recipe.json").read_bytes() == record
    assert names(finished) == before == ["finished.safetensors", "history.csv", "model.safetensors", "recipe.json"]
    assert os.stat(finished.model).st_mtime > 0, "it would be older than what it was made from"
    assert os.path.samefile(finished.model, finished.folder / "finished.safetensors"), "twice on the disk"
    assert read_trained_model(finished.folder).recipe.epochs == 3


def test_a_finished_run_whose_model_is_still_there_is_left_as_it_is(finished, steps):
    weights, before = Path(finished.model).read_bytes(), names(finished)
    run_training(finished)
    assert not steps
    assert Path(finished.model).read_bytes() == weights
    assert names(finished) == before


def test_without_links_it_is_a_copy(job, steps, monkeypatch):
    def no_links(*how):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    run_training(job)
    weights, taken = Path(job.model).read_bytes(), len(steps)
    assert not os.path.samefile(job.model, job.folder / "finished.safetensors")
    os.remove(job.model)
    run_training(job)
    assert Path(job.model).read_bytes() == weights
    assert len(steps) == taken > 0


def test_an_index_that_was_made_again_with_other_columns_costs_no_step(finished, steps, results):
    path = results / "again.parquet"
    write_frame(read_frame(finished.index).assign(qc_flags="out of focus"), path, {"pixels_sha256": "12"})
    os.remove(finished.model)
    run_training(replace(finished, index=str(path)))
    assert not steps


@pytest.mark.parametrize("what", ["pixels", "recipe", "seed", "code", "library", "record", "weights", "by the user"])
def test_what_differs_is_trained_anew(finished, steps, results, tmp_path, monkeypatch, what):
    other, kept = finished, finished.folder / "finished.safetensors"
    os.link(kept, tmp_path / "before")  # holds the inode, which the file system would give to the next file else
    if what == "pixels":
        path = results / "other.parquet"
        write_frame(read_frame(finished.index), path, {"pixels_sha256": "13"})
        other = replace(finished, index=str(path))
    elif what == "recipe":
        other = replace(finished, recipe={**finished.recipe, "learning_rate": 0.001})
    elif what == "seed":
        other = replace(finished, seed=4)
    elif what == "code":
        monkeypatch.setattr(job_module, "code_digest", lambda *_: "of other code")
    elif what == "library":
        monkeypatch.setattr(identity, "version", lambda name: "0.0")
    elif what == "record":
        (finished.folder / "recipe.json").unlink()
    elif what == "weights":
        shutil.copyfile(kept, finished.folder / "apart")
        kept.unlink()
        kept.write_bytes((finished.folder / "apart").read_bytes()[:100])
        (finished.folder / "apart").unlink()
    else:
        kept.unlink()
    os.remove(finished.model)
    run_training(other)
    assert steps == list(range(6))
    assert not os.path.samefile(kept, tmp_path / "before")
    assert os.path.samefile(other.model, kept)
    assert len(json.loads((other.folder / "recipe.json").read_text())["starts"]) == 1


def test_finished_weights_of_another_arithmetic_are_trained_anew_only_where_one_is_asked_for(finished, steps):
    """`auto` on a machine of another kind must not throw a finished run away, nor pass it off as its own."""
    halved = replace(finished, recipe={**finished.recipe, "precision": "bfloat16"})
    os.remove(finished.model)
    run_training(halved)
    assert len(steps) == 6
    assert json.loads((finished.folder / "recipe.json").read_text())["precision"] == "bfloat16"
    os.remove(finished.model)
    with pytest.raises(DataError, match="begun in bfloat16, and here it would go on in float32"):
        run_training(replace(finished, recipe={**finished.recipe, "precision": "auto"}))
    assert (finished.folder / "finished.safetensors").exists()


def test_a_new_training_that_is_stopped_leaves_no_finished_weights_of_the_old_one(finished, monkeypatch):
    monkeypatch.setattr(job_module, "code_digest", lambda *_: "of other code")
    with pytest.raises(OutOfTimeError):
        job_module.train_run(finished, torch.device("cpu"), Pauses(limit_seconds=0))
    assert not (finished.folder / "finished.safetensors").exists()


def test_other_code_goes_on_from_a_half_trained_run(job, steps, monkeypatch):
    """A `git pull` must not throw away days."""
    with pytest.raises(OutOfTimeError):
        job_module.train_run(job, torch.device("cpu"), Pauses(limit_seconds=0))
    assert steps == [0]
    monkeypatch.setattr(job_module, "code_digest", lambda *_: "of other code")
    run_training(job)
    assert steps == list(range(6))


def test_other_pixels_under_the_same_names_begin_anew(job, steps, results, caplog):
    with pytest.raises(OutOfTimeError):
        job_module.train_run(job, torch.device("cpu"), Pauses(limit_seconds=0))
    path = results / "reingested.parquet"
    write_frame(read_frame(job.index), path, {"pixels_sha256": "13"})
    run_training(replace(job, index=str(path)))
    assert steps == [0, *range(6)]
    assert "training starts anew" in caplog.text


def test_an_interrupted_run_has_the_models_bytes_of_one_that_was_not(finished, tmp_path, monkeypatch):
    stopped = replace(finished, model=str(tmp_path / "stopped/model.safetensors"))
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    with pytest.raises(OutOfTimeError):
        job_module.train_run(stopped, torch.device("cpu"), Pauses(limit_seconds=0))
    monkeypatch.delenv("SLURM_JOB_ID")
    run_training(stopped)
    record = json.loads((stopped.folder / "recipe.json").read_text())
    assert (len(record["starts"]), [start["slurm_job"] for start in record["starts"]]) == (2, ["17", None])
    assert Path(stopped.model).read_bytes() == Path(finished.model).read_bytes()


@pytest.mark.parametrize("before", ["keep_finished", "save_weights"])
def test_a_run_that_was_killed_at_its_very_end_takes_no_step_again(job, steps, monkeypatch, before):
    whole = getattr(job_module, before)

    def killed(*how):
        raise KeyboardInterrupt

    monkeypatch.setattr(job_module, before, killed)
    with pytest.raises(KeyboardInterrupt):
        run_training(job)
    Path(job.model).unlink(missing_ok=True)  # as Snakemake does
    monkeypatch.setattr(job_module, before, whole)
    run_training(job)
    assert steps == list(range(6))
    assert names(job) == ["finished.safetensors", "history.csv", "model.safetensors", "recipe.json"]


def test_a_split_whose_test_side_changed_is_what_the_record_says(finished, steps, results):
    """Its training images are the same, and so are the weights."""
    path = results / "larger_test.parquet"
    split = read_frame(finished.split)
    other = split[(split["subset"] == "train") | (np.arange(len(split)) % 2 == 0)]
    write_frame(other, path)
    before = json.loads((finished.folder / "recipe.json").read_text())
    os.remove(finished.model)
    run_training(replace(finished, split=str(path)))
    after = json.loads((finished.folder / "recipe.json").read_text())
    assert not steps
    assert after == {**before, "split_sha256": split_sha256(other)}
    assert after != before


def test_the_code_that_weights_depend_on_is_told_by_its_content(tmp_path, monkeypatch, root):
    package = tmp_path / "debatch"
    shutil.copytree(root / "src/debatch", package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(identity.debatch, "__file__", str(package / "__init__.py"))
    first, contrastive = code_digest("classification"), code_digest("supcon")
    for name, edit, matters in [
        ("report/page/html.py", "EDITED = 1", False),
        ("screen/simulate/experiment.py", "EDITED = 1", False),
        ("runtime/pauses.py", "EDITED = 1", False),
        ("learn/train.py", "# edited", False),
        ("learn/train.py", "log.info('edited')", False),
        ("learn/train.py", "EDITED = 1", True),
        ("learn/objectives/classification.py", "EDITED = 1", True),
        ("learn/objectives/labelled.py", "EDITED = 1", True),
        # another objective, and one that comes new
        ("learn/objectives/supcon.py", "EDITED = 1", False),
        ("learn/objectives/centers.py", "EDITED = 1", False),
        ("config/objectives.py", "EDITED = 1", False),
        ("model/standardize.py", "EDITED = 1", True),
        ("screen/store.py", "EDITED = 1", True),
        ("config/recipe.py", "EDITED = 1", True),
    ]:
        with (package / name).open("a") as file:
            file.write(f"\n{edit}\n")
        assert (code_digest("classification") != first) == matters, (name, edit)
        first = code_digest("classification")
        if "objectives/" in name:  # it imports what classification is made of
            assert (code_digest("supcon") != contrastive) == ("centers" not in name)
        contrastive = code_digest("supcon")
    recipe = package / "config/recipe.py"
    recipe.write_text(recipe.read_text().replace("Passes over the training images.", "How often each image is seen."))
    assert code_digest("classification") == first
    train = package / "learn/train.py"
    train.write_text(train.read_text().replace("the loss is not a number", "the loss is lost"))
    assert code_digest("classification") == first


def test_all_code_that_training_runs_is_known_to_decide_weights_or_not_to():
    """A module that training begins to import must be put on one side."""
    says_nothing = {
        "runtime/checkpoint.py", "learn/collapse.py", "learn/data.py", "learn/identity.py", "runtime/starts.py",
        "runtime/pauses.py", "runtime/devices.py", "runtime/lock_files.py", "runtime/processor.py", "runtime/slurm.py",
        "model/timm_import.py", "screen/normalization.py",
        # which images a run has is in its identity
        "screen/subsets.py", "screen/classes.py",
    }  # fmt: skip
    code = "import sys, debatch.learn.train, debatch.learn.objectives.{0}\nprint(*sys.modules)"
    kinds = [path.stem for path in (Path(identity.__file__).parent / "objectives").glob("[a-z]*.py")]
    done = subprocess.run(
        [sys.executable, "-c", code.format(", debatch.learn.objectives.".join(kinds))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rooms = ("debatch.learn.", "debatch.model.", "debatch.runtime.", "debatch.screen.")
    modules = {
        name.removeprefix("debatch.").replace(".", "/") + ".py"
        for name in done.stdout.split()
        if name.startswith(rooms)
    }
    decide = {part for part in identity.CODE if part.startswith(("learn/", "model/", "runtime/", "screen/"))}
    found = {name for name in modules if not name.startswith(("learn/objectives", "model/stems"))}
    assert found == decide | says_nothing


def reader_of(job):
    """What Snakemake hands a script that reads the trained model."""
    return SimpleNamespace(
        input=SimpleNamespace(index=job.index, split=job.split, normalization=job.normalization, model=job.model),
        params=SimpleNamespace(recipe=job.recipe, results=job.results),
        resources=SimpleNamespace(gpu=0),
        threads=1,
    )


def test_what_reads_the_model_gets_its_weights_and_images(finished, root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "workflow/scripts"))
    from trained import read_run

    run = read_run(reader_of(finished))
    for name, tensor in load_file(finished.model).items():
        assert torch.equal(run.network.state_dict()[name], tensor), name
    read = next(run.images.groups([np.array([0, 40])])).images.numpy()
    np.testing.assert_array_equal(read, make_images(LARGER)[[0, 40]])


def test_a_model_that_cannot_be_read_is_said(finished, root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "workflow/scripts"))
    from trained import read_run

    os.remove(finished.model)
    Path(finished.model).write_bytes(b"cut off")
    with pytest.raises(DataError, match="cannot be read as a trained model"):
        read_run(reader_of(finished))
