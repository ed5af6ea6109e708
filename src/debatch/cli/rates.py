"""How fast a job would be on some hardware: measured, or estimated by an assumption, or unknown."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from debatch.config import Recipe, Registry
from debatch.config.read import nearest
from debatch.config.throughput import Measured, NetworkSize, Throughput
from debatch.errors import ConfigError


@dataclass(frozen=True)
class Rate:
    """Images a second of one job, and how that is known.

    Attributes:
        images_per_second: None where it is not known.
        basis: of the number.
        words: hardware, date and script of what was measured; the assumption of an estimate.
    """

    images_per_second: float | None
    basis: Literal["measured", "estimate", "unknown"]
    words: str

    def seconds(self, images: float | None) -> float | None:
        """How long some images take; None where the rate or the images are not known."""
        return None if images is None or self.images_per_second is None else images / self.images_per_second


def chosen_device(throughput: Throughput, registry: Registry, name: str | None) -> str:
    """The hardware that hours are meant for.

    Args:
        throughput: what is known.
        registry: the first GPU is the default of a screen that trains on one; of one that does not, this processor, or
            another one where nothing was measured of it.
        name: what the user asked for.

    Raises:
        ConfigError: nothing is known of it.
    """
    known = throughput.devices()
    if name is not None:
        found = next((device for device in known if device.lower() == name.lower()), None)
        if found is None:
            raise ConfigError(f"--device: config/throughput.yaml knows no {name!r}{nearest(name, known)}")
        return found
    if registry.screen.compute.gpus:
        return next(iter(throughput.gpus), processor())
    measured = [entry.device for entry in throughput.measured if entry.threads]
    return processor() if processor() in measured or not measured else measured[0]


def processor() -> str:
    """This machine's, as the kernel calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "this CPU"
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "this CPU")


def network_rate(
    throughput: Throughput, what: Literal["train", "embed"], recipe: Recipe, channels: int, device: str, threads: int
) -> Rate:
    """The rate of training or of forward passes.

    Args:
        throughput: what is known.
        what: training steps are of the recipe's precision, embeddings float32.
        recipe: its backbone and pixels.
        channels: of an image.
        device: hardware by name.
        threads: CPU threads of a job.
    """
    precision = recipe.precision if what == "train" else "float32"
    entries = [
        entry
        for entry in throughput.measured
        if (entry.what, entry.backbone, entry.precision, entry.device) == (what, recipe.backbone, precision, device)
    ]
    wanted = (recipe.pixels, channels)
    entries.sort(
        key=lambda e: ((e.pixels, e.channels) != wanted, abs((e.threads or 0) - threads), abs(e.pixels - recipe.pixels))
    )
    exact = bool(entries) and (entries[0].pixels, entries[0].channels) == wanted
    if exact:
        return Rate(entries[0].images_per_second, "measured", _of(entries[0]))
    network = throughput.network(recipe.backbone, recipe.pixels, channels)
    if device in throughput.gpus and network is not None:
        return _of_peak(throughput, what, network, recipe.pixels, device)
    if entries:
        return _by_area(entries[0], recipe.pixels, channels)
    lacking = f"nothing was measured of {recipe.backbone} on {device}"
    if network is None:
        lacking += ", nor was its work counted (benchmarks/throughput.py count)"
    return Rate(None, "unknown", lacking)


def ingestion_rate(throughput: Throughput, pixels: int, channels: int, threads: int) -> Rate:
    """The rate of reading raw files into a store, whatever the processor: scaled by an image's values."""
    entries = [entry for entry in throughput.measured if entry.what == "ingest"]
    if not entries:
        return Rate(None, "unknown", "nothing was measured of ingestion")
    entry = min(entries, key=lambda e: (abs(e.pixels - pixels), abs((e.threads or 0) - threads)))
    if (entry.pixels, entry.channels) == (pixels, channels):
        return Rate(entry.images_per_second, "measured", _of(entry))
    return _by_area(entry, pixels, channels)


def _of(entry: Measured) -> str:
    threads = f", {entry.threads} CPU thread{'s' if entry.threads != 1 else ''}" if entry.threads else ""
    note = f"; {entry.note}" if entry.note else ""
    return f"{entry.device}{threads}, {entry.date.isoformat()}, {entry.script}{note}"


def _by_area(entry: Measured, pixels: int, channels: int) -> Rate:
    values = entry.pixels**2 * entry.channels
    # beyond its first layer a network does not mind channels; a file does
    scale = (entry.pixels / pixels) ** 2 if entry.backbone else values / (pixels**2 * channels)
    size = f"{entry.pixels} px, {entry.channels} channels"
    return Rate(
        entry.images_per_second * scale,
        "estimate",
        f"scaled by an image's size, and no more than that, from what was measured at {size}: {_of(entry)}",
    )


def _of_peak(
    throughput: Throughput, what: Literal["train", "embed"], network: NetworkSize, pixels: int, device: str
) -> Rate:
    assumed = throughput.estimate(what, network.backbone)
    if assumed is None:
        return Rate(None, "unknown", f"config/throughput.yaml assumes nothing of {network.backbone} on GPUs")
    gpu = throughput.gpus[device]
    peak = gpu.bfloat16_tflops if assumed.precision == "bfloat16" else gpu.float32_tflops
    gflop = (network.step_gflop if what == "train" else network.forward_gflop) * (pixels / network.pixels) ** 2
    scaled = "" if pixels == network.pixels else f" (counted at {network.pixels} px, scaled by area)"
    words = (
        f"{gflop:,.3g} GFLOP an image{scaled} at {100 * assumed.share_of_peak:g} % of {peak:,g} TFLOP/s in "
        f"{assumed.precision} ({device}; {gpu.source}). {assumed.assumption}"
    )
    return Rate(1000 * assumed.share_of_peak * peak / gflop, "estimate", words)
