"""Snakemake as a user calls it, in a folder of its own, and what its dry runs say."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from helpers import ROOT
from helpers.dry_run import dry_run

# seconds: no check, but what ends a call that hangs, on a machine that is busy with others' work too
PATIENCE = 1800
# rules of which each set of things that one job makes has a name of its own, as in embed_run_train_batch
FAMILIES = ("embed_run", "score_run", "probe_run", "probe_training_side", "correct_run", "readout_run", "task_run")


def snakemake(folder: Path, *arguments: str, check: bool = True, **config: str) -> subprocess.CompletedProcess:
    """Run Snakemake in a folder of its own; everything it makes lies there."""
    command = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), "--cores", "2", *arguments]
    if config:
        command += ["--config", *(f"{key}={value}" for key, value in config.items())]
    if "-n" in arguments:
        done = dry_run(folder, command, PATIENCE)
    else:
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *command],
            cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    done.output = done.stdout + done.stderr
    if check:
        assert done.returncode == 0, done.output[-6000:]
    return done


def read_aloud(page: str) -> str:
    """The words of a page, without its markup: terms are links in the running text."""
    text = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


def planned_rules(done: subprocess.CompletedProcess) -> dict[str, int]:
    """Jobs of a dry run by their rule's whole name."""
    if "Job stats:" not in done.output:
        return {}
    lines = done.output.split("Job stats:")[1].splitlines()[3:]
    jobs = {}
    for line in lines:
        words = line.split()
        if len(words) != 2 or not words[1].isdigit():
            break
        jobs[words[0]] = int(words[1])
    jobs.pop("total", None)
    return jobs


def planned(done: subprocess.CompletedProcess) -> dict[str, int]:
    """Jobs by rule of a dry run; those of a family under its name."""
    jobs: dict[str, int] = {}
    for rule, count in planned_rules(done).items():
        name = next((family for family in FAMILIES if rule.startswith(f"{family}_")), rule)
        jobs[name] = jobs.get(name, 0) + count
    return jobs


def planned_files(done: subprocess.CompletedProcess) -> set[str]:
    """What the jobs of a dry run would write."""
    lines = re.findall(r"^    output: (.+)$", done.output, re.MULTILINE)
    return {path for line in lines for path in line.split(", ")}


def hollow_workflow(folder: Path) -> Path:
    """The workflow with rules that write a word in place of what they make: what is planned is the same."""
    own_folder(folder)
    shutil.copy(ROOT / "Snakefile", folder)
    for part in ("workflow", "resources", "envs"):
        shutil.copytree(ROOT / part, folder / part)
    for file in (folder / "workflow/rules").glob("*.smk"):
        made = "shell: 'for file in {output}; do echo made > $file; done'"
        text, count = re.subn(r'script:\n +"../scripts/\w+.py"', made, file.read_text())
        assert count == text.count("output:")
        file.write_text(text)
    return folder


def own_folder(folder: Path) -> Path:
    """A working directory with a configuration of its own."""
    shutil.copytree(ROOT / "config", folder / "config")
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    return folder
