import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers import ROOT
from helpers.workflow import hollow_workflow, planned, snakemake

from debatch.cli.planning.bill import EMBEDDING_RULES
from debatch.config.images import Store
from debatch.errors import DataError
from debatch.files import Files
from debatch.screen.index import index_facts
from debatch.screen.ingest.experiment import pixels_digest
from debatch.screen.ingest.measure import measure
from debatch.screen.store import StoreWriter
from debatch.tabular import write_frame

pytestmark = pytest.mark.workflow
FILES = Files("results", "small")
SCREEN = """\
source:
  root: images
  pattern: "{experiment}/{plate}/{well}_s{site:d}_w{channel}.tif"
  channels: {"1": DNA, "2": ER}
metadata: {file: wells.csv}
columns: {cell_type: null, well_type: null}
splits: {names: [separated]}
image: {range: [100, 4000]}
targets: [table3]
seeds: 2
"""


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    return hollow_workflow(tmp_path_factory.mktemp("workflow"))


@pytest.fixture(scope="module")
def finished(workflow, tmp_path_factory):
    """A screen of four experiments, as it stands when everything is made."""
    folder = tmp_path_factory.mktemp("finished")
    wells = [f"E{experiment},P1,B0{well},T{well}" for experiment in range(4) for well in range(2, 8)]
    (folder / "wells.csv").write_text("\n".join(["experiment,plate,well,perturbation", *wells]) + "\n")
    (folder / "small.yaml").write_text(SCREEN)
    snakemake(folder, "--snakefile", str(workflow / "Snakefile"), screen="small.yaml")
    return folder


@pytest.fixture
def small(finished, tmp_path):
    """A copy of it, to change something in."""
    folder = tmp_path / "small"
    shutil.copytree(finished, folder, copy_function=shutil.copy2)
    return folder


@pytest.fixture
def plan(small, workflow):
    """What Snakemake would do in that copy."""

    def planning(*arguments, check=True):
        arguments = ("-n", *arguments, "--snakefile", str(workflow / "Snakefile"))
        return snakemake(small, *arguments, check=check, screen="small.yaml")

    return planning


def test_jobs_that_read_images_take_the_index_and_no_store(plan):
    """Else the plan grows with experiments times runs."""
    text = plan("--forceall").output
    taking = re.findall(r"^(?:local)?rule (\w+):\n    input: .*\.zarr", text, re.MULTILINE)
    assert set(taking) == {"index"}


def test_screen_that_is_finished_is_finished(plan):
    assert "Nothing to be done" in plan().output


@pytest.mark.parametrize(
    ("old", "new"), [("[100, 4000]", "[100, 3000]"), ("targets:", "store: {codec: zstd}\ntargets:")]
)
def test_other_pixels_ingest_and_train_again(small, plan, old, new):
    text = (small / "small.yaml").read_text()
    (small / "small.yaml").write_text(text.replace(old, new))
    jobs = planned(plan())
    assert jobs["ingest_experiment"] == 4
    assert jobs["index"] == jobs["normalize"] == 1
    assert jobs["train"] == jobs["embed_run"] == 8


def test_index_that_says_of_other_pixels_trains_again(small, plan):
    """Ingestion by itself, training later."""
    (small / FILES.index()).write_text("rows as they were, other pixels")
    jobs = planned(plan())
    assert {"normalize": 1, "split": 1, "train": 8}.items() <= jobs.items()
    assert "ingest_experiment" not in jobs


def test_stores_that_were_removed_for_their_room_cost_no_training(small, plan):
    shutil.rmtree(small / FILES.store("E2"))
    assert "Nothing to be done" in plan().output
    assert planned(plan("ingest"))["ingest_experiment"] == 1


def test_store_made_again_as_it_was_costs_no_training(small, plan):
    """Its rows are as they were, so the index is."""
    for path in (FILES.store_marker("E2"), FILES.ingested("E2"), FILES.index()):
        os.utime(small / path)
    assert "Nothing to be done" in plan().output


def test_store_that_is_gone_is_named_with_its_cure(small, monkeypatch):
    monkeypatch.chdir(small)
    assert FILES.stores(["E0", "E2"]) == {name: Path(FILES.store(name)) for name in ("E0", "E2")}
    shutil.rmtree(FILES.store("E2"))
    with pytest.raises(DataError, match=r"E2\.zarr is not there.*`snakemake ingest` makes it again"):
        FILES.stores(["E0", "E2"])


def test_experiment_that_the_screen_lacks_is_refused(plan):
    done = plan(FILES.store_marker("E9"), check=False)
    assert done.returncode != 0
    assert "'E9' is none of its 4 experiments" in done.output, done.output[-2000:]


