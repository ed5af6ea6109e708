"""What the jobs of a plan cost: images, hours, disk."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from debatch.cli.dry_run import Job
from debatch.cli.hardware import Hardware
from debatch.cli.rates import Rate, ingestion_rate, network_rate
from debatch.cli.sizes import ScreenSize, SplitSize
from debatch.config import Recipe, has_unseen_batches
from debatch.config.throughput import Throughput
from debatch.files import Kind, Product
from debatch.registry import Registry
from debatch.registry.products import HALF

EMBEDDING_RULES = ("embed_run", "embed_adaptation", "embed_screen")
# what a look at a run is called beside its test-time statistics
LOOKS: dict[Kind, str] = {"training": "training images", "epochs": "while training", "adaptation": "many statistics"}


@dataclass(frozen=True)
class Line:
    """Jobs of one rule that cost alike, or jobs that have no figure.

    Attributes:
        rule: its name.
        method: that is trained or looked at; empty for other rules.
        split: likewise.
        looked_at: what one job looks at a run under; else empty.
        jobs: how many.
        images: that pass through each; None: not known, or the rule looks at none.
        rate: of one job; None: the rule has no figure.
        seconds: of each, over all its devices; None: not known.
        devices: that share a job: it is taken to be as many times as fast.
    """

    rule: str
    method: str
    split: str
    looked_at: str
    jobs: int
    images: int | None = None
    rate: Rate | None = None
    seconds: float | None = None
    devices: int = 1

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
    """What jobs are priced by."""

    registry: Registry
    size: ScreenSize
    throughput: Throughput
    hardware: Hardware

    def lines(self, jobs: list[Job]) -> list[Line]:
        """The bill: rules in Snakemake's order, a line each split, method and set of looks at a run."""
        kinds = Counter((job.rule, *self._kind(job)) for job in jobs)
        rules, splits = list(dict.fromkeys(job.rule for job in jobs)), ["", *self.registry.split_names]
        methods = ["", *self.registry.recipes]
        ordered = sorted(
            kinds.items(),
            key=lambda item: (rules.index(item[0][0]), splits.index(item[0][2]), methods.index(item[0][1]), item[0][3]),
        )
        ingestions = [job.wildcards["experiment"] for job in jobs if job.rule == "ingest_experiment"]
        found = []
        for (rule, method, split, products), count in ordered:
            if rule == "ingest_experiment":
                images, rate = self._ingestion(ingestions)
            elif rule == "train":
                images, rate = self._training(method, split)
            elif rule in EMBEDDING_RULES:
                images, rate = self._embedding(rule, method, split, products)
            else:
                images, rate = None, None
            seconds = rate.seconds(images) if rate else None
            devices = max(1, self.registry.screen.compute.gpus) if rule == "train" else 1
            looked_at = ", ".join(dict.fromkeys(LOOKS.get(p.kind, p.statistics) for p in products))
            found.append(Line(rule, method, split, looked_at, count, images, rate, seconds, devices))
        return found

    def _kind(self, job: Job) -> tuple[str, str, tuple[Product, ...]]:
        if job.rule == "train" or job.rule in EMBEDDING_RULES:
            return job.wildcards.get("method", ""), job.wildcards.get("split", ""), job.products
        return "", "", ()

    def _ingestion(self, experiments: list[str]) -> tuple[int | None, Rate]:
        shape, image = self.size.shape, self.registry.screen.image
        stored = [self.size.by_experiment.get(experiment) for experiment in experiments]
        if shape is None or None in stored:
            return None, Rate(None, "unknown", self.size.basis)
        pixels = shape[1] * image.tiles * image.downsample
        fields = sum(n or 0 for n in stored) / image.tiles**2
        threads = self.registry.screen.compute.ingest_threads
        rate = ingestion_rate(self.throughput, pixels, shape[0], self.hardware, threads)
        return round(fields / len(experiments)), rate

    def _training(self, method: str, split: str) -> tuple[int | None, Rate]:
        recipe, size = self.registry.recipes[method], self.size.split(split)
        return None if size is None else size.train * recipe.epochs, self._rate("train", recipe)

    def _embedding(self, rule: str, method: str, split: str, products: tuple[Product, ...]) -> tuple[int | None, Rate]:
        if rule == "embed_screen":
            assert self.registry.model is not None
            recipe, images = self.registry.model.recipe, self.size.images
            passes = None if images is None else images * (1 if recipe.inference == "train" else 2)
        else:
            recipe, size = self.registry.recipes[method], self.size.split(split)
            looks = list(products)
            if rule == "embed_adaptation":
                looks = [Product("adaptation", name) for name in self.registry.statistics(method).names]
            passes = None if size is None else sum(forward_passes(look, recipe, size, split) for look in looks)
        return passes, self._rate("embed", recipe)

    def _rate(self, what: Literal["train", "embed"], recipe: Recipe) -> Rate:
        channels = len(recipe.channels) if recipe.channels else self.size.shape[0] if self.size.shape else 0
        threads = self.registry.screen.compute.threads
        return network_rate(self.throughput, what, recipe, channels, self.hardware, threads)


def forward_passes(look: Product, recipe: Recipe, size: SplitSize, split: str) -> int:
    """Images that pass through the network, those that statistics are taken from included; at most so many.

    Args:
        look: what is made, under which test-time statistics.
        recipe: of the run.
        size: of its split.
        split: its name: where batches stand on both sides, a batch's training images give the statistics.
    """
    own, statistics = size.train if look.kind == "training" else size.scored, look.statistics
    if statistics == "train":
        reference = min(recipe.statistics_images, size.train)
    elif statistics == HALF:
        return size.scored  # a half gives statistics to the other, and each image is one or the other
    elif not has_unseen_batches(split) and statistics != "mini_batch":
        reference = size.train
    else:
        reference = own
    return snapshots(recipe, look.kind == "epochs") * (own + reference)


def snapshots(recipe: Recipe, looked_at: bool) -> int:
    """Sets of weights that are looked at: the last, and those that were kept on the way."""
    every = recipe.snapshot_every
    return 1 + ((recipe.epochs - 1) // every if every and looked_at else 0)


def wall_seconds(lines: Iterable[Line], gpus: int) -> tuple[float | None, float | None]:
    """The least time that training and embedding take, and the longest chain of one run.

    Args:
        lines: of the bill.
        gpus: jobs that run at once.

    Returns:
        Both None where a line is not known.
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
