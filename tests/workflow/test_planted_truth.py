"""The science against a truth that was planted, both ways, on the real workflow.

The demo runs in the checkout's own results folder, so that a demo that was already made is not made again.
"""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from helpers import ROOT
from helpers.workflow import PATIENCE

from debatch.evaluate.tidy import of_all
from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.page.facts import shift_facts
from debatch.report.results import Results
from debatch.tabular import read_frame

pytestmark = pytest.mark.workflow

UNSEEN, SEEN = "accuracy_batch_separated", "accuracy_batch_stratified"
GENERALIZATION, HEAD = "batch_generalization", "batch_classification_accuracy"
WITHOUT, WITH = ("baseline", "gradient_reversal"), ("adabn", "adabn_gradient_reversal", "adabn_test_only")


def run(screen, *targets, **config):
    chosen = [f"{key}={value}" for key, value in {"screen": screen, **config}.items()]
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *targets, "--config", *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]


def unseen_accuracies(screen, methods):
    """Mean accuracy (%) on unseen experiments of each method, made where it is not there."""
    registry, files = build_registry({"screen": screen}, ROOT), Files("results", screen)
    runs = {method: [registry.run(method, "separated", seed) for seed in range(registry.seeds)] for method in methods}
    paths = {method: [files.metrics(files.folder(run), run.inference) for run in own] for method, own in runs.items()}
    run(screen, *(path for own in paths.values() for path in own))
    means = {}
    for method, own in paths.items():
        frames = of_all(pd.concat([read_frame(ROOT / path) for path in own]))
        chosen = frames[(frames["metric"] == "accuracy") & (frames["subset"] == "all")]
        assert len(chosen) == registry.seeds
        means[method] = 100 * chosen["value"].mean()
    return means


@pytest.fixture(scope="module")
def table():
    run("demo", "table1")
    return pd.read_csv(ROOT / Files("results", "demo").table("table1", "csv")).set_index(["row", "column"])["mean"]


def test_adabn_beats_the_baseline_on_unseen_experiments(table):
    for method in WITH:
        assert table[method, UNSEEN] - table["baseline", UNSEEN] >= 10, method


def test_every_method_with_adabn_generalizes_better_than_every_one_without(table):
    for method in WITH:
        for other in WITHOUT:
            assert table[method, GENERALIZATION] - table[other, GENERALIZATION] >= 15, (method, other)


@pytest.fixture(scope="module")
def probe(table):
    run("demo", "table_probe")
    probes = pd.read_csv(ROOT / Files("results", "demo").table("table_probe", "csv")).set_index(["row", "column"])
    return probes["mean"]


def test_gradient_reversal_gains_little_and_leaves_the_batch_to_a_probe(table, probe):
    assert abs(table["gradient_reversal", UNSEEN] - table["baseline", UNSEEN]) <= 10
    assert probe["gradient_reversal", "probe_seen"] > 0.8 * probe["baseline", "probe_seen"]
    assert probe["adabn", "probe_seen"] < 0.6 * probe["baseline", "probe_seen"]


def test_a_stronger_adversary_fools_its_own_head_and_no_probe(table, probe, tmp_path):
    """At the strength that screens have by default, which the demo's search did not choose."""
    methods, tables = tmp_path / "methods.yaml", tmp_path / "tables.yaml"
    methods.write_text((ROOT / "config/methods.yaml").read_text() + "\nfooled: {objective: {gradient_reversal: 0.1}}\n")
    known = yaml.safe_load((ROOT / "config/tables.yaml").read_text())
    known["tables"]["fooled"] = {**known["tables"]["table_probe"], "methods": ["fooled"], "splits": ["stratified"]}
    tables.write_text(yaml.safe_dump(known))
    run("demo", "fooled", methods=methods, tables=tables)
    found = pd.read_csv(ROOT / Files("results", "demo").table("fooled", "csv")).set_index(["row", "column"])["mean"]
    assert found["fooled", HEAD] < table["baseline", HEAD] / 2
    assert found["fooled", "probe_seen"] > 3 * found["fooled", HEAD]
    assert found["fooled", "probe_seen"] > 0.8 * probe["baseline", "probe_seen"]


def test_all_learn_the_perturbations_of_seen_experiments(table):
    for method in (*WITHOUT, *WITH):
        assert table[method, SEEN] > 75, method


def test_nulls_are_at_chance(table):
    """20 classes; the most frequent ones hold 8.3 % of the images, and plates are shuffled."""
    for null in ("shuffled_labels", "position_only", "majority_class"):
        assert table[null, UNSEEN] < 13, null


def test_without_a_batch_effect_no_method_gains():
    """On the very same images, at an accuracy that leaves room to gain."""
    found = unseen_accuracies("demo_no_batch_effect", (*WITHOUT, *WITH))
    assert 70 < found["baseline"] < 92
    for method, accuracy in found.items():
        assert abs(accuracy - found["baseline"]) < 5, method  # nor loses


def test_where_the_new_batch_holds_hits_only_adabn_falls_and_the_report_says_why(table):
    found = unseen_accuracies("demo_hits_only", ("baseline", "adabn"))
    assert found["baseline"] - found["adabn"] >= 15  # on the very same images
    assert table["adabn", UNSEEN] - found["adabn"] >= 10
    registry, files = build_registry({"screen": "demo_hits_only"}, ROOT), Files(str(ROOT / "results"), "demo_hits_only")
    test = registry.screen.splits.test_batches
    assert set(test) == set(registry.screen.simulate.hits_only)
    demo = read_frame(ROOT / Files("results", "demo").split("separated"))
    index = read_frame(ROOT / Files("results", "demo").index()).merge(demo, on="image_id")
    assert set(index.loc[index["subset"] == "test", "batch"]) == set(test)  # the same experiments, but for their wells
    text = shift_facts(Results(registry, files), read_frame(Path(files.index())), "table1").text
    assert "Each test batch holds only 4 of the 20 classes" in text
    assert f"AdaBN {found['adabn']:.1f} % against the baseline's {found['baseline']:.1f} %" in text
