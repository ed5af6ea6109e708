"""`debatch plan`: what targets would cost before they are submitted."""

import argparse
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from debatch.cli.choice import BASE, chosen_registry, known_targets, runs_of
from debatch.cli.planning.bill import Line, Pricing, wall_seconds
from debatch.cli.planning.disk import Room, disk
from debatch.cli.planning.dry_run import Job, dry_run
from debatch.cli.planning.hardware import chosen_hardware
from debatch.cli.planning.measured import measured_jobs
from debatch.cli.planning.networks import count_networks
from debatch.cli.planning.sizes import ScreenSize
from debatch.cli.planning.work import EMBEDDING_RULES, Work
from debatch.cli.terminal import console, count, duration, gigabytes, hours, note, print_json, table
from debatch.config import Recipe
from debatch.config.splits import Split
from debatch.config.throughput import read_throughput
from debatch.errors import ConfigError
from debatch.files import Files
from debatch.registry import Registry
from debatch.runtime.processor import this_processor
from debatch.screen.nouns import Noun


def run(options: argparse.Namespace) -> int:
    """Print the bill."""
    registry = chosen_registry(options.config)
    throughput = read_throughput(BASE)
    hardware = chosen_hardware(throughput, registry, options.device, this_processor())
    files = Files(registry.results, registry.name)
    size = ScreenSize(registry, files)
    with ThreadPoolExecutor(1) as pool:
        listed = pool.submit(dry_run, registry, options.targets, options.config)
        # may take seconds, in which Snakemake works in a process of its own
        count_networks(_untrained(registry, files, options.targets), size, throughput)
        jobs = listed.result()
    work = Work(registry, size)
    # of hardware that is asked for by name, what ran on this one says nothing
    measured = measured_jobs(registry, files, work) if options.device is None else None
    pricing = Pricing(work, throughput, hardware, measured)
    rooms = disk(jobs, registry, size, throughput, options.gpus)
    plan = Plan(registry, options.targets, jobs, pricing, rooms, options.gpus)
    if options.json:
        print_json(plan.as_json())
    else:
        plan.show(console())
    return 0


def _untrained(registry: Registry, files: Files, targets: Sequence[str]) -> list[Recipe]:
    """Recipes that targets seem to train, each once; none where a target is a file."""
    with suppress(ConfigError):
        runs = [run for run in runs_of(registry, targets) if not run.external]
        return [
            registry.recipes[method]
            for method in dict.fromkeys(
                run.weights for run in runs if not Path(files.model(files.folder(run))).exists()
            )
        ]
    return []


