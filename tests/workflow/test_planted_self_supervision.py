"""Self-supervision against a truth that was planted: simulated screens, with a batch effect and without.

Settings of `demo_ssl` were chosen on its own screen, of simulation seed 0; nothing was chosen on those below.
"""

import pandas as pd
import pytest
from helpers.workflow import own_folder, snakemake

from debatch.evaluate.tidy import of_all
from debatch.files import Files
from debatch.tabular import read_frame

pytestmark = [pytest.mark.workflow, pytest.mark.trains]
FRESH = 7
METHODS = ("untrained", "dino", "dino_cb", "cdcl")


def scores(folder, name, simulate, methods, seeds):
    """(method, metric) -> mean over network seeds, in %."""
    screen = f"extends: demo_ssl\nsimulate: {simulate}\nseeds: {seeds}\ntargets: [cdcl_table1]\n"
    (folder / f"config/screens/{name}.yaml").write_text(screen)
    files = Files("results", name)
    paths = {
        (method, seed): files.readouts(files.run(method, "separated", seed), "train")
        for method in methods
        for seed in range(seeds)
    }
    snakemake(folder, *paths.values(), screen=name)
    found = []
    for (method, _), path in paths.items():
        whole = of_all(read_frame(folder / path))
        found.append(whole[whole["subset"] == "all"].assign(method=method))
    means = pd.concat(found).groupby(["method", "metric"])["value"].mean() * 100
    print(name, simulate, means.unstack().round(1).to_string(), sep="\n")
    return means


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return own_folder(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def planted(folder):
    return scores(folder, "planted", f"{{seed: {FRESH}}}", METHODS, 2)


@pytest.mark.parametrize("metric", ["knn_accuracy", "znorm_knn_accuracy"])
def test_cdcl_is_ahead_of_dino_on_unseen_experiments(planted, metric):
    assert planted["cdcl", metric] - planted["dino", metric] >= 10


def test_partners_of_other_batches_mix_the_training_batches(planted):
    for method in ("dino_cb", "cdcl"):
        assert planted[method, "kbet_train"] > planted["dino", "kbet_train"] + 10
        assert planted[method, "neighbor_same_batch_train"] < planted["dino", "neighbor_same_batch_train"] - 10


def test_dino_learns_more_than_a_network_that_was_not_trained(planted):
    assert planted["dino", "znorm_knn_accuracy"] > planted["untrained", "znorm_knn_accuracy"] + 5


def test_without_a_batch_effect_there_is_nothing_to_gain(folder):
    found = scores(folder, "plain", f"{{seed: {FRESH}, batch_effect: 0.0}}", ("dino", "cdcl"), 1)
    assert found["cdcl", "znorm_knn_accuracy"] - found["dino", "znorm_knn_accuracy"] < 10
