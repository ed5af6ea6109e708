"""A disk that fills up, a checkpoint that breaks, a Snakemake that is killed: one after the other for the same runs."""

import shutil
import signal
import subprocess

import pytest
from helpers.cluster import METHODS, until

pytestmark = pytest.mark.slurm

WAITS = "still writes this run: waiting for it to end"


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


def test_a_full_disk_a_corrupt_checkpoint_and_a_snakemake_that_is_killed(untrained, small_disk, request):
    snakemake = untrained.start("--retries", "0")
    held = untrained.hold(*METHODS)
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        fill_the_disk(filler)
    held.resume()
    assert snakemake.end() != 0
    assert "the disk is full; free some space, then run the same command again" in snakemake.output
    assert not any("Traceback" in untrained.train_log(method) for method in METHODS)
    filler.unlink()

    done = untrained.done()
    checkpoint = untrained.run_folder("baseline") / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    snakemake = untrained.start()
    held = untrained.hold(*METHODS, after=done)
    assert all(untrained.went_on(method) for method in METHODS), "of the broken one, the checkpoint before it serves"
    assert "checkpoint.pt: unreadable" in untrained.train_log("baseline")
    assert "unreadable" not in untrained.train_log("adabn")

    snakemake.process.send_signal(signal.SIGKILL)
    snakemake.end()
    orphans = {method: untrained.training_job(method) for method in METHODS}
    assert set(orphans.values()) == set(untrained.queue()), "the jobs live on"
    held.resume("adabn")
    until(lambda: orphans["adabn"] not in untrained.queue(), "one orphan has ended")
    assert (untrained.run_folder("adabn") / "model.safetensors").exists()
    locked = untrained.run(check=False)
    assert locked.returncode != 0
    assert "--unlock" in locked.output
    untrained.run("--unlock")

    finished = trainings_of(untrained, "adabn")
    snakemake = untrained.start()
    until(lambda: WAITS in untrained.train_log("baseline"), "the new job waits")
    assert orphans["baseline"] in untrained.queue(), "the orphan has not ended"
    held.resume("baseline")
    assert snakemake.end() == 0, snakemake.output
    log = untrained.train_log("baseline")
    assert "trained already" in log
    assert "images/s" not in log, "an epoch was trained again"
    assert trainings_of(untrained, "adabn") == finished, "what ended while Snakemake was dead was trained again"
    assert untrained.outcome() == request.getfixturevalue("undisturbed").outcome()


def trainings_of(copy, method):
    return [job for job in copy.jobs("train") if f"_{method}_" in job.comment]