class Plan:
    """The bill, for people and for scripts."""

    def __init__(
        self,
        registry: Registry,
        targets: Sequence[str],
        jobs: list[Job],
        pricing: Pricing,
        rooms: list[Room],
        gpus: int,
    ) -> None:
        self.registry, self.pricing, self.rooms, self.gpus = registry, pricing, rooms, gpus
        self.targets = list(targets) or list(registry.screen.targets)
        self.jobs = Counter(job.rule for job in jobs)
        self.lines = pricing.lines(jobs)
        self.priced = [line for line in self.lines if line.rate is not None]
        # where figures come from stands once, below the tables, by number
        self.sources = list(dict.fromkeys((line.rate.basis, line.rate.words) for line in self.priced if line.rate))

    @property
    def _on_gpu(self) -> bool:
        return self.registry.screen.compute.gpus > 0

    @property
    def _noun(self) -> Noun:
        return self.pricing.work.size.noun

    @property
    def _hours(self) -> str:
        return "GPU-hours" if self._on_gpu else "job-hours"

    def show(self, out: Console) -> None:
        """For people."""
        size = self.pricing.work.size
        title = f": {self.registry.screen.title}" if self.registry.screen.title else ""
        out.print(f"Screen {self.registry.name}{title}")
        out.print(f"Targets {', '.join(self.targets)}")
        if not self.jobs:
            out.print("Nothing is to be run: all of it is there.")
            return
        out.print(f"{self._noun.many.capitalize()} {count(size.images)} ({size.basis})")
        rows = [(rule, count(n)) for rule, n in self.jobs.items()]
        _print_table(out, "Jobs still to be run", ["rule", "jobs"], rows, ["jobs"], ("total", count(self.jobs.total())))
        if self.priced:
            self._show_splits(out)
            self._show_ingestion(out)
            self._show_trainings(out)
            self._show_embeddings(out)
            self._show_others(out)
        self._show_wall_time(out)
        if self.rooms:
            self._show_disk(out)
        self._show_sources(out)

    def _show_splits(self, out: Console) -> None:
        shown, sizes = {_split(line): line.split for line in self.priced if line.split}, self.pricing.work.size
        known = [(name, sizes.split(split), sizes.why_no_split(split)) for name, split in shown.items()]
        rows: list[tuple[str, ...]] = [
            (split, count(size.train), count(size.scored), size.basis) if size else (split, "unknown", "unknown", why)
            for split, size, why in known
        ]
        if rows:
            many = self._noun.many
            heads = ["split", f"training {many}", f"scored {many}", "how they are known"]
            _print_table(out, f"{many.capitalize()} by split", heads, rows, heads[1:3])

    def _show_ingestion(self, out: Console) -> None:
        rows = [
            (count(line.jobs), count(line.images), *self._cells(line))
            for line in self.priced
            if line.rule == "ingest_experiment"
        ]
        heads = ["experiments", "fields of view each", "a second", "time each", "job-hours", "basis"]
        if rows:
            _print_table(out, "Ingestion", heads, rows, heads)

    def _show_trainings(self, out: Console) -> None:
        trainings = [line for line in self.priced if line.rule == "train"]
        if not trainings:
            return
        rows = [
            (_split(line), method, count(line.jobs), *self._cells(line)) for method, line in self._trainings(trainings)
        ]
        epochs = sorted({self.registry.recipes[line.method].epochs for line in trainings})
        title = f"Trainings of {' to '.join(dict.fromkeys([count(epochs[0]), count(epochs[-1])]))} epochs"
        heads = ["split", "method", "runs", f"{self._noun.many}/s", "time a run", self._hours, "basis"]
        total = ("total", "", count(sum(line.jobs for line in trainings)), "", "", _at_least(trainings), "")
        _print_table(out, title, heads, rows, heads[2:], total)

    def _show_embeddings(self, out: Console) -> None:
        embeddings = [line for line in self.priced if line.rule in EMBEDDING_RULES]
        if not embeddings:
            return
        rows = [(_split(line), line.statistics, count(line.jobs), *self._cells(line)) for line in _joined(embeddings)]
        heads = ["split", "test-time statistics", "jobs", f"{self._noun.many}/s", "time a job", self._hours, "basis"]
        total = ("total", "", count(sum(line.jobs for line in embeddings)), "", "", _at_least(embeddings), "")
        title = f"Embeddings ({self._noun.many} pass once for statistics and once more)"
        _print_table(out, title, heads, rows, heads[2:], total)

    def _show_others(self, out: Console) -> None:
        """Jobs that no figure of hardware is known of: what they took here."""
        others = [line for line in self.priced if line.rule not in ("train", "ingest_experiment", *EMBEDDING_RULES)]
        rows = [(line.rule, _split(line), count(line.jobs), *self._cells(line)[1:]) for line in _joined(others)]
        heads = ["rule", "split", "jobs", "time a job", "job-hours", "basis"]
        total = ("total", "", count(sum(line.jobs for line in others)), "", _at_least(others), "")
        if rows:
            _print_table(out, "Other jobs that were measured", heads, rows, heads[2:], total)

    def _show_disk(self, out: Console) -> None:
        known = [room.size for room in self.rooms if room.size is not None]
        lacking = any(room.size is None or room.partial for room in self.rooms)
        rows = [(room.what, ("at least " if room.partial else "") + gigabytes(room.size)) for room in self.rooms]
        at_least = f"at least {gigabytes(sum(known))}" if known else "unknown"
        total = ("total", at_least) if lacking else ("total, at most", gigabytes(sum(known)))
        _print_table(out, "Disk", ["files", "GB"], rows, ["GB"], total)
        for room in self.rooms:
            out.print(note(f"{room.what}: {room.words}"))

    def _show_sources(self, out: Console) -> None:
        if self.sources:
            out.print("")
        for at, (basis, words) in enumerate(self.sources, start=1):
            out.print(note(f"[{at}] {basis}: {words}"))
        hardware = self.pricing.hardware
        if hardware.gpu and any(basis == "estimate" for basis, _ in self.sources):
            out.print(note(f"Peak of {hardware.name}: {self.pricing.throughput.gpus[hardware.name].source}"))
        others = [line.rate for line in self.priced if line.rate and line.rate.elsewhere]
        numbers = sorted({self.sources.index((rate.basis, rate.words)) + 1 for rate in others})
        if numbers:
            listed = ", ".join(f"[{at}]" for at in numbers)
            out.print(
                note(
                    f"{listed}: not measured on this machine, {hardware.here.words}. What benchmarks/throughput.py "
                    "measures here comes before it"
                )
            )
        if any(line.devices > 1 for line in self.priced):
            devices = self.registry.screen.compute.gpus
            out.print(
                note(f"A training on {devices} GPUs is taken to be {devices} times as fast; it is less in truth.")
            )
        work = [line.rule for line in self.lines if line.rate is None and not self._is_target(line.rule)]
        if work:
            rules = ", ".join(dict.fromkeys(work))
            out.print(note(f"In no total, since nothing that was measured says how long they take: {rules}."))

    def _is_target(self, rule: str) -> bool:
        """Whether a rule gathers files and makes none; `qc` is one that makes its own."""
        return rule == "all" or rule in {*known_targets(self.registry)} - {"qc"}

    def _trainings(self, lines: Sequence[Line]) -> list[tuple[str, Line]]:
        """Trainings by method, those of its variations that cost alike as one, and so draws of few batches."""
        derived: dict[tuple[object, ...], list[Line]] = {}
        for line in lines:
            base = self.registry.changed.get(line.method, line.method)
            key = (_split(line), base, self.registry.is_derived(line.method), line.images, line.rate)
            derived.setdefault(key, []).append(line)
        shown = []
        for group in derived.values():
            name, methods = group[0].method, {line.method for line in group}
            if len(methods) > 1:
                name = f"{self.registry.changed.get(name, name)}, {len(methods)} variations"
            shown.append((name, replace(group[0], jobs=sum(line.jobs for line in group))))
        return shown

    def _cells(self, line: Line) -> tuple[str, ...]:
        """Rate, time of each job, hours of all, the number of the note that says where that comes from."""
        assert line.rate is not None
        rate = line.rate.images_per_second
        return (
            "unknown" if rate is None else f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}",
            duration(line.wall_seconds),
            hours(line.total_seconds),
            self._note(line),
        )

    def _note(self, line: Line) -> str:
        """The number of the note that says where a line's rate comes from, or why there is none."""
        assert line.rate is not None
        return f"[{self.sources.index((line.rate.basis, line.rate.words)) + 1}]"

    def _show_wall_time(self, out: Console) -> None:
        lines = [line for line in self.priced if line.rule == "train" or line.rule in EMBEDDING_RULES]
        if not lines:
            return
        known = [line for line in lines if line.seconds is not None]
        where = f"{self.gpus} GPU{'s' if self.gpus > 1 else ''}" if self._on_gpu else f"{self.gpus} at once"
        hardware = ("" if self.pricing.hardware.gpu else "CPU: ") + self.pricing.hardware.words
        out.print(f"\nTraining and embedding: {_at_least(lines)} {self._hours} ({hardware})")
        for why, jobs in self._unknown(lines).items():
            out.print(f"  without {jobs}: {why}", soft_wrap=not out.is_terminal)
        if not known:
            return
        wall, chain = wall_seconds(known, self.gpus)
        of_them = "" if len(known) == len(lines) else " of what is known"
        out.print(
            f"On {where}: at least {duration(wall)}; the longest run{of_them}, trained and embedded, takes "
            f"{duration(chain)}, however many run at once. Queues, reading and start-up come on top."
        )

    def _unknown(self, lines: Sequence[Line]) -> dict[str, str]:
        """Why times are not known -> how many jobs of which kind."""
        counts: dict[str, Counter[str]] = {}
        for line in lines:
            if line.seconds is None:
                why = [f"no rate, see {self._note(line)}"] if line.lacks_rate else []
                why += [line.why_no_images] if line.why_no_images else []
                kind = "training" if line.rule == "train" else "embedding"
                counts.setdefault("; ".join(why), Counter())[kind] += line.jobs
        return {
            why: " and ".join(Noun(kind, f"{kind}s").count(n) for kind, n in kinds.items())
            for why, kinds in counts.items()
        }

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        size, lines = self.pricing.work.size, self.priced
        gpu_lines = [line for line in lines if line.rule == "train" or line.rule in EMBEDDING_RULES]
        wall, chain = wall_seconds(gpu_lines, self.gpus)
        return {
            "screen": self.registry.name,
            "targets": self.targets,
            "images": size.images,
            "images_basis": size.basis,
            "jobs": dict(self.jobs),
            "device": self.pricing.hardware.name,
            "processor": self.pricing.hardware.here.words,
            "at_once": self.gpus,
            "work": [
                {
                    "rule": line.rule,
                    "method": line.method,
                    "split": line.split,
                    "statistics": line.statistics,
                    "jobs": line.jobs,
                    "images_per_job": line.images,
                    "images_per_second": line.rate.images_per_second if line.rate else None,
                    "basis": line.rate.basis if line.rate else "unknown",
                    "source": line.rate.words if line.rate else "",
                    "why_unknown": line.why_unknown or None,
                    "another_machine": line.rate.elsewhere.words if line.rate and line.rate.elsewhere else None,
                    "gpus_per_job": line.devices if self._on_gpu and line in gpu_lines else 0,
                    "wall_hours_per_job": _in_hours(line.wall_seconds),
                    "hours": _in_hours(line.total_seconds),
                }
                for line in lines
            ],
            "splits": {
                split: None if known is None else {"train": known.train, "scored": known.scored, "basis": known.basis}
                for split, known in (
                    (s, size.split(s)) for s in dict.fromkeys(line.split for line in lines if line.split)
                )
            },
            "training_and_embedding_hours": _in_hours(_sum(gpu_lines)) if gpu_lines else 0.0,
            "known_hours": sum(line.total_seconds or 0.0 for line in gpu_lines) / 3600,
            "least_wall_hours": _in_hours(wall),
            "longest_run_hours": _in_hours(chain),
            "disk": [
                {"what": room.what, "bytes": room.size, "partial": room.partial, "detail": room.words}
                for room in self.rooms
            ],
        }