def test_jobs_ask_for_half_as_much_memory_again_and_at_most_twice(plan):
    asked = []
    for attempt in ("1", "2", "4"):
        text = plan("--forceall", "--attempt", attempt).output
        asked.append(int(re.search(r"rule train:.*?mem_mb=(\d+)", text, re.DOTALL)[1]))
    assert [mem_mb / asked[0] for mem_mb in asked] == [1, 1.5, 2]


def test_jobs_that_read_tables_ask_for_memory_by_their_size(small, plan):
    def asked():
        return int(re.search(r"rule normalize:.*?mem_mb=(\d+)", plan("--forcerun", "normalize").output, re.DOTALL)[1])

    before = asked()
    with open(small / FILES.index(), "ab") as file:
        file.truncate(100_000_000)
    assert asked() == before + 1200


def make_store(folder, brightness):
    images = np.full((3, 2, 16, 16), brightness, np.uint8)
    with StoreWriter(folder, images.shape, Store(), {"channels": ["a", "b"], "preprocessing": {}}) as writer:
        writer.append(images, measure(images).moments)
    return pixels_digest(folder)


def test_pixels_change_the_index_where_no_row_does(tmp_path):
    """Snakemake passes over a small input that was written again with the same content."""
    rows = pd.DataFrame({"image_id": ["a"]})
    written = []
    for brightness in (7, 8, 7):
        digest = make_store(tmp_path / "E1.zarr", brightness)
        write_frame(rows, tmp_path / "E1.parquet", {"pixels_sha256": digest})
        write_frame(rows, tmp_path / "images.parquet", index_facts([tmp_path / "E1.parquet"], None))
        written.append((tmp_path / "images.parquet").read_bytes())
    assert written[0] == written[2] != written[1]


def rule_name(text):
    """Of a rule's text; of one that has a form for each set of things that a job makes, the family's."""
    return (re.match(r"rule (\w+):", text) or re.search(r'form_name\("(\w+)"', text))[1]


def rules():
    """Each rule that makes something: its name and its text."""
    for file in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for text in re.split(r"^ *(?=rule(?: \w+)?:$)", file.read_text(), flags=re.MULTILINE)[1:]:
            if "output:" in text:
                yield pytest.param(text, id=rule_name(text))


def resources(text):
    """What a rule declares below `resources:`."""
    declared = re.search(r"^( +)resources:\n((?:\1 +.*\n)+)", text, re.MULTILINE)
    return set(re.findall(r"^ +(\w+)=", declared[2], re.MULTILINE))


def test_the_slurm_profile_fits_the_rules(tmp_path):
    """It sends the rules that ask for a GPU to the GPU partition, and no others; what rules ask for it leaves alone."""
    script = ROOT / "profiles/install-slurm-profile"
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run([script, "lab", "cpu", "gpu", "a100"], env=environment, check=True)
    profile = yaml.safe_load((tmp_path / ".config/snakemake/slurm/config.yaml").read_text())
    declared = {rule_name(rule.values[0]): resources(rule.values[0]) for rule in rules()}
    asking = {name for name, names in declared.items() if "gpu" in names}
    assert set(profile["set-resources"]) == asking == {"train", *EMBEDDING_RULES}
    set_by_profile = set(profile["default-resources"]).union(*profile["set-resources"].values())
    assert set_by_profile == {"slurm_account", "slurm_partition", "gpu_model"}
    assert set_by_profile.isdisjoint(set().union(*declared.values()))
    table = (ROOT / "docs/cluster.md").read_text().partition("## What the jobs ask for")[2].partition("\n## ")[0]
    on_gpus = "".join(line for line in table.splitlines() if line.count("|") > 2 and "GPU" in line.split("|")[2])
    assert all(f"`{name}`" in on_gpus or f"`{name}_…`" in on_gpus for name in asking)


LOCAL = {"make_table", "make_figure", "make_explorer", "make_report", "make_page", "make_plates", "qc"}


@pytest.mark.parametrize("rule", [*rules()])
def test_every_rule_says_what_it_takes(rule):
    name = rule_name(rule)
    assert re.search(r"^ +threads: \S", rule, re.MULTILINE)
    assert re.search(r"^ +runtime=\S", rule, re.MULTILINE)
    assert ("localrule: True" in rule) == (name in LOCAL)
    assert re.search(r"^ +mem_mb=(\d+|input_)" if name in LOCAL else r"^ +mem_mb=with_", rule, re.MULTILINE)
    computes_a_network = "model=" in rule or name == "train"
    assert ("gpu" in resources(rule)) == computes_a_network
