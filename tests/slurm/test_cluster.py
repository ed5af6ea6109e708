"""`snakemake --profile slurm` as typed in a fresh clone, and what a cluster refuses."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cluster import EPOCHS

pytestmark = pytest.mark.slurm

GPU_RULES = {"train", "embed_run"}
SLURM = {"sbatch", "sacct", "squeue", "sinfo", "sacctmgr", "scontrol", "scancel", "srun", "sshare"}


def rules_of(jobs):
    return {job.comment.removeprefix("rule_").split("_wildcards_")[0] for job in jobs}


def test_a_table_from_raw_images_through_the_cluster(undisturbed):
    jobs = undisturbed.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert rules_of(jobs) == {
        "simulate_experiment", "simulate_metadata", "ingest_experiment", "index", "normalize", "split", "nulls",
        "train", "embed_run", "evaluate",
    }  # fmt: skip
    assert "localrule make_table" in undisturbed.done.output
    for job in jobs:
        rule = next(iter(rules_of([job])))
        assert job.requested.get("gres/gpu") == ("1" if rule in GPU_RULES else None), rule
        assert job.requested["cpu"] == "1"
    asked = {next(iter(rules_of([job]))): (job.requested["mem"], int(job.minutes)) for job in jobs}
    assert asked["train"] == ("1500M", 30)
    assert asked["embed_run"] == ("1500M", 30)
    assert asked["ingest_experiment"] == ("1500M", 240)
    assert asked["evaluate"] == ("2000M", 30)
    assert (undisturbed.results / "tables/small.md").exists()


def test_nothing_is_left_to_do(undisturbed):
    assert "Nothing to be done" in undisturbed.run().output


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        ("train:slurm_partition=nope", "train: Invalid partition name specified"),
        ("train:gpu_model=h100", "train: Requested node configuration is not available"),
        ("train:gpu_model=nvidia-h200", "train: Snakemake's SLURM plugin takes no GPU model like 'nvidia-h200'"),
        ("train:gpu=99", "train: Requested node configuration is not available"),
        ("train:runtime=9999", "train: 9999 minutes are more than the partition's limit of 1440"),
        ("evaluate:slurm_account=nobody", "evaluate: account 'nobody' is not among yours: "),
    ],
)
def test_a_request_that_the_cluster_cannot_meet_is_refused_before_anything_is_submitted(untrained, resources, reason):
    before = {path.name for path in untrained.results.iterdir()}
    waits = untrained.folder / ".snakemake/slurm_logs/rule_train/adabn_separated_9"
    waits.mkdir(parents=True, exist_ok=True)
    done = untrained.run("--set-resources", resources, check=False)
    assert done.returncode != 0
    assert reason in done.output
    assert "nothing was submitted" in done.output
    assert "Traceback" not in done.output
    assert not untrained.jobs()
    assert waits.is_dir(), "another Snakemake's job could not start any more: SLURM writes its output there"
    assert {path.name for path in untrained.results.iterdir()} == before


def test_no_slurm_on_path(untrained, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    own = Path(shutil.which("snakemake", path=untrained.environment["PATH"])).parent
    for program in (program for place in ("/usr/bin", "/bin", own) for program in Path(place).iterdir()):
        if program.name not in SLURM:
            (folder / program.name).unlink(missing_ok=True)
            (folder / program.name).symlink_to(program)
    done = untrained.run(check=False, PATH=str(folder))
    assert done.returncode != 0
    assert "there is no `sbatch` on PATH" in done.output
    assert "Traceback" not in done.output


@pytest.fixture
def read_only_home(tmp_path, home):
    folder = tmp_path / "read-only"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    shutil.copytree(home, folder, dirs_exist_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_an_array_of_trainings_under_a_read_only_home(untrained, undisturbed, read_only_home, tmp_path):
    # as docs/cluster.md says for compute nodes that may not write there
    caches = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLCONFIGDIR": str(tmp_path / "cache")}
    done = untrained.run("--slurm-array-jobs=train", HOME=str(read_only_home), **caches)
    assert "Submitted array job" in done.output
    assert untrained.outcome() == undisturbed.outcome()


def test_logs_lie_where_the_guide_says(undisturbed):
    assert f"epoch {EPOCHS}/{EPOCHS}" in undisturbed.train_log("baseline")
    assert list((undisturbed.folder / ".snakemake/log").glob("*.snakemake.log"))