def _print_table(
    out: Console,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[str],
    total: Sequence[str] | None = None,
) -> None:
    """A table with a line of space above it, and its title, which may be wider."""
    out.print("")
    out.print(Text(title, style="bold"))
    out.print(table("", columns, rows, numbers, total))


def _split(line: Line) -> str:
    """A split's name; of few batches, all draws of a cell type under one."""
    if not line.split or Split.named(line.split).form != "few":
        return line.split
    return f"few_{Split.named(line.split).cell_type}, all draws"


def _joined(lines: Sequence[Line]) -> list[Line]:
    """Lines of several methods that cost alike as one."""
    made: dict[tuple[object, ...], Line] = {}
    for line in lines:
        key = (line.rule, _split(line), line.statistics, line.images, line.rate)
        made[key] = replace(line, jobs=line.jobs + made[key].jobs) if key in made else line
    return list(made.values())


def _sum(lines: Sequence[Line]) -> float | None:
    known = [line.total_seconds for line in lines]
    return None if None in known else sum(seconds or 0.0 for seconds in known)


def _at_least(lines: Sequence[Line]) -> str:
    """Hours of some lines, in words; of those that are known, where some are not."""
    known = [line for line in lines if line.total_seconds is not None]
    if not known:
        return "unknown"
    said = hours(_sum(known))
    if len(known) == len(lines):
        return said
    return "more than 0" if said.startswith("<") else f"at least {said}"


def _in_hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 3600
