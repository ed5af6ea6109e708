"""A job that somebody cancels, and trainings as an array with a group after them, from a home that is read-only."""

import shutil
import subprocess

import pytest

pytestmark = pytest.mark.slurm


def test_a_cancelled_job_goes_on_at_the_next_attempt_of_the_same_call(untrained, request):
    snakemake = untrained.start()
    untrained.hold("baseline")
    second = untrained.run(check=False)
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.output
    assert "--unlock" in second.output
    untrained.cancel(untrained.training_job("baseline"))
    assert snakemake.end() == 0, snakemake.output
    assert untrained.went_on("baseline")
    assert not untrained.went_on("adabn")
    states = [job.state.split()[0] for job in untrained.jobs("train")]
    assert sorted(states) == ["CANCELLED", "COMPLETED", "COMPLETED"]
    assert untrained.outcome() == request.getfixturevalue("undisturbed").outcome()


@pytest.fixture
def read_only_home(tmp_path, home):
    folder = tmp_path / "read-only"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    shutil.copytree(home, folder, dirs_exist_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_an_array_of_trainings_and_a_group_under_a_read_only_home(untrained, request, read_only_home, tmp_path):
    # as docs/cluster.md says for compute nodes that may not write there
    caches = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLCONFIGDIR": str(tmp_path / "cache")}
    groups = ["--groups", "score_run=scores", "--group-components", "scores=2"]
    done = untrained.run("--slurm-array-jobs=train", *groups, HOME=str(read_only_home), **caches)
    assert "Submitted array job" in done.output
    assert len(untrained.jobs()) == 5, "two trainings, two embeddings, one group"
    assert untrained.outcome() == request.getfixturevalue("undisturbed").outcome()
