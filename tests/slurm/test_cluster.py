"""`snakemake --profile slurm` as typed in a fresh clone, and what a cluster refuses."""

import re
import shutil
from pathlib import Path

import pytest
from helpers.cluster import EPOCHS

pytestmark = pytest.mark.slurm

# what the profile names a GPU partition for, the forms of `embed_run` included
GPU_RULES = {"train", "embed_run_train", "embed_run_batch"}
SLURM = {"sbatch", "sacct", "squeue", "sinfo", "sacctmgr", "scontrol", "scancel", "srun", "sshare"}


def test_requests_that_the_cluster_cannot_meet_are_refused_before_anything_is_submitted(clone):
    waits = clone.folder / ".snakemake/slurm_logs/rule_train/adabn_separated_9"
    waits.mkdir(parents=True, exist_ok=True)
    requests = [
        "train:slurm_partition=nope", "embed_run_train:gpu_model=h100", "embed_run_batch:gpu_model=nvidia-h200",
        "simulate_experiment:gpu=99", "score_run:runtime=9999", "nulls:slurm_account=nobody",
    ]  # fmt: skip
    done = clone.run("--set-resources", *requests, check=False)
    assert done.returncode != 0
    for reason in (
        "train: Invalid partition name specified",
        "embed_run_train: Requested node configuration is not available",
        "embed_run_batch: Snakemake's SLURM plugin takes no GPU model like 'nvidia-h200'",
        "simulate_experiment: Requested node configuration is not available",
        r"score_run_\w+, score_run_\w+: 9999 minutes are more than the partition's limit of 1440",
        "nulls: account 'nobody' is not among yours: ",
    ):
        assert re.search(rf"^\s+{reason}", done.output, re.MULTILINE), (reason, done.output)
    assert "nothing was submitted" in done.output
    assert "Traceback" not in done.output
    assert not clone.jobs()
    assert waits.is_dir(), "another Snakemake's job could not start any more: SLURM writes its output there"
    assert not clone.results.exists()


def test_no_slurm_on_path(clone, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    own = Path(shutil.which("snakemake", path=clone.environment["PATH"])).parent
    for program in (program for place in ("/usr/bin", "/bin", own) for program in Path(place).iterdir()):
        if program.name not in SLURM:
            (folder / program.name).unlink(missing_ok=True)
            (folder / program.name).symlink_to(program)
    done = clone.run(check=False, PATH=str(folder))
    assert done.returncode != 0
    assert "there is no `sbatch` on PATH" in done.output
    assert "Traceback" not in done.output


def test_a_table_from_raw_images_through_the_cluster(undisturbed):
    jobs = undisturbed.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert {job.rule for job in jobs} == {
        "simulate_experiment", "simulate_metadata", "ingest_experiment", "index", "normalize", "split", "nulls",
        "train", "embed_run_train", "embed_run_batch", "score_run_train_metrics", "score_run_batch_metrics",
    }  # fmt: skip
    assert "localrule make_table" in undisturbed.output
    for job in jobs:
        assert job.requested.get("gres/gpu") == ("1" if job.rule in GPU_RULES else None), job.rule
        assert job.partition == ("gpu" if job.rule in GPU_RULES else "cpu"), job.rule
        assert job.requested["cpu"] == "1"
    asked = {job.rule: (job.requested["mem"], int(job.minutes)) for job in jobs}
    assert asked["train"] == ("1500M", 30)
    assert asked["embed_run_train"] == asked["embed_run_batch"] == ("1500M", 30)
    assert asked["ingest_experiment"] == ("1500M", 240)
    for method, how in (("baseline", "train"), ("adabn", "batch")):
        run = undisturbed.results / f"runs/{method}/separated/seed0"
        read = [undisturbed.results / name for name in ("images.parquet", "splits/separated.parquet")]
        read += [run / f"{kind}/{how}.parquet" for kind in ("predictions", "embeddings")]
        memory = round(3000 + 8 * sum(path.stat().st_size for path in read) / 1e6)
        assert asked[f"score_run_{how}_metrics"] == (f"{memory}M", 120)
    assert asked["nulls"] == ("2000M", 30)
    assert (undisturbed.results / "tables/small.md").exists()


def test_nothing_is_left_to_do(undisturbed):
    assert "Nothing to be done" in undisturbed.run().output


def test_jobs_make_what_their_call_asked_for_and_no_more(undisturbed):
    made = {path.name for path in undisturbed.results.glob("runs/*/separated/seed0/embeddings/*")}
    assert made == {"train.parquet", "batch.parquet"}
    assert "half.parquet" in undisturbed.run("probe", "--dry-run").output, "the screen's other table asks for more"


def test_logs_lie_where_the_guide_says(undisturbed):
    assert f"epoch {EPOCHS}/{EPOCHS}" in undisturbed.train_log("baseline")
    assert list((undisturbed.folder / ".snakemake/log").glob("*.snakemake.log"))
