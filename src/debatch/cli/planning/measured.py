"""What jobs like those of a plan took when this screen's workflow ran before."""

import json
from contextlib import suppress
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import median
from typing import Any

from debatch.cli.planning.dry_run import Job, RunFoldersByPath, run_folders_by_path, with_run
from debatch.cli.planning.rates import Rate
from debatch.cli.planning.work import Work
from debatch.files import Files, Product
from debatch.registry import Registry
from debatch.registry.products import rule_of_form
from debatch.runtime.times import JobTime, read_times

# a network's rate depends on no more of a recipe than this, or on so little more that it serves where nothing else does
NETWORK = ("backbone", "pixels", "channels", "precision")

# logarithms of two numbers of images differ by no more: the jobs are of one size
SAME_SIZE = 0.05


@dataclass(frozen=True)
class Measured:
    """A job that ran.

    Attributes:
        job: as a plan would list it.
        time: what it took.
        seconds: that it took in all; a training's attempts together.
    """

    job: Job
    time: JobTime
    seconds: float


@dataclass(frozen=True)
class MeasuredJobs:
    """The jobs of a screen that ran here, and were measured."""

    jobs: list[Measured]
    work: Work

    def rate(self, job: Job, images: int | None) -> Rate | None:
        """How fast jobs like this one were; None where none ran.

        Args:
            job: to be run.
            images: that pass through it; None: not known, and it is taken to last as long as they did.
        """
        gpus = self.work.registry.screen.compute.gpus > 0
        recipe = self.work.recipe(job)
        of_rule = [
            other
            for other in self.jobs
            if other.job.rule == job.rule and (recipe is None or (other.time.gpus > 0) == gpus)
        ]
        if recipe is None:
            alike = [other for other in of_rule if _kinds(other.job) == _kinds(job)]
            return self._of(alike, images, "")
        own = json.loads(json.dumps(recipe.model_dump(), default=str))
        same = [other for other in of_rule if _without_epochs(other.time.recipe) == _without_epochs(own)]
        if same:
            return self._of(same, images, ", by the same recipe")
        near = [other for other in of_rule if _network(other.time.recipe, job) == _network(own, job)]
        return self._of(near, images, ", by other recipes of the same network")

    def _of(self, alike: list[Measured], images: int | None, by: str) -> Rate | None:
        if not alike:
            return None
        counted = [(n, other) for other in alike if other.seconds > 0 and (n := self._images(other))]
        if images and counted:
            # starting up costs the same for few images as for many: jobs of about as many say the most
            apart = [abs(log(n / images)) for n, _ in counted]
            near = [pair for pair, far in zip(counted, apart, strict=True) if far <= min(apart) + SAME_SIZE]
            # of one device: a job on several is taken to be as many times as fast
            rates = [n / (other.seconds * max(1, other.time.gpus)) for n, other in near]
            return Rate(median(rates), "measured here", _words([other for _, other in near], by))
        return Rate(None, "measured here", _words(alike, by), job_seconds=median(other.seconds for other in alike))

    def _images(self, other: Measured) -> float | None:
        """That passed through a job: a training's by the epochs that it had then."""
        images, recipe = self.work.images(other.job), self.work.recipe(other.job)
        if images is None or recipe is None or other.job.rule != "train":
            return images
        return images * other.time.recipe.get("epochs", recipe.epochs) / recipe.epochs


def measured_jobs(registry: Registry, files: Files, work: Work) -> MeasuredJobs:
    """Read what was measured of a screen."""
    times = read_times(Path(files.benchmarks()), Path(files.times()))
    run_folders = run_folders_by_path(registry) if times else {}
    return MeasuredJobs([_measured(time, files, run_folders) for time in times], work)


def _measured(time: JobTime, files: Files, run_folders: RunFoldersByPath) -> Measured:
    products = tuple(Product(*product) for product in time.products)  # type: ignore[arg-type]
    job = Job(rule_of_form(time.rule), with_run(time.wildcards, run_folders), products)
    seconds = time.seconds
    if job.rule == "train":
        # of a training that was interrupted, the time is that of its last attempt; its record has that of all epochs
        with suppress(OSError, ValueError, KeyError, TypeError):
            folder = files.run(job.wildcards["method"], job.wildcards["split"], job.wildcards["seed"])
            seconds = max(seconds, float(json.loads(Path(folder, "recipe.json").read_text())["wall_seconds"]))
    return Measured(job, time, seconds)


def _words(jobs: list[Measured], by: str) -> str:
    dates = sorted(other.time.ended[:10] for other in jobs)
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    count = f"{len(jobs)} jobs" if len(jobs) > 1 else "one job"
    return f"median of {count} of this screen{by}, start-up included, {when}".replace("median of one", "one")


def _kinds(job: Job) -> list[str]:
    """What a job makes, under whichever statistics; probes make one thing, and their times do not name it."""
    return (
        []
        if job.rule in ("probe_run", "probe_training_side", "readout_run", "task_run")
        else sorted(product.kind for product in job.products)
    )


def _without_epochs(recipe: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key != "epochs"}


def _network(recipe: dict[str, Any], job: Job) -> list[Any]:
    """What decides how fast a network is: trained, also its kind of objective, some of which see an image twice."""
    objective = recipe.get("objective") or {}
    return [*(recipe.get(key) for key in NETWORK), objective.get("kind") if job.rule == "train" else None]
