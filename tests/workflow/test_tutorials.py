"""Tutorials and the README do what they say: their commands are taken from the page, as they are printed."""

import contextlib
import io
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from helpers import ROOT
from helpers.pages import Block, blocks, tables
from helpers.workflow import PATIENCE

pytestmark = pytest.mark.workflow
TUTORIALS = ROOT / "docs/tutorials"


@pytest.fixture
def clone() -> Path:
    """The clone that a reader names as $DEBATCH."""
    if not (ROOT / ".venv/bin/activate").exists():
        pytest.skip("pages start with the clone's .venv; `make setup` makes it")
    return ROOT


@pytest.fixture
def dry_clone(clone, tmp_path) -> Path:
    """Another one, to write into, in whose environment every call of Snakemake is a dry run."""
    folder = tmp_path / "clone"
    (folder / ".venv/bin").mkdir(parents=True)
    for entry in clone.iterdir():
        if not entry.name.startswith(".") and entry.name not in {"results", "logs", "site"}:
            (folder / entry.name).symlink_to(entry)
    activate = f'. "{clone}/.venv/bin/activate"\nsnakemake() {{ command snakemake -n "$@"; }}\n'
    (folder / ".venv/bin/activate").write_text(activate)
    return folder


def follow(page: str, folder: Path, clone: Path, **environment: str) -> str:
    """Do all that a page shows, in a folder: write its files, run its commands in one shell that stops where one fails.

    Returns:
        what the commands printed.
    """
    script = ["set -e"]
    for number, block in enumerate(blocks(page)):
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


def said(page: str) -> list[str]:
    """The lines of output that a page shows."""
    return [line for block in blocks(page) if block.language == "text" for line in block.text.splitlines()]


def test_profiles(tmp_path, clone):
    page = (TUTORIALS / "profiles.md").read_text()
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
    shown = next(table for table in tables(page) if "k-BET" in table[0])
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
    printed = follow((TUTORIALS / "new-method.md").read_text(), tiny_copy, clone)
    assert "Nothing to be done" in printed
    planned = printed.partition("# block")[2]
    assert re.search(r"^train +2$", planned, re.MULTILINE), "the new method alone is trained"
    assert "AdaBN, SupCon" in (tiny_copy / "results/tiny/tables/table_supcon.md").read_text()
    assert "adabn_supcon" in printed.rpartition("# block")[2]


def test_a_cluster(tmp_path, dry_clone):
    """Up to the dry run of what is submitted: the cluster itself has tests of its own."""
    page = (TUTORIALS / "cluster.md").read_text()
    printed = follow(page, tmp_path, dry_clone, HOME=str(tmp_path))
    assert (tmp_path / ".config/snakemake/slurm/config.yaml").exists()
    for line in said(page):
        assert re.search(rf"^{re.escape(line)}$", printed, re.MULTILINE), line


def section(heading: str) -> str:
    """A section of the README."""
    return (ROOT / "README.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_readmes_profiles(tmp_path, dry_clone):
    """Up to the dry run; the tutorial on profiles goes on to the report."""
    wells = [f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7)]
    for plate in ("P1", "P2"):
        rows = pd.DataFrame({"Metadata_Plate": plate, "Metadata_Well": wells})
        rows["Metadata_Compound"] = ["DMSO", "taxol", "nocodazole"] * 8
        for number, compartment in enumerate(("Cells", "Cytoplasm", "Nuclei")):
            rows[f"{compartment}_Texture"] = np.random.default_rng(number).normal(size=len(wells)).round(3)
        rows.to_csv(tmp_path / f"{plate}.csv", index=False)
    printed = follow(section("I have profiles").replace("/path/to/plates", str(tmp_path)), dry_clone, dry_clone)
    assert "48 profiles of 3 features" in printed
    assert re.search(r"^make_report +1$", printed, re.MULTILINE)


def test_the_readmes_images(tmp_path, dry_clone):
    """Up to the dry run: two experiments of one plate, in 16 bits."""
    rng = np.random.default_rng(0)
    wells = [f"{row}{column:02d}" for row in "ABC" for column in range(1, 5)]
    roles = ["neg", "drug", "drug"] * 4
    rows = [(date, "PlateA", well, role, role + well[0]) for date in (20240105, 20240112, 20240119)
            for well, role in zip(wells, roles, strict=True)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["date", "barcode", "well_id", "role", "compound"])
    table.to_csv(tmp_path / "wells.csv", index=False)
    for date, plate, well in table[["date", "barcode", "well_id"]].itertuples(index=False):
        folder = tmp_path / f"images/{date}_{plate}"
        folder.mkdir(parents=True, exist_ok=True)
        for channel in ("DAPI", "TRITC"):
            pixels = rng.integers(150, 3900, (256, 256), dtype=np.uint16)
            tifffile.imwrite(folder / f"{well}--P01--{channel}.tif", pixels)
    page = section("I have images").replace("/path/to/images", str(tmp_path / "images"))
    printed = follow(page.replace("/path/to/wells.csv", str(tmp_path / "wells.csv")), dry_clone, dry_clone)
    assert re.search(r"^ingest_experiment +3$", printed, re.MULTILINE)
    assert re.search(r"^make_report +1$", printed, re.MULTILINE)


def test_the_readmes_rxrx1(dry_clone):
    """Up to the dry run, which works before any data is there."""
    printed = follow(section("I have RxRx1"), dry_clone, dry_clone)
    assert re.search(r"^train +61$", printed, re.MULTILINE)


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
