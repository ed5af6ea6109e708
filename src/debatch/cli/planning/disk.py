"""How much disk the jobs of a plan fill."""

from dataclasses import dataclass
from math import prod

from debatch.cli.planning.dry_run import Job
from debatch.cli.planning.networks import FLOAT32, weight_bytes
from debatch.cli.planning.sizes import ScreenSize
from debatch.cli.planning.work import weight_sets
from debatch.config.splits import Split
from debatch.config.throughput import Throughput
from debatch.registry import Registry
from debatch.screen.nouns import stored_noun

# copies of the weights that an optimizer keeps beside them
STATE = {"sgd": 1, "adamw": 2}


@dataclass(frozen=True)
class Room:
    """What some files take.

    Attributes:
        what: the files.
        size: bytes; None: not known.
        words: how that comes about.
    """

    what: str
    size: float | None
    words: str


def disk(jobs: list[Job], registry: Registry, size: ScreenSize, throughput: Throughput, gpus: int) -> list[Room]:
    """Stores, weights, snapshots, checkpoints and embeddings that jobs write. Tables, figures and logs are small.

    Args:
        jobs: still to be run.
        registry: of the screen.
        size: of the screen.
        throughput: codecs, and networks that were counted.
        gpus: trainings that run at once, each with its checkpoints.
    """
    rooms = []
    experiments = [job.wildcards["experiment"] for job in jobs if job.rule == "ingest_experiment"]
    if experiments:
        rooms.append(_stores(experiments, registry, size, throughput))
    trainings = [(job.wildcards["method"], job.wildcards["split"]) for job in jobs if job.rule == "train"]
    if trainings:
        rooms += _weights(trainings, registry, size, throughput, gpus)
    embeddings = [(job, kind) for job in jobs for kind in _embedded(job)]
    if embeddings:
        rooms.append(_embeddings(embeddings, registry, size))
    return rooms


def _stores(experiments: list[str], registry: Registry, size: ScreenSize, throughput: Throughput) -> Room:
    store = registry.screen.store
    codec = next((entry for entry in throughput.codecs if entry.codec == store.codec), None)
    images = [size.by_experiment.get(experiment) for experiment in experiments]
    if size.shape is None or None in images:
        return Room("stores", None, size.basis)
    raw = sum(n for n in images if n is not None) * prod(size.shape) * (1 if store.dtype == "uint8" else 2)
    what = (
        f"{stored_noun(registry.screen).many} of {' x '.join(map(str, size.shape))} {store.dtype}, {size.shape_basis}"
    )
    if codec is None:
        return Room("stores", raw, f"{what}; nothing is known of {store.codec}: counted without compression")
    words = (
        f"{what}; {store.codec}: {100 * codec.share_of_raw:g} % of that, as measured on {codec.note}, "
        f"{codec.date.isoformat()}, {codec.script}"
    )
    return Room("stores", raw * codec.share_of_raw, words)


def _weights(
    trainings: list[tuple[str, str]], registry: Registry, size: ScreenSize, throughput: Throughput, gpus: int
) -> list[Room]:
    sizes = {run: weight_bytes(registry.recipes[run[0]], size, run[1], throughput) for run in dict.fromkeys(trainings)}
    known = [n for run in trainings if (n := sizes[run]) is not None]
    if len(known) < len(trainings):
        unknown = sorted({registry.recipes[method].backbone for (method, _), n in sizes.items() if n is None})
        words = f"{', '.join(unknown)} cannot be built here: its parameters are not known"
        return [Room(what, None, words) for what in ("weights", "snapshots", "checkpoints, while they train")]
    heads = "with its heads" if size.classes else "without a class head: the classes are not known yet"
    kept = sum(
        n * (weight_sets(registry.recipes[method], Split.named(split).keeps_snapshots) - 1)
        for n, (method, split) in zip(known, trainings, strict=True)
    )
    peak = sorted(
        (
            n * 2 * (1 + STATE[registry.recipes[method].optimizer])
            for n, (method, _) in zip(known, trainings, strict=True)
        ),
        reverse=True,
    )
    at_once = min(gpus, len(peak))
    return [
        Room("weights", sum(known), f"{len(known)} x {max(known) / 1e6:,.1f} MB at most, float32, {heads}"),
        Room("snapshots", kept, "weights on the way, for accuracy while training; `snapshot_every: 0` keeps none"),
        Room(
            "checkpoints, while they train",
            sum(peak[:at_once]),
            f"of {at_once} at once: weights and optimizer, the last two checkpoints; gone when a run is done",
        ),
    ]


def _embedded(job: Job) -> list[str]:
    """The kinds of embeddings that a job writes, a file each."""
    if job.rule == "embed_screen":
        return ["view"]
    return [product.kind for product in job.products if product.kind in ("view", "training", "corrected")]


def _embeddings(written: list[tuple[Job, str]], registry: Registry, size: ScreenSize) -> Room:
    total, unknown = 0, 0
    for job, kind in written:
        method = job.wildcards.get("method")
        rows = _rows(kind, job.wildcards.get("split"), size)
        recipe = registry.model.recipe if registry.model and method is None else registry.recipes.get(method or "")
        if rows is None or recipe is None:
            unknown += 1
        else:
            total += rows * recipe.embedding_width * FLOAT32
    many = stored_noun(registry.screen).many
    words = f"{len(written)} files: {many} x width x 4 bytes, before Parquet's compression"
    if unknown == len(written):
        return Room("embeddings", None, f"{len(written)} files; their {many} or width are not known yet")
    return Room("embeddings", total, words + (f"; {unknown} of them not known and not counted" if unknown else ""))


def _rows(kind: str, split: str | None, size: ScreenSize) -> int | None:
    if split is None:
        return size.images
    known = size.split(split)
    if known is None:
        return None
    return known.train if kind == "training" else known.scored
