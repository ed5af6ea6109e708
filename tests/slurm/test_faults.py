"""A table of two runs on a cluster that kills them. After each fault the same command goes on where it stopped, and the
result is that of a run that nothing disturbed, bit for bit."""

import shutil
import signal
import subprocess

import pytest
import yaml
from cluster import Copy, queue, slurm, training_job, until

pytestmark = pytest.mark.slurm

METHODS = ("baseline", "adabn")
WAITS = "still writes this run: waiting for it to end"


def trained_for(copy: Copy, epochs: int, methods=METHODS):
    return lambda: all(copy.epochs(method) >= epochs for method in methods)


def running() -> str:
    return slurm("squeue", "--noheader", "--states=running", "--format=%i")


def went_on(copy: Copy, method: str) -> bool:
    return "goes on after epoch" in copy.train_log(method)


def test_a_cancelled_job_goes_on_at_the_next_attempt_of_the_same_call(untrained, undisturbed):
    snakemake = untrained.start()
    until(trained_for(untrained, 5), "both runs train")
    second = untrained.run(check=False)
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.output
    assert "--unlock" in second.output
    slurm("scancel", training_job("baseline"))
    assert snakemake.end() == 0, snakemake.output
    assert went_on(untrained, "baseline")
    assert not went_on(untrained, "adabn")
    states = [job.state.split()[0] for job in untrained.jobs("train")]
    assert sorted(states) == ["CANCELLED", "COMPLETED", "COMPLETED"]
    assert untrained.outcome() == undisturbed.outcome()


def test_a_run_leaves_before_its_time_limit_and_goes_on(untrained, undisturbed):
    # what two cores need more than a minute for
    screen = yaml.safe_load((untrained.folder / "config/screens/small.yaml").read_text())
    screen["training"]["epochs"] = 550
    (untrained.folder / "config/screens/small.yaml").write_text(yaml.safe_dump(screen))
    tables = yaml.safe_load((untrained.folder / "config/small.yaml").read_text())
    tables["tables"]["small"]["methods"] = ["adabn"]
    (untrained.folder / "config/small.yaml").write_text(yaml.safe_dump(tables))
    whole = untrained.folder.with_name("whole")
    shutil.copytree(untrained.folder, whole, copy_function=shutil.copy2)
    alone = subprocess.Popen(
        ["snakemake", "--cores", "1", "--config", "screen=small", "tables=config/small.yaml"],
        cwd=whole, env=untrained.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    done = untrained.run("--set-resources", "train:runtime=1", "--retries", "20")
    assert "its time limit is near: saved in epoch" in done.output
    trained = untrained.jobs("train")
    assert len(trained) > 1
    assert {job.minutes for job in trained} == {"1"}
    assert "TIMEOUT" not in {job.state for job in trained}, "SLURM killed it before it left"
    assert went_on(untrained, "adabn")
    assert alone.wait(600) == 0
    assert untrained.outcome() == Copy(whole, untrained.home).outcome()


def test_a_node_goes_down_and_comes_back(untrained, undisturbed):
    node = slurm("hostname", "-s").strip()
    snakemake = untrained.start()
    until(trained_for(untrained, 5), "both runs train")
    slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    until(lambda: not running(), "the node has lost its jobs")
    # it may have come back by itself
    subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], check=False, capture_output=True)
    assert snakemake.end() == 0, snakemake.output
    assert all(went_on(untrained, method) for method in METHODS)
    assert untrained.outcome() == undisturbed.outcome()


def kill_snakemake_while_both_train(untrained):
    snakemake = untrained.start()
    until(trained_for(untrained, 5), "both runs train")
    snakemake.process.send_signal(signal.SIGKILL)
    snakemake.end()


def test_snakemake_is_killed_and_meets_its_orphans(untrained, undisturbed):
    kill_snakemake_while_both_train(untrained)
    orphans = set(queue())
    assert len(orphans) == 2, "the jobs live on"
    # they stand still until the next call has met them, however long that takes; SLURM's own signal to stop reaches the
    # job's shell and srun, not always what these started
    trainings = untrained.processes(".train.py")
    assert len(trainings) >= len(orphans)
    for process in trainings:
        process.suspend()
    locked = untrained.run(check=False)
    assert locked.returncode != 0
    assert "--unlock" in locked.output
    untrained.run("--unlock")
    snakemake = untrained.start()
    until(lambda: all(WAITS in untrained.train_log(method) for method in METHODS), "the new jobs wait")
    assert orphans < set(queue()), "the orphans have not ended"
    for process in trainings:
        process.resume()
    assert snakemake.end() == 0, snakemake.output
    logs = [untrained.train_log(method) for method in METHODS]
    assert all("trained already" in log and "images/s" not in log for log in logs), "an epoch was trained again"
    assert untrained.outcome() == undisturbed.outcome()


def test_what_ended_while_snakemake_was_dead_is_not_trained_again(untrained, undisturbed):
    kill_snakemake_while_both_train(untrained)
    until(lambda: not queue(), "the orphans have ended")
    assert all((untrained.run_folder(method) / "model.safetensors").exists() for method in METHODS)
    untrained.run("--unlock")
    untrained.run()
    assert len(untrained.jobs("train")) == 2, "trained again"
    assert untrained.outcome() == undisturbed.outcome()


@pytest.fixture
def small_disk(untrained):
    """The results on a disk that can be filled."""
    results = untrained.folder / "results"
    kept = untrained.folder / "kept"
    results.rename(kept)
    results.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", results], check=True)
    shutil.copytree(kept, results, copy_function=shutil.copy2, dirs_exist_ok=True)
    yield results
    subprocess.run(["umount", "--lazy", results], check=True)


def fill_the_disk(filler):
    with filler.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 12)):
            pass


def test_a_full_disk(untrained, undisturbed, small_disk):
    snakemake = untrained.start("--retries", "0")
    until(trained_for(untrained, 5), "both runs train")
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        fill_the_disk(filler)
    assert snakemake.end() != 0
    assert "the disk is full; free some space, then run the same command again" in snakemake.output
    assert "Traceback" not in untrained.train_log("baseline")
    filler.unlink()
    untrained.run()
    assert all(went_on(untrained, method) for method in METHODS)
    assert untrained.outcome() == undisturbed.outcome()


def test_a_corrupt_checkpoint(untrained, undisturbed):
    snakemake = untrained.start("--retries", "0")
    until(trained_for(untrained, 5), "both runs train")
    slurm("scancel", training_job("baseline"))
    assert snakemake.end() != 0
    finished = [job for job in untrained.jobs("train") if "_adabn_" in job.comment]
    checkpoint = untrained.run_folder("baseline") / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    untrained.run()
    log = untrained.train_log("baseline")
    assert "checkpoint.pt: unreadable" in log
    assert "goes on after epoch" in log, "the checkpoint before it serves"
    assert [job for job in untrained.jobs("train") if "_adabn_" in job.comment] == finished, "trained again"
    assert untrained.outcome() == undisturbed.outcome()
