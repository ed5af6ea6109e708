import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch

from debatch.runtime import devices
from debatch.runtime.devices import choose_device, claim_devices, usable_devices, visible_to_children

JOB = """
import sys, time
from pathlib import Path
from debatch.runtime.devices import claim_devices
print(*claim_devices(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[1])), flush=True)
time.sleep(3600)
"""


@pytest.fixture
def job(tmp_path):
    """Start a process that claims some of so many devices."""
    running = []

    def start(wanted, count, **environment):
        command = [sys.executable, "-c", JOB, str(tmp_path / "locks"), str(wanted), str(count)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        os.set_blocking(process.stdout.fileno(), False)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def claimed(process, seconds=1800.0):
    """Which devices a process got; None where it still waits."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line = process.stdout.readline()
        if line:
            return [int(word) for word in line.split()]
        time.sleep(0.05)
    return None


def test_jobs_get_devices_of_their_own_all_or_none_and_a_killed_job_gives_its_back(job, tmp_path):
    first = job(2, 3)
    assert claimed(first) == [0, 1]
    second = job(2, 3)
    assert claimed(second, seconds=5) is None
    # the one that waits holds none of those that it could have
    assert claim_devices(1, 3, tmp_path / "locks") == [2]
    first.send_signal(signal.SIGKILL)
    assert claimed(second) == [0, 1]


def test_jobs_that_see_different_devices_do_not_wait_for_each_other(job):
    """Each numbers those that it sees from 0."""
    assert claimed(job(1, 1, CUDA_VISIBLE_DEVICES="3")) == [0]
    assert claimed(job(1, 1, CUDA_VISIBLE_DEVICES="5")) == [0]
    assert claimed(job(1, 1, CUDA_VISIBLE_DEVICES="3"), seconds=5) is None


def test_lock_files_are_for_every_user_and_no_link_is_followed(tmp_path):
    locks = tmp_path / "locks"
    assert claim_devices(1, 1, locks) == [0]
    assert locks.stat().st_mode & 0o1777 == 0o1777
    (tmp_path / "other").mkdir()
    (tmp_path / "other/0").symlink_to(tmp_path / "somewhere")
    with pytest.raises(OSError, match="symbolic links"):
        claim_devices(1, 1, tmp_path / "other")
    assert not (tmp_path / "somewhere").exists()


@pytest.fixture
def eight_gpus(monkeypatch, tmp_path):
    """A machine that says it has eight GPUs."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=f"0{number}"), raising=False
    )
    monkeypatch.setattr(devices, "LOCKS", tmp_path / "locks")


def test_a_workstation_gives_one_device_after_the_other(eight_gpus):
    assert [choose_device(1).index for _ in range(8)] == list(range(8))


def test_a_job_that_asked_for_several_computes_on_one_where_it_needs_one(eight_gpus):
    assert choose_device(8).index == 0
    assert choose_device(8).index == 1


def test_children_see_the_devices_that_their_parent_claimed_by_the_names_it_knows(eight_gpus, monkeypatch):
    assert choose_device(1).index == 0
    assert visible_to_children(3) == {"CUDA_VISIBLE_DEVICES": "1,2,3"}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-5f,6,7")
    assert visible_to_children(2) == {"CUDA_VISIBLE_DEVICES": "GPU-5f,6"}


def test_fewer_devices_than_asked_for_are_said_with_both_numbers(eight_gpus, caplog):
    assert usable_devices(8) == 8
    assert not caplog.text
    assert usable_devices(12) == 8
    assert "12 GPUs were asked for (compute.gpus) and 8 can be seen: training on 8" in caplog.text


def test_jobs_that_share_an_allocation_get_devices_of_their_own(eight_gpus, monkeypatch, tmp_path):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert [choose_device(1).index for _ in range(3)] == [0, 1, 2]
    assert visible_to_children(4) == {"CUDA_VISIBLE_DEVICES": "3,4,5,6"}
    assert [path.name for path in (tmp_path / "locks").iterdir()] == ["slurm-17"]


def test_a_slurm_job_of_its_own_never_waits_for_another(eight_gpus, monkeypatch):
    """Each of them may see its own devices as the first ones."""
    for job in ("17", "18"):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        assert visible_to_children(8) == {"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"}


def test_steps_of_one_slurm_job_that_see_different_devices_do_not_wait_for_each_other(eight_gpus, monkeypatch):
    """Each sees its own device alone, as number 0."""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for chip in ("5f", "6a"):
        monkeypatch.setattr(
            torch.cuda, "get_device_properties", lambda number, chip=chip: SimpleNamespace(uuid=f"{chip}-{number}")
        )
        assert choose_device(1).index == 0


def test_lock_folders_of_every_depth_are_for_every_user(eight_gpus, monkeypatch, tmp_path):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    before = os.umask(0o077)
    try:
        choose_device(1)
    finally:
        os.umask(before)
    for folder in (tmp_path / "locks", tmp_path / "locks/slurm-17"):
        assert folder.stat().st_mode & 0o1777 == 0o1777
    files = list((tmp_path / "locks/slurm-17").iterdir())
    assert len(files) == 2
    assert all(file.stat().st_mode & 0o777 == 0o666 for file in files)


def test_another_users_lock_files_are_opened_without_being_made(tmp_path, monkeypatch):
    """Linux refuses O_CREAT with what another user made in a sticky folder."""
    (tmp_path / "0").touch()
    (tmp_path / ".turn").touch()
    opened = os.open

    def protected(path, flags, *mode):
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", protected)
    assert claim_devices(1, 1, tmp_path) == [0]


def test_a_job_without_a_gpu_locks_none(eight_gpus, tmp_path):
    assert choose_device(0).type == "cpu"
    assert not (tmp_path / "locks").exists()


def test_missing_gpu_is_said(caplog, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(0).type == "cpu"
    assert not caplog.text
    assert choose_device(1).type == "cpu"
    assert "a GPU was asked for" in caplog.text
