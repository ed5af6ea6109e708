"""A training job from files on disk: in this process, by torchrun, and in processes that this one starts."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_images, self_statistics
from safetensors.torch import load_file
from tiny_trainer import DEALT_RECIPES, LARGER, split_of

from debatch.config.screen import Store
from debatch.config.trained import read_weights_facts
from debatch.errors import DataError, UserError
from debatch.files import Files
from debatch.learn import launch
from debatch.learn.checkpoint import checkpoint_of
from debatch.learn.job import TrainingJob
from debatch.learn.launch import run_training, train_in_processes
from debatch.learn.pauses import Pauses
from debatch.screen.measure import measure
from debatch.screen.store import StoreWriter
from debatch.tabular import write_frame


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A screen's results folder with stores, index, split and normalization, and no run."""
    folder = tmp_path_factory.mktemp("results")
    files, images = Files(str(folder), "tiny"), make_images(LARGER)
    for experiment, rows in LARGER.groupby("experiment"):
        own, path = images[rows.index], Path(files.store(experiment))
        with StoreWriter(path, own.shape, Store(), {"channels": ["DNA", "ER", "Actin"]}) as writer:
            writer.append(own, measure(own).moments)
    write_frame(LARGER, files.index())
    write_frame(split_of(LARGER), files.split("separated"))
    write_frame(self_statistics(LARGER, images), files.normalization("self"))
    return folder


@pytest.fixture
def job(results, tmp_path):
    """A run in a folder of its own."""
    files = Files(str(results), "tiny")
    return TrainingJob(
        place=(str(results), "tiny"),
        index=files.index(),
        split=files.split("separated"),
        normalization=files.normalization("self"),
        model=str(tmp_path / "run/model.safetensors"),
        recipe=DEALT_RECIPES["adaptive"].model_dump(),
        method="adabn",
        split_name="separated",
        seed=3,
        threads=1,
        gpus=0,
        runtime_minutes=60,
    )


def in_folder(job, folder):
    return replace(job, model=str(folder / "model.safetensors"))


