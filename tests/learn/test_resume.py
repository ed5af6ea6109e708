"""A run that is stopped goes on where it stopped, and ends bit for bit like one that was not."""

import errno
import itertools
import json
import os

import pandas as pd
import pytest
import torch
from helpers.tiny_trainer import files, make_trainer

from debatch.errors import DataError
from debatch.runtime import checkpoint, starts
from debatch.runtime.checkpoint import load_checkpoint, save_checkpoint
from debatch.runtime.pauses import Due, OutOfTimeError, Pauses, pauses_of_a_job

OWN = {"identity": "own", "precision": "float32"}


class Killed(Exception):
    pass


@pytest.mark.parametrize("batch_norm", ["standard", "adaptive"])
def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been(tiny_recipe, tmp_path, batch_norm):
    recipe = tiny_recipe.model_copy(update={"batch_norm": batch_norm})
    whole = make_trainer(recipe)
    whole.fit(files(tmp_path / "whole"))

    stopped = make_trainer(recipe)
    train_epoch = stopped._train_epoch

    def killed_in_the_last_epoch(epoch, *how):
        if epoch == 2:
            raise Killed
        return train_epoch(epoch, *how)

    stopped._train_epoch = killed_in_the_last_epoch
    with pytest.raises(Killed):
        stopped.fit(files(tmp_path / "stopped"))
    resumed = make_trainer(recipe)
    resumed.fit(files(tmp_path / "stopped"))
    assert [row["loss"] for row in resumed.history] == [row["loss"] for row in whole.history]
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    history = pd.read_csv(tmp_path / "stopped/history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]


def test_a_run_leaves_before_its_time_limit_and_goes_on_where_it_left(tiny_recipe, tmp_path):
    recipe = tiny_recipe.model_copy(update={"groups_per_step": 1})
    seconds = itertools.count()
    with pytest.raises(OutOfTimeError, match=r"time limit is near: saved in epoch 2 of 3, after step [1-3] of 4"):
        # the clock is asked twice a step
        make_trainer(recipe).fit(files(tmp_path), Pauses(1000, 12, lambda: float(next(seconds))))
    resumed = make_trainer(recipe)
    resumed.fit(files(tmp_path), Pauses(1000, 1e9))
    whole = make_trainer(recipe)
    whole.fit(files(tmp_path / "whole"))
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name


@pytest.mark.parametrize("batch_norm", ["standard", "adaptive"])
def test_a_finished_run_ends_again_with_the_same_weights_and_takes_no_step(tiny_recipe, tmp_path, batch_norm):
    """Whoever started it may have been killed before it noticed."""
    recipe = tiny_recipe.model_copy(update={"batch_norm": batch_norm})
    first = make_trainer(recipe)
    history = first.fit(files(tmp_path))
    again = make_trainer(recipe)
    again._take_step = lambda *how: pytest.fail("a step was taken")
    pd.testing.assert_frame_equal(again.fit(files(tmp_path)), history)
    assert again.starts[0] == first.starts[0]
    assert len(again.starts) == 2
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name


@pytest.mark.parametrize(
    ("limit", "leaves_at"), [(None, None), (600.0, 450.0), (7200.0, 6900.0)], ids=["none", "quarter", "five minutes"]
)
def test_time_is_left_for_the_last_checkpoint(limit, leaves_at):
    now = [0.0]
    pauses = Pauses(1e9, limit, lambda: now[0])
    for time in (0.0, 449.0, 451.0, 6899.0, 6901.0):
        now[0] = time
        assert pauses.must_leave() == (leaves_at is not None and time >= leaves_at)


def test_only_a_scheduler_holds_a_job_to_its_runtime(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert not pauses_of_a_job(0).must_leave()
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert pauses_of_a_job(0).must_leave()
    assert not pauses_of_a_job(60).must_leave()


def test_checkpoints_are_saved_by_time():
    now = [0.0]
    pauses = Pauses(10.0, None, lambda: now[0])
    now[0] = 9.0
    assert pauses.due() == Due.NOTHING
    now[0] = 10.0
    assert pauses.due() == Due.SAVE
    pauses.saved()
    assert pauses.due() == Due.NOTHING


def test_the_checkpoint_before_serves_where_the_last_one_is_broken(tiny_recipe, tmp_path, caplog):
    trainer = make_trainer(tiny_recipe)
    trainer.fit(files(tmp_path))
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["checkpoint.previous.pt", "checkpoint.pt"]
    (tmp_path / "checkpoint.pt").write_bytes((tmp_path / "checkpoint.pt").read_bytes()[:200])
    again = make_trainer(tiny_recipe)
    epochs = []
    train_epoch = again._train_epoch
    again._train_epoch = lambda epoch, *how: epochs.append(epoch) or train_epoch(epoch, *how)
    again.fit(files(tmp_path))
    assert epochs == [2]
    assert "unreadable" in caplog.text
    for name, tensor in trainer.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name


def test_checkpoint_of_another_recipe_or_a_broken_one_is_not_gone_on_from(tiny_recipe, tmp_path, caplog):
    make_trainer(tiny_recipe.model_copy(update={"epochs": 1})).fit(files(tmp_path))
    other = make_trainer(tiny_recipe.model_copy(update={"epochs": 1, "learning_rate": 0.001}))
    other.fit(files(tmp_path))
    assert f"{tmp_path / 'checkpoint.pt'}: of another recipe" in caplog.text
    assert f"{tmp_path}: its checkpoints are of another run: training starts anew" in caplog.text
    (tmp_path / "checkpoint.pt").write_bytes(b"broken")
    make_trainer(tiny_recipe.model_copy(update={"epochs": 1})).fit(files(tmp_path))
    assert "unreadable" in caplog.text


def test_a_run_does_not_change_its_arithmetic_on_the_way(tiny_recipe, tmp_path):
    """Not even where `auto` comes to another one, as on a machine without a GPU."""
    begun = make_trainer(tiny_recipe.model_copy(update={"precision": "bfloat16"}))
    with pytest.raises(OutOfTimeError):
        begun.fit(files(tmp_path), Pauses(limit_seconds=0))
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(DataError, match=r"begun in bfloat16, and here .* float32: .*`precision: bfloat16`") as raised:
        make_trainer(tiny_recipe).fit(files(tmp_path))
    assert f"{tmp_path / 'checkpoint.pt'}: " in str(raised.value)
    assert f"remove {tmp_path} to train anew in float32" in str(raised.value)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    whole = begun.recipe
    assert len(make_trainer(whole).fit(files(tmp_path))) == whole.epochs  # the way out that it names


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.previous.pt"])
def test_a_flipped_bit_is_noticed_wherever_it_is(tmp_path, caplog, name):
    """In the middle of a tensor it would change weights, and nothing else."""
    weights = torch.arange(1000.0)
    for legs_done in (1, 2):
        save_checkpoint(
            tmp_path / "checkpoint.pt",
            {**OWN, "weights": weights, "done": legs_done},
        )
    content = (tmp_path / name).read_bytes()
    for at in (0, 40, len(content) // 2, len(content) - 1):
        (tmp_path / name).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        state = load_checkpoint(tmp_path / "checkpoint.pt", "own", "float32")
        assert state["done"] == (1 if name == "checkpoint.pt" else 2)
        assert torch.equal(state["weights"], weights)
        assert ("unreadable" in caplog.text) == (name == "checkpoint.pt")


@pytest.mark.parametrize(
    "error", [OSError(errno.ESTALE, "stale"), OSError(errno.EIO, "broken"), PermissionError(errno.EACCES, "denied")]
)
def test_a_disk_that_fails_is_not_taken_for_a_broken_checkpoint(tmp_path, monkeypatch, error):
    """Else a run would train anew where the same command an hour later goes on."""
    save_checkpoint(tmp_path / "checkpoint.pt", OWN)

    def fails(*how):
        raise error

    monkeypatch.setattr("pathlib.Path.read_bytes", fails)
    with pytest.raises(OSError, match=error.strerror):
        load_checkpoint(tmp_path / "checkpoint.pt", "own", "float32")


def test_too_little_memory_is_not_taken_for_a_broken_checkpoint(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "checkpoint.pt", OWN)

    def fails(*how, **named):
        raise MemoryError

    monkeypatch.setattr(torch, "load", fails)
    with pytest.raises(MemoryError):
        load_checkpoint(tmp_path / "checkpoint.pt", "own", "float32")


def test_a_full_disk_is_an_error_with_its_number_and_file_and_the_last_checkpoint_stays(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "checkpoint.pt", {**OWN, "done": 1})

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*checkpoint.pt'"):
            save_checkpoint(tmp_path / "checkpoint.pt", {**OWN, "done": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert load_checkpoint(tmp_path / "checkpoint.pt", "own", "float32")["done"] == 1


def test_a_real_full_disk_is_one_too(tmp_path, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("/dev/full is not there")
    monkeypatch.setattr(checkpoint, "write_atomically", lambda path, write: write(FullDisk()))
    with pytest.raises(OSError, match="No space left") as raised:
        save_checkpoint(tmp_path / "checkpoint.pt", {**OWN, "weights": torch.zeros(100_000)})
    assert raised.value.errno == errno.ENOSPC


class FullDisk:
    def open(self, mode):
        return open("/dev/full", mode)


def test_a_checkpoint_that_goes_while_the_next_is_written_does_no_harm(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {**OWN, "done": 1})
    fsync = os.fsync

    def gone(number):
        path.unlink(missing_ok=True)
        fsync(number)

    monkeypatch.setattr(os, "fsync", gone)
    save_checkpoint(path, {**OWN, "done": 2})
    assert load_checkpoint(path, "own", "float32")["done"] == 2


@pytest.mark.parametrize("what", ["pixels", "channels", "sds", "means"])
def test_checkpoint_of_other_images_is_not_gone_on_from(tiny_recipe, tmp_path, caplog, what):
    """Ingested again by another range, images have the same names."""
    recipe = tiny_recipe.model_copy(update={"epochs": 1})
    made_from = {"pixels_sha256": "12", "channels": ["DNA", "ER", "Actin"]}
    one = make_trainer(recipe)
    one.made_from = made_from
    one.fit(files(tmp_path))
    other = make_trainer(recipe)
    other.made_from = {
        **made_from,
        **({"pixels_sha256": "13"} if what == "pixels" else {}),
        **({"channels": ["ER", "DNA", "Actin"]} if what == "channels" else {}),
    }
    if what in {"sds", "means"}:
        setattr(other.images, what, getattr(other.images, what) + 1)
    other.fit(files(tmp_path))
    assert "of another recipe" in caplog.text
    assert len(other.starts) == 1


def test_pretrained_weights_count_by_their_content(tiny_recipe, tmp_path):
    """A file that was replaced under the same name begins another training."""
    (tmp_path / "weights").write_bytes(b"one")
    trainers = [make_trainer(tiny_recipe) for _ in range(3)]
    for trainer in trainers:
        trainer.recipe = tiny_recipe.model_copy(update={"weights": str(tmp_path / "weights")})
    assert trainers[0].identity == trainers[1].identity
    (tmp_path / "elsewhere").write_bytes(b"one")
    (tmp_path / "weights").write_bytes(b"two")
    assert trainers[2].identity != trainers[0].identity
    moved = make_trainer(tiny_recipe)
    moved.recipe = tiny_recipe.model_copy(update={"weights": str(tmp_path / "elsewhere")})
    assert moved.identity == trainers[0].identity


def test_an_epoch_of_one_step_leaves_in_time_too(tiny_recipe, tmp_path):
    recipe = tiny_recipe.model_copy(update={"groups_per_step": 100})
    for epoch in (1, 2):
        one_more = make_trainer(recipe)
        assert one_more.epoch_steps == 1
        with pytest.raises(OutOfTimeError, match=f"time limit is near: saved in epoch {epoch} of 3, after step 1 of 1"):
            one_more.fit(files(tmp_path), Pauses(limit_seconds=0))
        assert len(one_more.history) == epoch
    last = make_trainer(recipe)
    assert len(last.fit(files(tmp_path), Pauses(limit_seconds=0))) == 3, "the last epoch ends the run"


def test_each_start_is_recorded_with_its_code_and_its_machine(tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setattr(starts, "git_commit", lambda: "old")
    with pytest.raises(OutOfTimeError):
        make_trainer(tiny_recipe).fit(files(tmp_path), Pauses(limit_seconds=0))
    monkeypatch.delenv("SLURM_JOB_ID")
    monkeypatch.setattr(starts, "git_commit", lambda: "new")
    second = make_trainer(tiny_recipe)
    second.fit(files(tmp_path))
    assert [start["git_commit"] for start in second.starts] == ["old", "new"]
    assert [start["slurm_job"] for start in second.starts] == ["17", None]
    assert all(start["device"] == "CPU" and start["devices"] == 1 for start in second.starts)
    assert {start["versions"]["torch"] for start in second.starts} == {torch.__version__}
    assert second.starts[0]["started"] <= second.starts[1]["started"]
    json.dumps(second.starts)


def test_checkpoint_of_other_labels_is_not_gone_on_from(tiny_recipe, tmp_path, caplog):
    recipe = tiny_recipe.model_copy(update={"epochs": 1})
    make_trainer(recipe).fit(files(tmp_path))
    other = make_trainer(recipe)
    other.data.labels[0] += 1
    other.fit(files(tmp_path))
    assert "of another recipe" in caplog.text


@pytest.mark.parametrize("batch_norm", ["standard", "adaptive"])
@pytest.mark.parametrize("step", [1, 3, 4, 8])
def test_a_run_killed_at_any_step_ends_bit_for_bit_like_one_that_was_not(tiny_recipe, tmp_path, batch_norm, step):
    recipe = tiny_recipe.model_copy(update={"batch_norm": batch_norm, "groups_per_step": 1})
    whole = make_trainer(recipe)
    whole.fit(files(tmp_path / "whole"))
    stopped = make_trainer(recipe)
    take_step = stopped._take_step

    def killed(at, *how):
        if at == step:
            raise Killed
        return take_step(at, *how)

    stopped._take_step = killed
    with pytest.raises(Killed):
        stopped.fit(files(tmp_path / "stopped"), Pauses(save_seconds=0))
    resumed = make_trainer(recipe)
    done = []
    take_again = resumed._take_step
    resumed._take_step = lambda at, *how: done.append(at) or take_again(at, *how)
    resumed.fit(files(tmp_path / "stopped"))
    assert done == list(range(step, resumed.steps)), "a step was taken twice, or left out"
    assert [row["loss"] for row in resumed.history] == [row["loss"] for row in whole.history]
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
