"""CPU seconds that each job takes to start: Python, and what its script imports before it reads anything.

Usage: python benchmarks/start.py [ROUNDS]

The least of some rounds (3), each a process of its own, files in the page cache. Snakemake adds 0.2 s a job.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from common import about

SCRIPTS = Path(__file__).resolve().parents[1] / "workflow/scripts"
HELPERS = {"script.py", "trained.py"}


def main(rounds: int) -> None:
    """Print one record."""
    seconds = {
        script.stem: round(min(cpu_seconds(script) for _ in range(rounds)), 2)
        for script in sorted(SCRIPTS.glob("*.py"))
        if script.name not in HELPERS
    }
    print(json.dumps({**about("start", 1), "cpu_seconds": seconds, "sum": round(sum(seconds.values()), 1)}))


def cpu_seconds(script: Path) -> float:
    """Of a process that imports what a script does."""
    before = os.times()
    command = [sys.executable, "-c", imports_of(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, cwd="/")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def imports_of(script: Path) -> str:
    """A script's text down to its job."""
    # at the end of the path: scripts are named like packages that they import
    return f"import sys\nsys.path.append({str(SCRIPTS)!r})\n" + script.read_text().split("\nwith job(")[0]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
