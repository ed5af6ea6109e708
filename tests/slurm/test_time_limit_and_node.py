"""Jobs that SLURM would end, and a node that goes down under them."""

import subprocess

import pytest
from helpers.cluster import METHODS, kill, slurm, until

from debatch.runtime.slurm import seconds_left

pytestmark = pytest.mark.slurm

# of which a quarter is left when a run leaves; starting and some epochs must fit into the rest on a busy machine too
LIMIT_MINUTES = 2


def test_runs_leave_before_their_time_limit_and_outlive_their_node(untrained, request):
    asks = [f"train:runtime={LIMIT_MINUTES}", "train:slurm_partition=spare", "embed_run:slurm_partition=gpu"]
    snakemake = untrained.start("--retries", "20", "--set-resources", *asks)

    held = untrained.hold(*METHODS)
    jobs = [untrained.training_job(method) for method in METHODS]
    # no later than when it must leave, since it had no less than this as it began
    when = {job: seconds_left(job) // 4 for job in jobs}
    until(lambda: all(seconds_left(job) < when[job] for job in jobs), "the time limit is near")
    held.resume()
    until(lambda: not set(jobs) & set(untrained.queue()), "they have left")
    assert "TIMEOUT" not in {job.state for job in untrained.jobs("train")}, "SLURM killed it before it left"

    untrained.hold(*METHODS, after=untrained.done())
    assert all(untrained.went_on(method) for method in METHODS)
    numbers = {untrained.training_job(method) for method in METHODS}
    assert not numbers & set(jobs)
    on_the_node = [process for job in numbers for process in untrained.processes(job=job)]
    slurm("scontrol", "update", "nodename=second", "state=down", "reason=test")
    until(lambda: not untrained.queue("running"), "the node has lost its jobs")
    kill(on_the_node)
    # it may have come back by itself
    subprocess.run(["scontrol", "update", "nodename=second", "state=resume"], check=False, capture_output=True)
    assert snakemake.end() == 0, snakemake.output

    assert "its time limit is near: saved in epoch" in snakemake.output
    assert all(untrained.went_on(method) for method in METHODS)
    trained = untrained.jobs("train")
    assert {job.number for job in trained} == {*jobs, *numbers}, "SLURM itself started them again"
    assert {job.minutes for job in trained} == {str(LIMIT_MINUTES)}
    assert "TIMEOUT" not in {job.state for job in trained}
    assert untrained.outcome() == request.getfixturevalue("undisturbed").outcome()
