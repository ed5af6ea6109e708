"""Each trap of `edits.py`, set in a copy of the code: the test that it names must fail.

Usage: make mutations     (or: python tests/mutations/run.py [words of a name …])

It prints a line an edit, and ends with status 1 where one went unnoticed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edits import EDITS, Edit

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "config", "workflow", "resources", "envs", "benchmarks", "profiles", "docs")
FILES = ("pyproject.toml", "Snakefile", "requirements.lock", "README.md", "Makefile")
LONGEST = 300  # seconds of one edit's tests: what hangs was noticed


def main() -> None:
    """Set every trap whose name holds one of the words; none: all."""
    chosen = [edit for edit in EDITS if not sys.argv[1:] or any(word in edit.trap for word in sys.argv[1:])]
    if stale := [edit.trap for edit in EDITS if not applies(edit, ROOT)]:
        sys.exit(f"these traps replace what the code does not have once: {'; '.join(stale)}")
    unnoticed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        copy.mkdir()
        for name in COPIED:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, copy)
        for edit in chosen:
            started = time.perf_counter()
            noticed = is_noticed(edit, copy)
            word = "noticed  " if noticed else "UNNOTICED"
            print(f"{word} {time.perf_counter() - started:5.0f} s  {edit.trap} ({edit.file})", flush=True)
            unnoticed += [] if noticed else [edit.trap]
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} traps were noticed")
    sys.exit(bool(unnoticed))


def applies(edit: Edit, root: Path) -> bool:
    """Whether the code has once what an edit replaces."""
    return (root / edit.file).read_text().count(edit.old) == 1


def is_noticed(edit: Edit, copy: Path) -> bool:
    """Whether the edit's tests fail with it. Tests that cannot run stop everything."""
    path = copy / edit.file
    text = path.read_text()
    path.write_text(text.replace(edit.old, edit.new))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *edit.tests]
    paths = os.pathsep.join([str(copy / "src"), str(copy / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(text)
    if done.returncode not in (0, 1) or "error" in done.stdout.splitlines()[-1]:
        sys.exit(f"{edit.trap}: its tests did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 1


if __name__ == "__main__":
    main()
