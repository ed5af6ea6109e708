"""What the jobs of a plan cost: images and hours."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from debatch.cli.planning.dry_run import Job
from debatch.cli.planning.hardware import Hardware
from debatch.cli.planning.measured import MeasuredJobs
from debatch.cli.planning.rates import Rate, ingestion_rate, network_rate
from debatch.cli.planning.work import EMBEDDING_RULES, Work
from debatch.config.throughput import Throughput
from debatch.files import Kind, Product
from debatch.registry.products import BY_STATISTICS

# what embeddings are called that are not of test images under some test-time statistics
WORDS: dict[Kind, str] = {"training": "training images", "epochs": "while training", "adaptation": "many statistics"}


@dataclass(frozen=True)
class Line:
    """Jobs of one rule that cost alike, or jobs that have no figure.

    Attributes:
        rule: its name.
        method: that is trained or embedded; empty for other rules.
        split: of the runs; empty for rules that are of none.
        statistics: the test-time statistics that one job embeds under; else empty.
        jobs: how many.
        images: that pass through each; None: not known, or the rule reads none.
        rate: of one job; None: the rule has no figure.
        seconds: of each, over all its devices; None: not known.
        devices: that share a job: it is taken to be as many times as fast.
        why_no_images: why it is not known how many pass through each; empty where it is, or the rule reads none.
    """

    rule: str
    method: str
    split: str
    statistics: str
    jobs: int
    images: int | None = None
    rate: Rate | None = None
    seconds: float | None = None
    devices: int = 1
    why_no_images: str = ""

    @property
    def lacks_rate(self) -> bool:
        """Whether the rule has figures, and none for these jobs."""
        return self.rate is not None and self.rate.images_per_second is None and self.rate.job_seconds is None

    @property
    def why_unknown(self) -> str:
        """Why its time is not known; empty where it is, and where the rule has no figure."""
        if self.rate is None or self.seconds is not None:
            return ""
        reasons = (self.rate.words if self.lacks_rate else "", self.why_no_images)
        return "; ".join(reason for reason in reasons if reason)

    @property
    def wall_seconds(self) -> float | None:
        """Of one job."""
        return None if self.seconds is None else self.seconds / self.devices

    @property
    def total_seconds(self) -> float | None:
        """Of all its jobs."""
        return None if self.seconds is None else self.jobs * self.seconds


@dataclass(frozen=True)
class Pricing:
    """What jobs are priced by.

    Attributes:
        work: of a job, in images.
        throughput: what was measured, counted and assumed of hardware.
        hardware: that hours are meant for.
        measured: what this screen's own jobs took, which comes before what is known of hardware; None: of no interest.
    """

    work: Work
    throughput: Throughput
    hardware: Hardware
    measured: MeasuredJobs | None = None

    def lines(self, jobs: list[Job]) -> list[Line]:
        """The bill: rules in Snakemake's order, a line each split, method and set of products."""
        alike: dict[tuple[str, str, str, tuple[Product, ...]], list[Job]] = {}
        for job in jobs:
            alike.setdefault((job.rule, *_kind(job)), []).append(job)
        registry = self.work.registry
        rules, splits = list(dict.fromkeys(job.rule for job in jobs)), ["", *registry.split_names]
        methods = ["", *registry.recipes]
        ordered = sorted(
            alike.items(),
            key=lambda item: (rules.index(item[0][0]), splits.index(item[0][2]), methods.index(item[0][1]), item[0][3]),
        )
        found = []
        for (rule, method, split, products), group in ordered:
            counted = [(job, self.work.images(job)) for job in group]
            words = ", ".join(dict.fromkeys(WORDS.get(p.kind, p.statistics) for p in products))
            statistics = (words or "all images") if rule in EMBEDDING_RULES else ""
            # those that are not known are a line of their own: the others count all the same
            parts = [pair for pair in counted if pair[1] is not None], [pair for pair in counted if pair[1] is None]
            found += [self._line((rule, method, split, statistics), part) for part in parts if part]
        return found

    def _line(self, of: tuple[str, str, str, str], counted: list[tuple[Job, int | None]]) -> Line:
        """Jobs that cost alike: either the images of all of them are known or of none."""
        job, known = counted[0][0], [n for _, n in counted if n is not None]
        each = round(sum(known) / len(known)) if known else None
        rate = self._rate(job, each)
        devices = max(1, self.work.registry.devices(job.wildcards["method"])) if job.rule == "train" else 1
        seconds = rate.seconds(each, devices) if rate else None
        why = self.work.why_unknown(job) if each is None else ""
        return Line(*of, len(counted), each, rate, seconds, devices, why)

    def _rate(self, job: Job, images: int | None) -> Rate | None:
        here = self.measured.rate(job, images) if self.measured else None
        if here:
            return here
        screen, size = self.work.registry.screen, self.work.size
        if job.rule == "ingest_experiment":
            if size.shape is None:
                return Rate(None, "unknown", "the size of its images is not known")
            pixels = size.shape[1] * screen.image.tiles * screen.image.downsample
            return ingestion_rate(self.throughput, pixels, size.shape[0], self.hardware, screen.compute.ingest_threads)
        recipe = self.work.recipe(job)
        if recipe is None:
            return None
        channels = len(recipe.channels) if recipe.channels else size.shape[0] if size.shape else 0
        what: Literal["train", "embed"] = "train" if job.rule == "train" else "embed"
        return network_rate(self.throughput, what, recipe, channels, self.hardware, screen.compute.threads)


def _kind(job: Job) -> tuple[str, str, tuple[Product, ...]]:
    """What jobs of a rule that cost alike have in common: method, split, products."""
    method, split = job.wildcards.get("method", ""), job.wildcards.get("split", "")
    if job.rule == "train" or job.rule in EMBEDDING_RULES:
        return method, split, job.products
    if job.rule in BY_STATISTICS:
        # whichever method they are of, and under whichever statistics
        return "", split, tuple(Product(product.kind) for product in job.products)
    return "", "", ()


def wall_seconds(lines: Iterable[Line], gpus: int) -> tuple[float | None, float | None]:
    """The least time that training and embedding take, and the longest chain of one run.

    Args:
        lines: of the bill.
        gpus: jobs that run at once.

    Returns:
        Both None where a line is not known: leave such out for what the others take at least.
    """
    priced = [line for line in lines if line.rule == "train" or line.rule in EMBEDDING_RULES]
    if not priced or any(line.seconds is None for line in priced):
        return None, None
    total = sum(line.total_seconds or 0.0 for line in priced)
    longest = {True: 0.0, False: 0.0}
    for line in priced:
        longest[line.rule == "train"] = max(longest[line.rule == "train"], line.wall_seconds or 0.0)
    chain = longest[True] + longest[False]
    return max(total / gpus, chain), chain
