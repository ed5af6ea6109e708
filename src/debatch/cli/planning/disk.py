"""How much disk the jobs of a plan fill."""

from dataclasses import dataclass
from math import prod

from debatch.cli.planning.dry_run import Job
from debatch.cli.planning.networks import FLOAT32, embedding_width, weight_bytes
from debatch.cli.planning.sizes import ScreenSize
from debatch.cli.planning.work import weight_sets
from debatch.config.splits import Split
from debatch.config.throughput import Throughput
from debatch.registry import Registry

# copies of the weights that an optimizer keeps beside them
STATE = {"sgd": 1, "adamw": 2}


@dataclass(frozen=True)
class Room:
    """What some files take.

    Attributes:
        what: the files.
        size: bytes; None: not known.
        words: how that comes about, or why it is not known.
        partial: whether some of the files are not counted.
    """

    what: str
    size: float | None
    words: str
    partial: bool = False


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
        rooms.append(_embeddings(embeddings, registry, size, throughput))
    return rooms


def _stores(experiments: list[str], registry: Registry, size: ScreenSize, throughput: Throughput) -> Room:
    store = registry.screen.store
    codec = next((entry for entry in throughput.codecs if entry.codec == store.codec), None)
    images = [n for experiment in experiments if (n := size.by_experiment.get(experiment)) is not None]
    if size.shape is None or not images:
        return Room("stores", None, size.why_no_images or f"{size.basis} lacks these experiments")
    partial = len(images) < len(experiments)
    raw = sum(images) * prod(size.shape) * (1 if store.dtype == "uint8" else 2)
    what = f"{size.noun.many} of {' x '.join(map(str, size.shape))} {store.dtype}, {size.shape_basis}"
    if partial:
        what += f"; {len(experiments) - len(images)} experiments not counted: {size.basis} lacks them"
    if codec is None:
        return Room("stores", raw, f"{what}; nothing is known of {store.codec}: counted without compression", partial)
    words = (
        f"{what}; {store.codec}: {100 * codec.share_of_raw:g} % of that, as measured on {codec.note}, "
        f"{codec.date.isoformat()}, {codec.script}"
    )
    return Room("stores", raw * codec.share_of_raw, words, partial)


def _weights(
    trainings: list[tuple[str, str]], registry: Registry, size: ScreenSize, throughput: Throughput, gpus: int
) -> list[Room]:
    sizes = {run: weight_bytes(registry.recipes[run[0]], size, run[1], throughput) for run in dict.fromkeys(trainings)}
    unknown = sorted({registry.recipes[method].backbone for (method, _), n in sizes.items() if n is None})
    lacking = f"{', '.join(unknown)} cannot be built here: its parameters are not known" if unknown else ""
    trainings = [run for run in trainings if sizes[run] is not None]
    if not trainings:
        return [Room(what, None, lacking) for what in ("weights", "snapshots", "checkpoints, while they train")]
    known = [n for run in trainings if (n := sizes[run]) is not None]
    partial, without = bool(unknown), f"; not counted: {lacking}" if unknown else ""
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
        Room(
            "weights",
            sum(known),
            f"{len(known)} x {max(known) / 1e6:,.1f} MB at most, float32, {heads}{without}",
            partial,
        ),
        Room(
            "snapshots",
            kept,
            f"weights on the way, for accuracy while training; `snapshot_every: 0` keeps none{without}",
            partial,
        ),
        Room(
            "checkpoints, while they train",
            sum(peak[:at_once]),
            f"of {at_once} at once: weights and optimizer, the last two checkpoints; gone when a run is done{without}",
            partial,
        ),
    ]


def _embedded(job: Job) -> list[str]:
    """The kinds of embeddings that a job writes, a file each."""
    if job.rule == "embed_screen":
        return ["view"]
    return [product.kind for product in job.products if product.kind in ("view", "training", "corrected")]


def _embeddings(written: list[tuple[Job, str]], registry: Registry, size: ScreenSize, throughput: Throughput) -> Room:
    total, unknown, reasons = 0, 0, []
    for job, kind in written:
        method, split = job.wildcards.get("method"), job.wildcards.get("split")
        rows = _rows(kind, split, size)
        recipe = registry.model.recipe if registry.model and method is None else registry.recipes.get(method or "")
        width = embedding_width(recipe, size, throughput) if recipe is not None else None
        if rows is not None and width is not None:
            total += rows * width * FLOAT32
            continue
        unknown += 1
        lacking = size.why_no_images if split is None else size.why_no_split(split)
        reasons.append(lacking if rows is None else "how wide they are is known once they are read")
    many = size.noun.many
    words = f"{len(written)} files: {many} x width x 4 bytes, before Parquet's compression"
    why = "; ".join(dict.fromkeys(reasons))
    if unknown == len(written):
        return Room("embeddings", None, f"{len(written)} files; {why}")
    return Room("embeddings", total, words + (f"; {unknown} not counted: {why}" if unknown else ""), unknown > 0)


def _rows(kind: str, split: str | None, size: ScreenSize) -> int | None:
    if split is None:
        return size.images
    known = size.split(split)
    if known is None:
        return None
    return known.train if kind == "training" else known.scored
