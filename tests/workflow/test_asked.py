"""A call makes what it is asked for, nothing beside it, and nothing again: on the workflow whose rules write a word."""

import re
import shutil

import pytest
from helpers import ROOT
from helpers.workflow import hollow_workflow, own_folder, planned, planned_files, planned_rules, snakemake

from debatch.files import Files

pytestmark = pytest.mark.workflow
FILES = Files("results", "tiny")
ADABN = FILES.run("adabn", "separated", 0)


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    return hollow_workflow(tmp_path_factory.mktemp("workflow"))


@pytest.fixture(scope="module")
def call(workflow):
    """Snakemake on that workflow and the tiny screen."""

    def calling(folder, *arguments):
        return snakemake(folder, *arguments, "--snakefile", str(workflow / "Snakefile"), screen="tiny")

    return calling


@pytest.fixture(scope="module")
def first(call, tmp_path_factory):
    """A folder in which Table 1 alone was asked for."""
    folder = own_folder(tmp_path_factory.mktemp("first") / "own")
    call(folder, "table1")
    return folder


@pytest.fixture(scope="module")
def both(call, first, tmp_path_factory):
    """The same, and then all of the screen's targets."""
    folder = tmp_path_factory.mktemp("both") / "own"
    shutil.copytree(first, folder, copy_function=shutil.copy2)
    call(folder)
    return folder


def test_table_1_alone_makes_what_it_needs(first):
    made = [str(path.relative_to(first / FILES.root)) for path in (first / FILES.root).rglob("*") if path.is_file()]
    looked_at = {path.rsplit("/", 1)[-1] for path in made if "/embeddings/" in path}
    assert looked_at == {"train.parquet", "batch.parquet"}  # no half, no training images, nothing corrected
    assert {path.rsplit("/", 1)[-1] for path in made if "/metrics/" in path} == {"train.csv", "batch.csv"}


def test_everything_after_table_1_makes_nothing_again(call, first):
    done = call(first, "-n")
    new = planned_files(done)
    assert FILES.epochs(ADABN, "batch") in new
    assert {path for path in new if (first / path).exists()} == set()
    assert "train" not in planned(done)
    # still one loading of weights a run: all of the 4 methods' but those of the split that nothing new looks at
    assert planned(done)["embed_run"] == 4 * 2


@pytest.mark.parametrize(
    "targets", [[], ["table1"], ["figure10"], ["table_probe", "table1"], ["report", "h5ad"], ["explorer"]]
)
def test_what_is_made_is_made_for_every_other_call(call, both, targets):
    done = call(both, "-n", *targets)
    if "h5ad" in targets:
        assert set(planned(done)) == {"write_h5ad", "h5ad"}
    elif "explorer" in targets:
        assert set(planned(done)) == {"project_run", "make_thumbnails", "make_explorer", "explorer"}
    else:
        assert "Nothing to be done" in done.output, done.output[-3000:]


def test_a_file_that_is_gone_is_made_and_nothing_beside_it(call, both, tmp_path):
    folder = tmp_path / "own"
    shutil.copytree(both, folder, copy_function=shutil.copy2)
    (folder / FILES.epochs(ADABN, "batch")).unlink()
    assert planned_files(call(folder, "-n", FILES.epochs(ADABN, "batch"))) == {FILES.epochs(ADABN, "batch")}


def test_an_edited_metric_scores_again_and_embeds_nothing(call, both, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "src", tmp_path / "src")
    with open(tmp_path / "src/debatch/evaluate/accuracy.py", "a") as file:
        file.write("# another way to count\n")
    # a process of its own imports the package from there; that of `-n` has imported it already
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    jobs = planned(call(both, "--dry-run"))
    # on 3 splits 5 methods and once shuffled labels; on 2 of them probes; of 4 methods corrections
    scored = {"score_run": 3 * 5 + 1, "probe_run": 2 * 5, "correct_run": 4, "nulls": 3}
    assert {rule: jobs.pop(rule) for rule in scored} == scored
    assert set(jobs) == {"make_table", "make_figure", "make_report", "all"}


@pytest.mark.parametrize(
    ("path", "jobs"),
    [
        (FILES.embeddings(ADABN, "plate"), {"train": 1, "embed_run": 1}),
        (FILES.predictions(ADABN, "plate"), {"train": 1, "embed_run": 1}),
        (FILES.metrics(ADABN, "batch"), {"train": 1, "embed_run": 1, "score_run": 1}),
        (FILES.h5ad(ADABN, "batch"), {"train": 1, "embed_run": 1, "write_h5ad": 1}),
        (FILES.h5ad(ADABN, "batch.harmony"), {"train": 1, "embed_run": 1, "correct_run": 1, "write_h5ad": 1}),
        (FILES.training_embeddings(FILES.run("adabn", "stratified", 0), "batch"), {"train": 1, "embed_run": 1}),
        (FILES.model(ADABN), {"train": 1}),
    ],
)
def test_a_file_of_a_run_can_be_named(tmp_path, path, jobs):
    done = snakemake(own_folder(tmp_path / "own"), "-n", path, screen="tiny")
    found = planned(done)
    of_runs = ("train", "embed_run", "score_run", "probe_run", "correct_run", "write_h5ad", "embed_adaptation")
    assert {rule: count for rule, count in found.items() if rule in of_runs} == jobs
    assert path in planned_files(done)
    if "harmony" in path:
        assert not [made for made in planned_files(done) if "znorm" in made]


def test_threads_of_a_family_are_set_by_its_name(tmp_path):
    done = snakemake(
        own_folder(tmp_path / "own"), "-n", "table1", "--set-resources", "embed_run:mem_mb=777", screen="tiny"
    )
    assert len(planned_rules(done)) > len(planned(done))  # it has several forms here
    asked = re.findall(r"^rule (\w+):\n(?:    .*\n)*?    resources: .*\bmem_mb=777\b", done.output, re.MULTILINE)
    assert len(asked) == planned(done)["embed_run"]
    assert all(rule.startswith("embed_run_") for rule in asked)
