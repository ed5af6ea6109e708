"""What Snakemake's plan costs at full size: `snakemake -n` on made-up catalogues, without an image.

Usage: python benchmarks/scaling.py [rxrx1 | jump | growth | job]   (from the checkout; all four by default)

rxrx1: its 51 experiments and all of its targets. jump: 2,500 plates of 384 wells and 9 sites, where an experiment is a
batch of 50 plates, and where it is a plate. Each is planned with nothing there, with the index there, and with all
there, made by rules that write a word in place of their result. growth: 250 to 2,500 experiments of a plate. job: what
a job on a cluster adds, which reads the Snakefile again.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from common import about

from debatch.screen.names.wells import row_letters

ROOT = Path(__file__).resolve().parents[1]
PLATES, ROWS, COLUMNS, SITES = 2500, 16, 24, 9
TARGETS = "table1, table_differences, table3, figure6, figure10, table_s3, table_probe, table_correction, report"
SCREEN = """\
source:
  root: images
  pattern: "{{experiment}}/{{plate}}/{{well}}_s{{site:d}}_w{{channel}}.tif"
  channels: {{"1": DNA, "2": ER, "3": RNA, "4": AGP, "5": Mito}}
  sites: [1, 2, 3, 4, 5, 6, 7, 8, 9]
metadata: {{file: metadata.csv}}
columns: {{cell_type: null, well_type: role}}
image: {{range: [100, 10000]}}
splits: {{names: [separated, stratified, stratified_site]}}
targets: [{targets}]
"""


def write_screen(folder: Path, plates_an_experiment: int, plates: int = PLATES) -> str:
    """Make up a screen in a folder, with a catalogue of a row a well; return its YAML file."""
    controls = {f"{row_letters(row + 1)}{column:02d}" for row in range(ROWS) for column in (1, COLUMNS)}
    wells = [f"{row_letters(row + 1)}{column:02d}" for row in range(ROWS) for column in range(1, COLUMNS + 1)]
    with open(folder / "metadata.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["experiment", "plate", "well", "perturbation", "role", "smiles"])
        for plate in range(plates):
            experiment = f"batch{plate // plates_an_experiment:04d}"
            for at, well in enumerate(wells):
                if well in controls:
                    table.writerow([experiment, f"BR{plate:06d}", well, "DMSO", "negative_control", "CS(C)=O"])
                else:
                    number = (plate % 250) * len(wells) + at
                    table.writerow([experiment, f"BR{plate:06d}", well, f"JCP{number:07d}", "treatment", "C" * 40])
    (folder / "jump.yaml").write_text(SCREEN.format(targets=TARGETS))
    return "jump.yaml"


def hollow_workflow(folder: Path) -> Path:
    """A copy of the workflow whose rules write a word in place of their result; returns its Snakefile."""
    shutil.copy(ROOT / "Snakefile", folder)
    for part in ("workflow", "config", "resources", "envs", "profiles"):
        shutil.copytree(ROOT / part, folder / part)
    for file in (folder / "workflow/rules").glob("*.smk"):
        made = "shell: 'for file in {output}; do echo made > $file; done'"
        file.write_text(re.sub(r'script:\n +"../scripts/\w+.py"', made, file.read_text()))
    return folder / "Snakefile"


def snakemake(workflow: Path, folder: Path, screen: str, *arguments: str) -> tuple[dict[str, float], str]:
    """Seconds and peak memory of one call, and what it printed."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(workflow), "--directory", str(folder)]
    command += ["--cores", "2", *arguments, "--config", f"screen={screen}"]
    with tempfile.TemporaryFile("w+") as printed:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read()
    if process.returncode:
        sys.exit(text[-3000:])
    cpu = usage.ru_utime + usage.ru_stime
    return {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_mb": round(usage.ru_maxrss / 1024)}, text


def planned(text: str) -> dict[str, int]:
    """Jobs by rule of a dry run, and the files that they take and make."""
    jobs = Counter(re.findall(r"^(?:local)?rule (\w+):$", text, re.MULTILINE))
    jobs["all jobs"] = jobs.total()
    for what in ("input", "output"):
        lines = re.findall(rf"^    {what}: (.*)$", text, re.MULTILINE)
        jobs[f"{what}s"] = sum(line.count(", ") + 1 for line in lines)
    return dict(jobs)


def print_record(case: str, **found: object) -> None:
    """One JSON record."""
    print(json.dumps({**about("scaling", 1), "case": case, **found}), flush=True)


def plan(case: str, workflow: Path, folder: Path, screen: str) -> None:
    """Plan a screen with nothing there; with its index there; with everything there."""
    cost, text = snakemake(workflow, folder, screen, "-n")
    print_record(f"{case}, nothing there", **cost, jobs=planned(text))
    (folder / "metadata.csv").touch()  # RxRx1's, which a first plan does without
    snakemake(workflow, folder, screen, "ingest")
    cost, text = snakemake(workflow, folder, screen, "-n")
    print_record(f"{case}, index there", **cost, jobs=planned(text))
    snakemake(workflow, folder, screen)
    cost, text = snakemake(workflow, folder, screen, "-n")
    if "Nothing to be done" not in text:
        sys.exit(f"{case}: something is left to do: {text[-2000:]}")
    print_record(f"{case}, everything there", **cost)


def a_jobs_share(workflow: Path, folder: Path) -> None:
    """What jobs on a cluster spend on planning themselves, with experiments read from the catalogue and listed."""
    names = ", ".join(f"batch{number:04d}" for number in range(PLATES))
    text = (folder / "jump.yaml").read_text()
    (folder / "listed.yaml").write_text(f"experiments: [{names}]\n{text}")
    for screen in ("jump.yaml", "listed.yaml"):
        for job in ("ingest_experiment:experiment=batch0007", "train:method=baseline,split=separated,seed=0"):
            rule = job.split(":")[0]
            only = ("--mode", "subprocess", "--nolock", "--allowed-rules", rule, "--target-jobs", job)
            cost, _ = snakemake(workflow, folder, screen, "-n", *only)
            print_record(f"one {rule} job of 2500 experiments, {screen}", **cost)


def main(wanted: list[str]) -> None:
    """Print a JSON record for each case."""
    with tempfile.TemporaryDirectory() as copy:
        workflow = hollow_workflow(Path(copy))
        if "rxrx1" in wanted:
            with tempfile.TemporaryDirectory() as folder:
                os.environ["RXRX1"] = folder
                plan("RxRx1", workflow, Path(folder), "rxrx1")
        for plates in (50, 1) if "jump" in wanted else ():
            with tempfile.TemporaryDirectory() as folder:
                screen = write_screen(Path(folder), plates)
                plan(f"2500 plates in {PLATES // plates} experiments", workflow, Path(folder), screen)
        for experiments in (250, 500, 1000, 2500) if "growth" in wanted else ():
            with tempfile.TemporaryDirectory() as folder:
                screen = write_screen(Path(folder), 1, experiments)
                cost, text = snakemake(workflow, Path(folder), screen, "-n")
                print_record(f"{experiments} experiments of a plate", **cost, jobs=planned(text))
        if "job" in wanted:
            with tempfile.TemporaryDirectory() as folder:
                write_screen(Path(folder), 1)
                a_jobs_share(workflow, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:] or ["rxrx1", "jump", "growth", "job"])
