"""A training job from files on disk: in this process, by torchrun, and in processes that this one starts."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from debatch.config.trained import read_weights_facts
from debatch.errors import DataError, UserError
from debatch.jobs import launch
from debatch.jobs.job import TrainingJob
from debatch.jobs.launch import run_training, train_in_processes
from debatch.jobs.torchrun import PARENT
from debatch.runtime.checkpoint import checkpoint_of
from debatch.runtime.pauses import Pauses


def in_folder(job, folder):
    return replace(job, model=str(folder / "model.safetensors"))


def by_torchrun(job, folder, processes=2):
    job.write(folder / "job.json")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [*command, "-m", "debatch.jobs.job", folder / "job.json"],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=1800, check=False,
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


def test_a_run_on_some_channels_sees_those_alone_and_says_which(job, tmp_path):
    """Trained on ER and DNA of three: as if the third were not there, whatever it holds."""
    recipe = {**job.recipe, "channels": ["DNA", "ER"]}
    run_training(replace(job, recipe=recipe))
    assert read_weights_facts(Path(job.model)).channels == ["DNA", "ER"]
    assert record(job)["recipe"]["channels"] == ["DNA", "ER"]
    other = tmp_path / "self.parquet"
    pd.read_parquet(job.normalization).assign(mean_Actin=0.0, sd_Actin=9.0).to_parquet(other)
    again = replace(in_folder(job, tmp_path / "again"), recipe=recipe, normalization=str(other))
    run_training(again)
    assert_same_run(job, again)
    weights = load_file(job.model)
    assert weights["backbone.stem.0.weight"].shape[1] == 2


def test_two_processes_leave_the_files_of_one(job, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    run_training(job)
    assert names(job.folder) == ["finished.safetensors", "history.csv", "model.safetensors", "recipe.json"]
    alone = record(job)
    assert (alone["devices"], len(alone["starts"]), alone["slurm_job"], alone["seed"]) == (1, 1, "17", 3)
    assert alone["started"] <= alone["finished"]
    assert [(start["devices"], start["device"], start["slurm_job"]) for start in alone["starts"]] == [(1, "CPU", "17")]

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


def test_a_process_that_the_kernel_killed_is_told_by_its_signal(job):
    """The other one sees a connection that broke, and says only that."""
    long = replace(job, recipe={**job.recipe, "epochs": 100_000})
    below = []

    def kill_the_second():
        wait_for(checkpoint_of(long.folder / "model.safetensors").exists)
        training = [pid for pid in descendants(os.getpid()) if rank_of(pid) == "1"]
        below.extend(training)
        os.kill(training[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_the_second)
    killer.start()
    try:
        with pytest.raises(RuntimeError, match=r"SIGKILL|exitcode *: -9"):
            train_in_processes(long, 2, Pauses(), {})
    finally:
        killer.join()
    assert len(below) == 1


def rank_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        own = dict(line.split(b"=", 1) for line in file.read().split(b"\0") if b"=" in line)
    return own.get(b"RANK", b"").decode()


def test_a_full_disk_is_said_by_the_file_whichever_process_fails(job, tmp_path, monkeypatch, capsys):
    for name, value in {"TORCHELASTIC_RUN_ID": "none", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(PARENT, raising=False)

    def full(job, first):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results/run/checkpoint.pt")

    monkeypatch.setattr(launch, "_train_as_one_of_several", full)
    job.write(tmp_path / "job.json")
    # what an earlier start by hand left under the same run id
    (tmp_path / "job.json.none.1.error").write_text("{}")
    for said in ("Error: results/run/checkpoint.pt: the disk is full; free some space, then run the same ", ""):
        assert launch.main(tmp_path / "job.json") == 1
        error = capsys.readouterr().err
        assert error.startswith(said), "said by the first process alone"
        assert bool(error) == bool(said)
    (tmp_path / "job.json.none.1.error").unlink()
    with pytest.raises(UserError, match=r"^results/run/checkpoint.pt: the disk is full; free some space, then run the"):
        launch._raise_first_failure(tmp_path, 1, [])


def test_job_file_that_is_none(tmp_path, job):
    (tmp_path / "job.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read as a training job"):
        TrainingJob.read(tmp_path / "job.json")
    job.write(tmp_path / "job.json")
    assert TrainingJob.read(tmp_path / "job.json") == job


STARTER = """
import sys
from pathlib import Path
from debatch.jobs.job import TrainingJob
from debatch.jobs.launch import train_in_processes
from debatch.runtime.pauses import Pauses
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


def wait_for(condition, seconds=1800.0):
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
