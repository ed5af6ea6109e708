"""Time `make demo`, or another screen or target, from nothing: wall time, memory of the largest process, bytes on disk.

Usage: python benchmarks/demo.py [SCREEN [TARGET]]   (from the checkout, after `make setup`)
bbbc021 needs $DEBATCH_REAL_DATA.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from debatch.runtime.processor import this_processor

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Print one JSON record."""
    screen = sys.argv[1] if len(sys.argv) > 1 else "demo"
    target = sys.argv[2] if len(sys.argv) > 2 else "all"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), target, "--cores", "2"]
        command += ["--directory", folder, "--quiet", "all", "--config", f"screen={screen}"]
        started = time.perf_counter()
        subprocess.run(command, check=True)
        first = time.perf_counter() - started
        started = time.perf_counter()
        subprocess.run(command, check=True)
        second = time.perf_counter() - started
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    print(
        json.dumps(
            {
                "benchmark": "demo",
                "screen": screen,
                "target": target,
                "date": date.today().isoformat(),
                "machine": f"{this_processor().words}, 2 cores used",
                "wall_seconds": round(first, 1),
                "second_call_seconds": round(second, 1),
                "peak_process_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
                "disk_mb": round(size / 1e6),
            }
        )
    )


if __name__ == "__main__":
    main()
