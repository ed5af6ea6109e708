"""What goes wrong on the way: one clear sentence, and nothing lost."""

import os
import time

import pandas as pd
import pytest
from helpers.workflow import planned, snakemake

from debatch.files import FORMAT, Files
from debatch.tabular import write_frame

pytestmark = pytest.mark.workflow

FILES = Files("results", "tiny")


@pytest.mark.parametrize(("about", "age"), [({}, "an older"), ({"format": str(FORMAT + 1)}, "a newer")])
def test_results_of_another_version_are_left_alone(tmp_path, about, age):
    index = tmp_path / FILES.index()
    write_frame(pd.DataFrame({"image_id": ["A"]}), index, about)
    before = index.read_bytes()
    done = snakemake(tmp_path, "-n", check=False, screen="tiny")
    assert done.returncode != 0
    assert f"results/tiny was made by {age} debatch" in done.output
    assert "move that folder away" in done.output
    assert "Traceback" not in done.output
    assert index.read_bytes() == before
    assert snakemake(tmp_path, "-n", screen="tiny", results="others").returncode == 0


def test_a_file_from_the_future_is_named_before_the_work_and_cured_without_training(tiny_copy):
    tomorrow = time.time() + 86_400
    split = tiny_copy / FILES.split("separated")
    os.utime(split, (tomorrow, tomorrow))
    wanted = FILES.nulls("separated")
    (tiny_copy / wanted).unlink()
    done = snakemake(tiny_copy, wanted, check=False, screen="tiny")
    assert done.returncode != 0
    assert "separated.parquet is dated 1440 minutes after this machine's clock" in done.output
    os.utime(split)
    snakemake(tiny_copy, "--touch", screen="tiny")
    snakemake(tiny_copy, wanted, screen="tiny")
    assert "train" not in planned(snakemake(tiny_copy, "-n", screen="tiny"))


def test_two_calls_in_one_folder(tiny_copy):
    """Snakemake's own lock: the second call leaves at once, and says how to go on."""
    locks = tiny_copy / ".snakemake/locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.output.lock").write_text(FILES.report() + "\n")
    (tiny_copy / FILES.report()).unlink()
    done = snakemake(tiny_copy, check=False, screen="tiny")
    assert done.returncode != 0
    assert "Directory cannot be locked" in done.output
    assert "--unlock" in done.output
    snakemake(tiny_copy, "--unlock", screen="tiny")
    snakemake(tiny_copy, screen="tiny")
    assert (tiny_copy / FILES.report()).exists()
