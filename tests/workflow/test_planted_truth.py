"""The science against a truth that was planted, both ways, on the real workflow.

The demo runs in the checkout's own results folder, so that a demo that was already made is not made again.
"""

import subprocess
import sys

import pandas as pd
import pytest
from conftest_workflow import ROOT

from debatch.config import build_registry
from debatch.files import Files

pytestmark = pytest.mark.workflow


def run(screen, *targets):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *targets, "--config", f"screen={screen}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]


def unseen_accuracy(screen, method, seeds=2):
    """Mean accuracy (%) on unseen experiments, made where it is not there."""
    registry, files = build_registry({"screen": screen}, ROOT), Files("results", screen)
    inference = registry.recipes[method].inference
    paths = [files.metrics(method, "separated", seed, inference) for seed in range(seeds)]
    run(screen, *paths)
    frames = pd.concat([pd.read_csv(ROOT / path) for path in paths])
    chosen = frames[(frames["metric"] == "accuracy") & (frames["subset"] == "all") & (frames["group"] == "all")]
    assert len(chosen) == seeds
    return 100 * chosen["value"].mean()


@pytest.fixture(scope="module")
def table():
    run("demo", "table1")
    return pd.read_csv(ROOT / Files("results", "demo").table("table1", "csv")).set_index(["row", "column"])["mean"]


def test_adabn_beats_the_baseline_on_unseen_experiments(table):
    gain = table["adabn", "accuracy_batch_separated"] - table["baseline", "accuracy_batch_separated"]
    assert gain >= 10


def test_adabn_generalizes_better(table):
    assert table["adabn", "batch_generalization"] > table["baseline", "batch_generalization"]


def test_both_learn_the_perturbations_of_seen_experiments(table):
    assert table["baseline", "accuracy_batch_stratified"] > 80
    assert table["adabn", "accuracy_batch_stratified"] > 80


def test_without_a_batch_effect_adabn_gains_nothing():
    screen = "demo_no_batch_effect"
    baseline = unseen_accuracy(screen, "baseline")
    assert unseen_accuracy(screen, "adabn") - baseline < 10
    assert baseline > 80  # there was something to learn


def test_shuffled_labels_give_chance(table):
    """20 classes; the most frequent ones hold 8.3 % of the images."""
    assert unseen_accuracy("demo", "shuffled_labels", seeds=1) < 12
