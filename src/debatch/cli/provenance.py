"""`debatch provenance`: what one cell of a table was made from."""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from debatch.cli.choice import chosen_registry
from debatch.cli.evidence import (
    Profiles,
    Training,
    metadata_sha256,
    read_json,
    read_profiles,
    read_training,
    recipe_sha256,
    split_finding,
)
from debatch.cli.terminal import console, duration, hours, note, print_json, table
from debatch.config.read import nearest
from debatch.digests import sha256_of_files
from debatch.errors import ConfigError, DataError
from debatch.files import Files
from debatch.registry import Registry
from debatch.registry.run import ALL_IMAGES
from debatch.report.cells import Origin, recorded_origin


def run(options: argparse.Namespace) -> int:
    """Print a cell's origin; 1 where something is gone or was changed since."""
    registry = chosen_registry(options.config)
    files = Files(registry.results, registry.name)
    found = Provenance(registry, files, options.table, options.row, options.column)
    if options.json:
        print_json(found.as_json())
    else:
        found.show(console())
    return 1 if found.findings else 0


class Provenance:
    """A cell and what it was made from."""

    def __init__(self, registry: Registry, files: Files, name: str, row: str, column: str) -> None:
        if name not in registry.tables:
            raise ConfigError(f"no table {name!r}{nearest(name, list(registry.tables))}")
        self.registry, self.name, self.row, self.column = registry, name, row, column
        self.path = Path(files.table(name, "csv"))
        self.cell = read_cell(self.path, row, column)
        made = self.path.stat().st_mtime
        listed = read_json(Path(files.table(name, "json")))
        origin = recorded_origin(listed, row, column)
        self.origin = origin or Origin()
        runs = {(r.weights, r.split, r.seed, r.view): r for r in self.origin.runs}.values()
        self.views = sorted({r.view for r in self.origin.runs})
        self.profiles: list[Profiles] = [read_profiles(registry, r.weights) for r in runs if r.external]
        records = listed.get("runs", []) if isinstance(listed, dict) else []
        self.trainings: list[Training] = [
            read_training(registry, files, r, records, made) for r in runs if not r.external
        ]
        self.findings = (
            [] if origin else [f"{files.table(name, 'json')} does not say what the cell is made from: make it again"]
        )
        self.splits = {}
        for split in (s for s in self.origin.splits if s != ALL_IMAGES):
            recorded = {
                t.record["split_sha256"] for t in self.trainings if t.split == split and "split_sha256" in t.record
            }
            self.splits[split] = (*split_finding(files, split, recorded), recorded)
            if self.splits[split][1].startswith(("its", "not")):
                self.findings.append(f"split {split}: {self.splits[split][1]}")
        self.metadata_sha256 = metadata_sha256(files)
        now = sha256_of_files(registry.source_files())  # None: a file is gone, so that nothing can be compared
        if self.metadata_sha256 and now not in (None, self.metadata_sha256):
            self.findings.append("the metadata or profiles on disk are not those that the index was made from")
        arithmetics = {str(t.record["precision"]) for t in self.trainings if t.record.get("precision")}
        if len(arithmetics) > 1:
            self.findings.append(
                f"these runs were trained in different arithmetic: {' and '.join(sorted(arithmetics))}"
            )
        for training in self.trainings:
            self.findings += [f"{_run_name(training)}: {finding}" for finding in training.findings]
        for profiles in self.profiles:
            self.findings += [f"{profiles.name}: {finding}" for finding in profiles.findings]

    @property
    def wall_seconds(self) -> float | None:
        """Of all trainings; None where a record does not say."""
        known = [training.record.get("wall_seconds") for training in self.trainings]
        return None if None in known else sum(known)  # type: ignore[arg-type]

    @property
    def gpu_hours(self) -> float | None:
        """Of all trainings."""
        known = [training.gpu_hours for training in self.trainings]
        return None if None in known else sum(value or 0.0 for value in known)

    def show(self, out: Console) -> None:
        """For people."""
        out.print(f"{self.path}, row {self.row}, column {self.column}")
        out.print(f"  value {cell_text(self.cell)}")
        if self.origin.words:
            out.print(f"  {self.origin.words}")
        if self.trainings:
            out.print(f"  test-time statistics of the embeddings: {', '.join(self.views)}\n")
            self._show_trainings(out)
        for profiles in self.profiles:
            out.print(
                f"  profiles {profiles.name}: {profiles.file}, under {', '.join(self.views)}; nothing was trained"
            )
            out.print(f"  SHA-256 {profiles.sha256 or 'unknown: the file is gone'}")
        out.print("")
        for split, (now, words, _) in self.splits.items():
            out.print(f"split {split}: SHA-256 {now or 'unknown'}{', ' + words if words else ''}")
        origin = "none recorded: the screen is simulated" if self.registry.screen.simulated else "none recorded"
        out.print(f"metadata of the index: SHA-256 {self.metadata_sha256 or origin}")
        for finding in self.findings:
            out.print(f"! {finding}")
        if not self.findings:
            out.print(note("Everything that it was made from is there as it was."))

    def _show_trainings(self, out: Console) -> None:
        rows = [_row(training) for training in self.trainings]
        heads = ["run", "finished", "wall time", "GPU-hours", "hardware", "arithmetic", "git commit", "recipe SHA-256"]
        gpu_hours = "unknown" if self.gpu_hours is None else hours(3600 * self.gpu_hours)
        total = (
            f"total of {len(rows)} run{'s' if len(rows) > 1 else ''}",
            "",
            duration(self.wall_seconds),
            gpu_hours,
            *[""] * 4,
        )
        out.print(table("Trained runs", heads, rows, ["wall time", "GPU-hours"], total))
        out.print("")
        for words in dict.fromkeys(_versions(training.record) for training in self.trainings):
            out.print(f"versions: {words}")

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "table": self.name,
            "row": self.row,
            "column": self.column,
            "cell": self.cell,
            "runs": [
                {
                    "method": training.method,
                    "split": training.split,
                    "seed": training.seed,
                    "gpu_hours": training.gpu_hours,
                    "recipe_sha256": recipe_sha256(training.record),
                    "record": training.record,
                    "findings": training.findings,
                }
                for training in self.trainings
            ],
            "views": self.views,
            "profiles": [
                {"name": p.name, "file": p.file, "sha256": p.sha256, "findings": p.findings} for p in self.profiles
            ],
            "splits": {
                split: {"sha256_now": now, "sha256_of_runs": sorted(recorded), "finding": words}
                for split, (now, words, recorded) in self.splits.items()
            },
            "metadata_sha256": self.metadata_sha256,
            "wall_seconds": self.wall_seconds,
            "gpu_hours": self.gpu_hours,
            "findings": self.findings,
        }


