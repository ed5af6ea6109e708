"""A run that is stopped goes on where it stopped, and ends bit for bit like one that was not."""

import itertools

import pandas as pd
import pytest
import torch
from tiny_trainer import files, make_trainer

from debatch.learn.pauses import Due, OutOfTimeError, Pauses, pauses_of_a_job


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
    assert (again.legs, again.began) == (2, first.began)
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
    assert f"{tmp_path}: no checkpoint there is of this run: training starts anew" in caplog.text
    (tmp_path / "checkpoint.pt").write_bytes(b"broken")
    make_trainer(tiny_recipe.model_copy(update={"epochs": 1})).fit(files(tmp_path))
    assert "unreadable" in caplog.text


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
    recipe = tiny_recipe.model_copy(update={"batch_norm": batch_norm, "groups_per_step": 1, "mixing": "cutmix"})
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