def by_torchrun(job, folder, processes=2):
    job.write(folder / "job.json")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [*command, "-m", "debatch.learn.job", folder / "job.json"],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def assert_same_run(one, other):
    assert names(one.folder) == names(other.folder)
    weights, theirs = load_file(one.model), load_file(other.model)
    assert weights.keys() == theirs.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=1e-4, atol=1e-5, msg=name)
    losses = [pd.read_csv(job.folder / "history.csv")["loss"].tolist() for job in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def record(job):
    return json.loads((job.folder / "recipe.json").read_text())


def test_a_run_on_some_channels_sees_those_alone_and_says_which(results, job, tmp_path):
    """Trained on ER and DNA of three: as if the third were not there, whatever it holds."""
    recipe = {**job.recipe, "channels": ["DNA", "ER"]}
    run_training(replace(job, recipe=recipe))
    assert read_weights_facts(Path(job.model)).channels == ["DNA", "ER"]
    assert record(job)["recipe"]["channels"] == ["DNA", "ER"]
    other = tmp_path / "other"
    shutil.copytree(results, other)
    statistics = pd.read_parquet(job.normalization)
    statistics.assign(mean_c2=0.0, sd_c2=9.0).to_parquet(other / "self.parquet")
    again = replace(in_folder(job, tmp_path / "again"), recipe=recipe, normalization=str(other / "self.parquet"))
    run_training(again)
    assert_same_run(job, again)
    weights = load_file(job.model)
    assert weights["backbone.stem.0.weight"].shape[1] == 2


def test_two_processes_leave_the_files_of_one(job, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    run_training(job)
    assert names(job.folder) == [
        "checkpoint.previous.pt",
        "checkpoint.pt",
        "history.csv",
        "model.safetensors",
        "recipe.json",
    ]
    alone = record(job)
    assert (alone["devices"], alone["legs"], alone["slurm_job"], alone["seed"]) == (1, 1, "17", 3)
    assert alone["started"] <= alone["finished"]

    by_hand = replace(in_folder(job, tmp_path / "by_hand"), threads=2)
    done = by_torchrun(by_hand, tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.count("epoch 3/3") == 1
    assert_same_run(job, by_hand)
    assert (record(by_hand)["devices"], record(by_hand)["hardware"]["threads"]) == (2, 1)
    assert record(by_hand).keys() == alone.keys()

    with caplog.at_level("INFO", "debatch"):
        started_here = in_folder(job, tmp_path / "started_here")
        train_in_processes(started_here, 2, Pauses(limit_seconds=3600), {})
    assert caplog.text.count("adabn/separated/seed3: epoch 3/3") == 1
    assert_same_run(by_hand, started_here)
    for name, tensor in load_file(by_hand.model).items():
        assert torch.equal(load_file(started_here.model)[name], tensor), name


def test_finished_run_is_written_again_without_a_step(job, monkeypatch, caplog):
    run_training(job)
    first = (job.folder / "model.safetensors").read_bytes()
    os.remove(job.model)
    monkeypatch.setattr("debatch.learn.train.Trainer._take_step", lambda *how: pytest.fail("a step was taken"))
    with caplog.at_level("INFO", "debatch"):
        run_training(job)
    assert (job.folder / "model.safetensors").read_bytes() == first
    assert "goes on after epoch 3 of 3" in caplog.text
    assert record(job)["legs"] == 2


def reader_of(job):
    """What Snakemake hands a script that reads the trained model."""
    return SimpleNamespace(
        input=SimpleNamespace(index=job.index, split=job.split, normalization=job.normalization, model=job.model),
        params=SimpleNamespace(recipe=job.recipe, place=job.place),
        resources=SimpleNamespace(gpu=0),
        threads=1,
    )


def test_checkpoints_stay_until_a_later_job_reads_the_model(job, root, monkeypatch):
    """A workflow that was killed before it noticed the model takes it away and asks for it again."""
    monkeypatch.syspath_prepend(str(root / "workflow/scripts"))
    from trained import read_run

    run_training(job)
    assert len(list(job.folder.glob("*.pt"))) == 2
    run = read_run(reader_of(job))
    assert not list(job.folder.glob("*.pt"))
    for name, tensor in load_file(job.model).items():
        assert torch.equal(run.network.state_dict()[name], tensor), name
    read = next(run.images.groups([np.array([0, 40])])).images.numpy()
    np.testing.assert_array_equal(read, make_images(LARGER)[[0, 40]])


def test_a_model_that_cannot_be_read_keeps_its_checkpoints(job, root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "workflow/scripts"))
    from trained import read_run

    run_training(job)
    Path(job.model).write_bytes(b"cut off")
    with pytest.raises(DataError, match="cannot be read as a trained model"):
        read_run(reader_of(job))
    assert len(list(job.folder.glob("*.pt"))) == 2


def test_processes_leave_before_the_jobs_time_limit_and_the_user_is_told_once(job, monkeypatch, caplog):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    told = r"^adabn/separated/seed3: its time limit is near: saved in epoch 1 of 3, after step 1 of 2; [^\n]*$"
    with caplog.at_level("INFO", "debatch"), pytest.raises(UserError, match=told):
        train_in_processes(job, 2, Pauses(limit_seconds=0), {})
    assert "time limit" not in caplog.text
    assert names(job.folder) == ["checkpoint.pt"]


def test_any_other_failure_of_a_process_comes_with_its_traceback(job):
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*not-there.parquet"):
        train_in_processes(replace(job, index="not-there.parquet"), 2, Pauses(), {})


def test_job_file_that_is_none(tmp_path, job):
    (tmp_path / "job.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read as a training job"):
        TrainingJob.read(tmp_path / "job.json")
    job.write(tmp_path / "job.json")
    assert TrainingJob.read(tmp_path / "job.json") == job


STARTER = """
import sys
from pathlib import Path
from debatch.learn.job import TrainingJob
from debatch.learn.launch import train_in_processes
from debatch.learn.pauses import Pauses
train_in_processes(TrainingJob.read(Path(sys.argv[1])), 2, Pauses(), {})
"""


def test_processes_die_with_the_one_that_started_them(job, tmp_path):
    long = replace(job, recipe={**job.recipe, "epochs": 100_000})
    long.write(tmp_path / "job.json")
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path / "job.json")], stderr=subprocess.DEVNULL)
    try:
        wait_for(checkpoint_of(job.folder / "model.safetensors").exists)
        below = descendants(starter.pid)
        assert len(below) >= 3  # torchrun, and two that train
    finally:
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    wait_for(lambda: not any(map(alive, below)))


def wait_for(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def descendants(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = [int(word) for word in file.read().split()]
    return children + [below for child in children for below in descendants(child)]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("gpus", "there", "processes", "device", "said"),
    [
        (0, 8, None, 0, ""),
        (1, 8, None, 1, ""),
        (4, 8, 4, None, ""),
        (4, 2, 2, None, "4 GPUs were asked for (compute.gpus) and 2 can be seen: training on 2"),
        (4, 1, None, 1, "4 GPUs were asked for (compute.gpus) and 1 can be seen: training on 1"),
        (4, 0, None, 0, "running on the CPU"),
    ],
)
def test_a_job_takes_the_devices_that_are_there(job, monkeypatch, caplog, gpus, there, processes, device, said):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    monkeypatch.setattr(launch, "visible_to_children", lambda wanted: {"CUDA_VISIBLE_DEVICES": str(wanted)})
    monkeypatch.setattr(launch, "choose_device", lambda wanted: wanted)
    started = []
    monkeypatch.setattr(launch, "train_run", lambda job, device, pauses: started.append((None, device)))
    monkeypatch.setattr(launch, "train_in_processes", lambda job, count, pauses, new: started.append((count, None)))
    run_training(replace(job, gpus=gpus))
    assert started == [(processes, device)]
    assert said in caplog.text
    assert caplog.text.count("WARNING") == bool(said)