def read_cell(path: Path, row: str, column: str) -> dict[str, str]:
    """A cell as it stands in a table's CSV.

    Raises:
        DataError: the table was not made, or cannot be read.
        ConfigError: it has no such row, or not that column there.
    """
    try:
        with open(path, newline="", encoding="utf-8") as lines:
            cells = list(csv.DictReader(lines))
    except OSError:
        raise DataError(f"{path} is not there: `snakemake {path.stem}` makes it") from None
    if not cells or not {"row", "column"} <= set(cells[0]):
        raise DataError(f"{path}: no table of this workflow, or an empty one")
    rows = list(dict.fromkeys(cell["row"] for cell in cells))
    if row not in rows:
        raise ConfigError(f"{path}: no row {row!r}{nearest(row, rows)}")
    own = {cell["column"]: cell for cell in cells if cell["row"] == row}
    if column not in own:
        raise ConfigError(f"{path}: the row {row!r} has no column {column!r}{nearest(column, list(own))}")
    return {key: value for key, value in own[column].items() if key}


def cell_text(cell: dict[str, str]) -> str:
    """A cell in one line: value, sd, interval, the paper's number."""
    if not cell.get("mean"):
        return cell.get("note") or "none"
    unit = f" {cell['unit']}" if cell.get("unit") else ""
    text = f"{float(cell['mean']):.4g}{unit}"
    if cell.get("sd"):
        text += f" ± {float(cell['sd']):.2g}"
    text += f" (n = {cell['n']})"
    if cell.get("low") and cell.get("high"):
        text += f", [{float(cell['low']):.4g} to {float(cell['high']):.4g}] over test batches"
    if cell.get("published_mean"):
        text += f"; the paper: {float(cell['published_mean']):.4g}{unit}, {cell.get('verdict', '')}"
    return text + (f"; {cell['note']}" if cell.get("note") else "")


def _row(training: Training) -> tuple[str, ...]:
    record = training.record
    hardware = record.get("hardware") or {}
    device = hardware.get("cpu") if hardware.get("device") == "CPU" else hardware.get("device")
    where = str(device or hardware.get("device") or "unknown")
    if hardware.get("device") == "CPU" and hardware.get("threads"):
        where += f", {hardware['threads']} CPU thread{'s' if hardware['threads'] != 1 else ''}"
    if (record.get("devices") or 1) > 1:
        where = f"{record['devices']} x {where}"
    commit = str(record.get("git_commit") or "unknown")
    return (
        _run_name(training),
        str(record.get("finished", "unknown")).replace("T", " ").replace("+00:00", " UTC"),
        duration(record.get("wall_seconds")),
        "unknown" if training.gpu_hours is None else hours(3600 * training.gpu_hours),
        where,
        str(record.get("precision") or "unknown"),
        commit[:12] + (", edited" if commit.endswith("+") else ""),
        (recipe_sha256(record) or "unknown")[:12],
    )


def _run_name(training: Training) -> str:
    return f"{training.method}/{training.split}/seed{training.seed}"


def _versions(record: dict[str, Any]) -> str:
    if not record:
        return "unknown"
    packages = {**(record.get("packages") or {})}
    named = {"debatch": record.get("debatch"), "python": record.get("python"), **packages}
    return json.dumps({key: value for key, value in named.items() if value})[1:-1].replace('"', "").replace(": ", " ")
