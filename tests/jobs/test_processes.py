"""A run dealt over two processes is the run of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from helpers.tiny_trainer import DEALT_RECIPES, files, log_probabilities, make_dealt_trainer, note_gradients

from debatch.errors import ConfigError
from debatch.model.network import batch_norms
from debatch.registry import build_registry


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder in which two processes left everything that the tests look at."""
    folder = tmp_path_factory.mktemp("two")
    script = Path(__file__).with_name("two_processes.py")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, folder],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-6000:]
    return folder


@pytest.mark.parametrize("name", DEALT_RECIPES)
def test_gradients_losses_statistics_and_predictions_are_those_of_one_process(two, tmp_path, name):
    alone = make_dealt_trainer(DEALT_RECIPES[name])
    gradients = note_gradients(alone)
    alone.fit(files(tmp_path))
    dealt = torch.load(two / f"{name}.pt", weights_only=True)
    assert len(dealt["gradients"]) == len(gradients) == alone.steps
    for step, (theirs, ours) in enumerate(zip(dealt["gradients"], gradients, strict=True)):
        largest = max(gradient.abs().max() for gradient in ours.values())
        for parameter, gradient in ours.items():
            where = f"step {step}, {parameter}"
            torch.testing.assert_close(theirs[parameter], gradient, rtol=1e-4, atol=2e-5 * largest, msg=where)
    for column in ("loss", "accuracy", "batch_accuracy"):
        assert [row[column] for row in dealt["history"]] == pytest.approx(
            [row[column] for row in alone.history], rel=1e-5
        )
    assert pd.read_csv(two / name / "history.csv")["loss"].tolist() == [row["loss"] for row in dealt["history"]]
    other = make_dealt_trainer(DEALT_RECIPES[name])
    other.network.load_state_dict(dealt["weights"])
    for one, layer in zip(batch_norms(alone.network), batch_norms(other.network), strict=True):
        torch.testing.assert_close(layer.running_mean, one.running_mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(layer.running_var, one.running_var, rtol=1e-4, atol=1e-5)
    assert log_probabilities(other) == pytest.approx(log_probabilities(alone), rel=1e-4, abs=1e-5)


def test_a_run_that_two_processes_left_is_gone_on_from_bit_for_bit(two):
    whole = torch.load(two / "reversed.pt", weights_only=True)
    resumed = torch.load(two / "resumed.pt", weights_only=True)
    assert [row["loss"] for row in resumed["history"]] == [row["loss"] for row in whole["history"]]
    for name, tensor in whole["weights"].items():
        assert torch.equal(tensor, resumed["weights"][name]), name


def test_both_processes_leave_when_the_first_ones_clock_says_so(two):
    said = [(two / f"stopped.{rank}.txt").read_text() for rank in (0, 1)]
    assert said[0] == said[1]
    assert "saved in epoch 2 of 3, after step" in said[0]


def test_what_two_processes_left_one_goes_on_from(two, tmp_path):
    recipe = DEALT_RECIPES["reversed"]
    resumed = make_dealt_trainer(recipe)
    resumed.fit(files(two / "left"))
    whole = make_dealt_trainer(recipe)
    whole.fit(files(tmp_path))
    assert [start["devices"] for start in resumed.starts] == [2, 1]
    assert len(resumed.history) == 3
    assert [row["loss"] for row in resumed.history] == pytest.approx([row["loss"] for row in whole.history], rel=1e-4)
    assert log_probabilities(resumed) == pytest.approx(log_probabilities(whole), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("scene", "message"),
    [("nan", "not a number in epoch 1 from step 1"), ("apart", "2 devices are no longer the same after epoch 2")],
)
def test_what_goes_wrong_in_one_process_is_said_by_both(two, scene, message):
    said = [(two / f"{scene}.{rank}.txt").read_text() for rank in (0, 1)]
    assert said[0] == said[1]
    assert message in said[0]


def test_a_process_without_a_group_takes_the_same_step(two, tmp_path):
    recipe = DEALT_RECIPES["standard"].model_copy(update={"groups_per_step": 1, "epochs": 1})
    alone = make_dealt_trainer(recipe)
    alone.fit(files(tmp_path))
    for rank in (0, 1):
        losses = json.loads((two / f"idle.{rank}.json").read_text())
        assert losses == pytest.approx([row["loss"] for row in alone.history], rel=1e-4)


def test_more_devices_than_groups_in_a_step_are_refused_before_anything_runs(root, tmp_path):
    """RxRx1's steps have eight groups."""
    for gpus in (8, 9):
        screen = tmp_path / f"with{gpus}.yaml"
        screen.write_text(f"extends: rxrx1\ncompute: {{gpus: {gpus}}}\n")
        if gpus == 8:
            registry = build_registry({"screen": str(screen)}, root)
            assert registry.devices("baseline") == 8
            assert registry.devices("cdcl") == 1  # its loss is of a step's images together
            continue
        with pytest.raises(ConfigError, match=r"`compute.gpus: 9` is more than the 8 groups .* the others would idle"):
            build_registry({"screen": str(screen)}, root)
