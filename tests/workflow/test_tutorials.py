"""Tutorials do what they say: their commands are taken from the page, as they are printed."""

import contextlib
import io
import os
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from helpers import ROOT
from helpers.pages import Block, blocks, tables
from helpers.workflow import PATIENCE

pytestmark = pytest.mark.workflow
TUTORIALS = ROOT / "docs/tutorials"


@pytest.fixture
def clone() -> Path:
    """The clone that a reader names as $DEBATCH."""
    if not (ROOT / ".venv/bin/activate").exists():
        pytest.skip("tutorials start with the clone's .venv; `make setup` makes it")
    return ROOT


def follow(page: Path, folder: Path, clone: Path, **environment: str) -> str:
    """Do all that a page shows, in a folder: write its files, run its commands in one shell that stops where one fails.

    Returns:
        what the commands printed.
    """
    script = ["set -e"]
    for number, block in enumerate(blocks(page.read_text())):
        if block.title:
            (folder / block.title).write_text(block.text)
        elif block.language == "sh":
            script.append(f"echo '# block {number}'\n{block.text}")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=folder, env={**os.environ, "DEBATCH": str(clone), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def said(page: Path) -> list[str]:
    """The lines of output that a page shows."""
    return [line for block in blocks(page.read_text()) if block.language == "text" for line in block.text.splitlines()]


def test_profiles(tmp_path, clone):
    page = TUTORIALS / "profiles.md"
    printed = follow(page, tmp_path, clone)
    for line in said(page):
        assert line in printed
    made = pd.read_csv(tmp_path / "results/mine/tables/table_correction.csv")
    means = made.pivot(index="row", columns="column", values="mean")
    rows = {
        "cellprofiler": "cellprofiler",
        "+ Z-norm (controls)": "cellprofiler.znorm",
        "+ Sphering": "cellprofiler.sphering",
        "+ Harmony": "cellprofiler.harmony",
        "a random neighbour": "chance",
        "batches permuted": "cellprofiler.permuted",
    }
    columns = ["kbet", "neighbor_same_batch", "replicate_across_batches", "replicate_map"]
    shown = next(table for table in tables(page.read_text()) if "k-BET" in table[0])
    checked = 0
    for line in shown[2:]:
        row, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        for column, cell in zip(columns, cells, strict=True):
            if cell:
                # processors differ in the last place, Harmony's clusters in a few wells
                near = 2.0 if column != "replicate_map" else 0.01
                assert means.loc[rows[row], column] == pytest.approx(float(cell), abs=near), (row, column)
                checked += 1
    assert checked == 20
    assert (tmp_path / "results/mine/report.html").exists()


def test_a_new_method(tiny_copy, clone):
    """On results of the tiny screen that are there, so that its first step has nothing to do."""
    printed = follow(TUTORIALS / "new-method.md", tiny_copy, clone)
    assert "Nothing to be done" in printed
    planned = printed.partition("# block")[2]
    assert re.search(r"^train +2$", planned, re.MULTILINE), "the new method alone is trained"
    assert "AdaBN, SupCon" in (tiny_copy / "results/tiny/tables/table_supcon.md").read_text()
    assert "adabn_supcon" in printed.rpartition("# block")[2]


def test_a_cluster(tmp_path):
    """Up to the dry run of what is submitted: the cluster itself has tests of its own."""
    clone, home = tmp_path / "clone", tmp_path / "home"
    (clone / ".venv/bin").mkdir(parents=True)
    home.mkdir()
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name not in {"results", "logs", "site"}:
            (clone / entry.name).symlink_to(entry)
    real = ROOT / ".venv/bin/activate"
    if not real.exists():
        pytest.skip("tutorials start with the clone's .venv; `make setup` makes it")
    # every call of Snakemake is a dry run
    (clone / ".venv/bin/activate").write_text(f'. "{real}"\nsnakemake() {{ command snakemake -n "$@"; }}\n')
    page = TUTORIALS / "cluster.md"
    printed = follow(page, tmp_path, clone, HOME=str(home))
    assert (home / ".config/snakemake/slurm/config.yaml").exists()
    for line in said(page):
        assert re.search(rf"^{re.escape(line)}$", printed, re.MULTILINE), line


def test_results_in_python(tiny_copy, monkeypatch):
    monkeypatch.chdir(tiny_copy)
    names: dict = {}
    shown = blocks((TUTORIALS / "results-in-python.md").read_text())
    for block, below in zip(shown, [*shown[1:], Block("", None, "")], strict=True):
        if block.language == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(block.text, names)
            if below.language == "text":
                assert printed.getvalue() == below.text, block.text
    assert (tiny_copy / "accuracy.svg").exists()
    assert 0 <= names["mixed"] <= 1
    assert len(names["pictures"]) == len(names["wrong"])
