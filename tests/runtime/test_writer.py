"""A run's folder has one writer."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from debatch.errors import UserError
from debatch.runtime import writer
from debatch.runtime.pauses import OutOfTimeError, Pauses
from debatch.runtime.writer import only_writer

HOLDER = """
import sys, time
from pathlib import Path
from debatch.runtime.pauses import Pauses
from debatch.runtime.writer import only_writer
with only_writer(Path(sys.argv[1]), Pauses()):
    print("writes", flush=True)
    time.sleep(3600)
"""


@pytest.fixture(autouse=True)
def asked_often(monkeypatch):
    monkeypatch.setattr(writer, "SECONDS_BETWEEN_TRIES", 0.05)


@pytest.fixture
def holder(tmp_path):
    """Another job, on a cluster, that writes the run in `tmp_path / "run"`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "SLURM_JOB_ID": "4711"},
    )  # fmt: skip
    assert process.stdout.readline() == "writes\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_job_waits_until_the_first_is_killed_and_says_once_for_whom(tmp_path, holder, caplog):
    def kill_once_it_is_waited_for():
        while "still writes this run" not in caplog.text and holder.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)  # some more tries, which say nothing
        holder.send_signal(signal.SIGKILL)

    threading.Thread(target=kill_once_it_is_waited_for).start()
    with only_writer(tmp_path / "run", Pauses()):
        assert holder.wait() == -signal.SIGKILL
        about = json.loads((tmp_path / "run/writer.lock").read_text())
        assert (about["pid"], about["slurm_job"]) == (os.getpid(), os.environ.get("SLURM_JOB_ID"))
    assert caplog.text.count("still writes this run") == 1
    assert "SLURM job 4711 on " in caplog.text
    assert "`scancel 4711`" in caplog.text


def test_a_job_waits_no_longer_than_to_its_time_limit(tmp_path, holder):
    waits = only_writer(tmp_path / "run", Pauses(limit_seconds=0.5))
    with pytest.raises(OutOfTimeError, match=r"SLURM job 4711 on .* still writes .* `scancel 4711`"), waits:
        pytest.fail("two jobs write one run")
    assert holder.poll() is None


def test_what_a_dead_job_left_is_no_hindrance_and_a_whole_one_leaves_nothing(tmp_path, caplog):
    (tmp_path / "writer.lock").write_text('{"host": "gone", "pid": 1, "slurm_job": "1", "since": "long ago"}')
    for _ in range(2):
        with only_writer(tmp_path, Pauses()):
            assert "gone" not in (tmp_path / "writer.lock").read_text()
        assert not (tmp_path / "writer.lock").exists()
    assert not caplog.text


def test_who_waited_for_a_file_that_its_holder_removed_takes_a_new_one(tmp_path):
    """Else the next job would lock another file of the same name, and two would write."""
    order = []

    def write(name):
        with only_writer(tmp_path, Pauses()):
            order.append(f"{name} begins")
            threading.Event().wait(0.2)
            order.append(f"{name} ends")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 8
    assert all(begins.split()[0] == ends.split()[0] for begins, ends in zip(order[::2], order[1::2], strict=True))


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said_and_gone_on_with(tmp_path, monkeypatch, caplog, number):
    def refused(*how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    with only_writer(tmp_path, Pauses()):
        pass
    assert caplog.text.count("this file system has no locks") == 1


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_is_not_to_be_written_to_is_named(tmp_path, monkeypatch, number):
    def refused(path, *how):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "open", refused)
    (tmp_path / "run").mkdir()
    refuses = only_writer(tmp_path / "run", Pauses())
    with pytest.raises(UserError, match=r"run: cannot be written to \(.*\).* set `results` to another folder"), refuses:
        pass


def test_a_lock_file_that_says_nothing_is_waited_for_all_the_same(tmp_path, caplog):
    path = Path(tmp_path / "writer.lock")
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waits = only_writer(tmp_path, Pauses(limit_seconds=0.3))
        with pytest.raises(OutOfTimeError, match="another job still writes this run"), waits:
            pass


def test_a_lock_file_that_is_not_to_be_written_to_is_named_itself(tmp_path, monkeypatch):
    """The folder is well: to mend its permissions would mend nothing."""
    (tmp_path / "writer.lock").touch()

    def refused(path, *how):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", refused)
    refuses = only_writer(tmp_path, Pauses())
    with pytest.raises(UserError, match=r"writer.lock: cannot be written to \(Permission denied\)"), refuses:
        pass


def test_a_colleagues_later_job_can_lock_the_same_run(tmp_path):
    before = os.umask(0o077)
    try:
        with only_writer(tmp_path, Pauses()):
            assert (tmp_path / "writer.lock").stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)


def test_what_a_killed_job_of_another_user_left_is_opened_without_being_made(tmp_path, monkeypatch):
    """Linux refuses to open with O_CREAT what another user made in a sticky folder."""
    (tmp_path / "writer.lock").touch()
    opened = os.open

    def protected(path, flags, *mode):
        if flags & os.O_CREAT and Path(path).name == "writer.lock":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", protected)
    with only_writer(tmp_path, Pauses()):
        pass


def test_another_jobs_lock_stays_where_someone_removed_this_ones(tmp_path):
    path = tmp_path / "writer.lock"
    with only_writer(tmp_path, Pauses()):
        path.unlink()
        path.write_text("another job's")
    assert path.read_text() == "another job's"


def test_a_lock_file_that_another_machine_removed_is_asked_for_again(tmp_path, monkeypatch):
    stat, asked = Path.stat, []

    def stale_once(path, **how):
        if path.name == "writer.lock" and not asked:
            asked.append(path)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", stale_once)
    with only_writer(tmp_path, Pauses()):
        assert asked
        assert json.loads((tmp_path / "writer.lock").read_text())["pid"] == os.getpid()
