"""How fast a job would be: measured here or on some hardware, or estimated by an assumption, or unknown."""

from dataclasses import dataclass
from typing import Literal

from debatch.cli.planning.hardware import Hardware
from debatch.config import Recipe
from debatch.config.recipe import Arithmetic
from debatch.config.throughput import Measured, NetworkSize, Processor, Throughput


@dataclass(frozen=True)
class Rate:
    """Images a second of one job, and how that is known.

    Attributes:
        images_per_second: None where it is not known.
        basis: of the number: jobs of this screen, a benchmark on some hardware, an assumption.
        words: hardware, date and script of what was measured; the assumption of an estimate.
        elsewhere: the processor that it was measured on, where that is another machine's than this one's.
        job_seconds: of a job whose images are not known, or that looks at none; None: not known.
    """

    images_per_second: float | None
    basis: Literal["measured here", "measured", "estimate", "unknown"]
    words: str
    elsewhere: Processor | None = None
    job_seconds: float | None = None

    def seconds(self, images: float | None, devices: int = 1) -> float | None:
        """How long a job of some images takes, over all devices that share it; None where that is not known."""
        if images is None or self.images_per_second is None:
            return None if self.job_seconds is None else self.job_seconds * devices
        return images / self.images_per_second


def network_rate(
    throughput: Throughput,
    what: Literal["train", "embed"],
    recipe: Recipe,
    channels: int,
    hardware: Hardware,
    threads: int,
) -> Rate:
    """The rate of training or of forward passes.

    Args:
        throughput: what is known.
        what: training is in the arithmetic that the hardware takes for the recipe, embedding in float32.
        recipe: its backbone and pixels.
        channels: of an image.
        hardware: that it is for.
        threads: CPU threads of a job.
    """
    precision = hardware.arithmetic(recipe.precision) if what == "train" else "float32"
    wanted = (recipe.side, channels)
    counted = throughput.network(recipe.backbone, *wanted)
    for device in hardware.devices:
        if not hardware.computes_alike(device, precision):
            continue
        entries = [
            entry
            for entry in throughput.measured
            if (entry.what, entry.backbone, entry.precision, entry.device) == (what, recipe.backbone, precision, device)
        ]
        entries.sort(
            key=lambda e: (
                (e.pixels, e.channels) != wanted,
                abs((e.threads or 0) - threads),
                abs(e.pixels - recipe.side),
            )
        )
        exact = bool(entries) and (entries[0].pixels, entries[0].channels) == wanted
        if hardware.gpu and counted is not None and not exact:
            peak = _of_peak(throughput, what, precision, counted, recipe.side, device)
            if peak.images_per_second is not None or not entries:
                return peak
        if entries:
            return _of(entries[0], *wanted, hardware)
    return Rate(None, "unknown", _lacking(throughput, what, recipe, precision, hardware))


def _lacking(
    throughput: Throughput, what: Literal["train", "embed"], recipe: Recipe, precision: Arithmetic, hardware: Hardware
) -> str:
    """Why there is no rate of a network, and what would give one."""
    doing = f"{'training' if what == 'train' else 'embedding with'} {recipe.backbone} in {precision}"
    network = f"{recipe.backbone} {recipe.side}"
    measuring = f"`python benchmarks/throughput.py {what} {network}` measures it where it runs"
    if hardware.gpu:  # of work that is counted an assumed share of the GPU's peak gives an estimate
        counting = f"nor was its work counted, as `python benchmarks/throughput.py count {network}` does"
        return f"{doing} was not measured on {hardware.words}, {counting}; {measuring}"
    measured = {
        entry.device
        for entry in throughput.measured
        if (entry.what, entry.backbone, entry.precision) == (what, recipe.backbone, precision)
    }
    if measured & set(hardware.devices):  # of processors whose rates in bfloat16 say nothing of this one's
        units = "without units" if hardware.target.computes_bfloat16 else "with units"
        return f"{doing} was measured on processors {units} for it alone, unlike {hardware.words}; {measuring}"
    where = "any processor" if len(hardware.devices) > 1 else hardware.words
    return f"{doing} was not measured on {where}; {measuring}"


def ingestion_rate(throughput: Throughput, pixels: int, channels: int, hardware: Hardware, threads: int) -> Rate:
    """The rate of reading raw files into a store, on the processor that is nearest to the one that is meant."""
    for device in hardware.processors:
        entries = [entry for entry in throughput.measured if (entry.what, entry.device) == ("ingest", device)]
        if entries:
            entry = min(entries, key=lambda e: (abs(e.pixels - pixels), abs((e.threads or 0) - threads)))
            return _of(entry, pixels, channels, hardware)
    return Rate(None, "unknown", "nothing was measured of ingestion")


def _of(entry: Measured, pixels: int, channels: int, hardware: Hardware) -> Rate:
    """What was measured, scaled by area where it was measured at another size."""
    elsewhere = hardware.elsewhere(entry.device)
    threads = f", {entry.threads} CPU thread{'s' if entry.threads != 1 else ''}" if entry.threads else ""
    note = f"; {entry.note}" if entry.note else ""
    another = "another machine, " if elsewhere else ""
    words = f"{another}{hardware.words_of(entry.device)}{threads}, {entry.date.isoformat()}, {entry.script}{note}"
    if (entry.pixels, entry.channels) == (pixels, channels):
        return Rate(entry.images_per_second, "measured", words, elsewhere)
    values = entry.pixels**2 * entry.channels
    # beyond its first layer a network does not mind channels; a file does
    scale = (entry.pixels / pixels) ** 2 if entry.backbone else values / (pixels**2 * channels)
    size = f"{entry.pixels} px, {entry.channels} channels"
    scaled = f"scaled by an image's size, and no more than that, from what was measured at {size}: {words}"
    return Rate(entry.images_per_second * scale, "estimate", scaled, elsewhere)


def _of_peak(
    throughput: Throughput,
    what: Literal["train", "embed"],
    precision: Arithmetic,
    network: NetworkSize,
    pixels: int,
    device: str,
) -> Rate:
    gpu, assumed = throughput.gpus[device], throughput.estimate(what, network.backbone, precision)
    if assumed is None:
        lacking = f"config/throughput.yaml assumes nothing of {network.backbone} in {precision} on GPUs"
        return Rate(None, "unknown", lacking)
    peak = gpu.bfloat16_tflops if precision == "bfloat16" else gpu.float32_tflops
    if peak is None:
        return Rate(None, "unknown", f"config/throughput.yaml states no peak in {precision} of {device}")
    gflop = (network.step_gflop if what == "train" else network.forward_gflop) * (pixels / network.pixels) ** 2
    scaled = "" if pixels == network.pixels else f" (counted at {network.pixels} px, scaled by area)"
    words = (
        f"{gflop:,.3g} GFLOP an image{scaled} at {100 * assumed.share_of_peak:g} % of {device}'s peak of {peak:,g} "
        f"TFLOP/s in {precision}. {assumed.assumption}"
    )
    return Rate(1000 * assumed.share_of_peak * peak / gflop, "estimate", words)
