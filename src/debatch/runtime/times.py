"""What jobs took, as Snakemake measured it (`benchmark:`), gathered in one file for a screen.

A benchmark's file must not stay where it is: Snakemake counts it as output when it asks whether a job's inputs are
newer than what was made of them. One of an earlier run, beside results that were copied here since, would train them
again.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobTime:
    """One finished job.

    Attributes:
        rule: its name, of the forms of a rule that of the form.
        wildcards: by name.
        seconds: that it ran for; of one that was interrupted, in its last attempt.
        max_rss_mb: memory that its processes held at most; None: it ended before it was looked at.
        threads: CPU threads that it was given.
        gpus: GPUs, likewise.
        ended: date and time in UTC.
        recipe: that its network was trained by; empty where it has none.
        products: what it made of a run: kind, test-time statistics, correction; empty where the rule makes one thing.
    """

    rule: str
    wildcards: dict[str, str]
    seconds: float
    max_rss_mb: float | None
    threads: int
    gpus: int
    ended: str
    recipe: dict[str, Any] = field(default_factory=dict)
    products: list[list[str]] = field(default_factory=list)


def gather_times(folder: Path, table: Path) -> None:
    """Add the times of the jobs that have ended to a table, and remove the files that held them.

    Args:
        folder: of benchmark files, a job each.
        table: a line of JSON a job.
    """
    files = sorted(folder.rglob("*.jsonl"))
    if not files:
        return
    # each line is there before its file is gone: a call that is killed between them counts one job twice, which does
    # no harm
    with open(table, "a", encoding="utf-8") as lines:
        for file in files:
            lines.writelines(f"{json.dumps(asdict(time))}\n" for time in _benchmarked(file))
        lines.flush()
        os.fsync(lines.fileno())
    for file in files:
        file.unlink(missing_ok=True)
    for below in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(below.iterdir()):
            below.rmdir()


def read_times(folder: Path, table: Path) -> list[JobTime]:
    """All that was measured, what is not gathered yet included; a line that is only half there is left out."""
    found = []
    if table.exists():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(JobTime(**json.loads(line)))
            except (ValueError, TypeError):
                continue
    return found + [time for file in sorted(folder.rglob("*.jsonl")) for time in _benchmarked(file)]


def _benchmarked(file: Path) -> Iterator[JobTime]:
    """What Snakemake says of a job; nothing where it was told to say little (no `benchmark-extended`)."""
    try:
        ended = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            said = json.loads(line)
            params, memory = said["params"], said["max_rss"]
            yield JobTime(
                rule=said["rule_name"],
                wildcards=dict(said["wildcards"]),
                seconds=float(said["s"]),
                max_rss_mb=round(memory, 1) if isinstance(memory, float) else None,
                threads=int(said["threads"]),
                gpus=int(said["resources"].get("gpu", 0)),
                ended=ended,
                recipe=params.get("recipe") or {},
                products=[product for product, _ in params.get("products") or []],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.debug("%s: %s", file, error)
