"""How fast work goes: what was measured, and what is estimated by an assumption that is written down."""

import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field

from debatch.config.base import Section
from debatch.config.read import read_model

Work = Literal["train", "embed", "ingest"]
Precision = Literal["bfloat16", "float32"]


class Measured(Section):
    """A rate that a script measured."""

    what: Work = Field(description="train: whole optimizer steps; embed: forward passes; ingest: raw files to a store.")
    backbone: str | None = Field(None, description="Network; null where there is none.")
    pixels: int = Field(ge=1, description="Side of the images.")
    channels: int = Field(ge=1, description="Channels of an image.")
    precision: Precision | None = Field(None, description="Arithmetic; null where there is none.")
    device: str = Field(description="Hardware: the processor's or the GPU's name.")
    threads: int | None = Field(None, ge=1, description="CPU threads of one job; null: on a GPU.")
    images_per_second: float = Field(gt=0, description="Images a second of one job.")
    date: datetime.date = Field(description="When it was measured.")
    script: str = Field(description="What measured it.")
    note: str = Field("", description="What else to know of it.")


class NetworkSize(Section):
    """What an image costs in a network, counted and not timed."""

    backbone: str = Field(description="`small_resnet`, or a timm model.")
    pixels: int = Field(ge=1, description="Side of the images that it was counted for.")
    channels: int = Field(ge=1, description="Channels of those images.")
    parameters: int = Field(ge=1, description="Parameters and batch-norm statistics of the backbone: what is saved.")
    features: int = Field(ge=1, description="Pooled features that the backbone gives.")
    forward_gflop: float = Field(
        gt=0, description="GFLOP of an image's forward pass; a multiplication and addition: 2."
    )
    step_gflop: float = Field(gt=0, description="GFLOP of an image's forward and backward pass.")
    date: datetime.date = Field(description="When it was counted.")
    script: str = Field(description="What counted it.")


class Gpu(Section):
    """The most that a GPU could do, by its maker's data sheet."""

    bfloat16_tflops: float = Field(gt=0, description="Dense bfloat16 tensor TFLOP/s, without sparsity.")
    float32_tflops: float = Field(gt=0, description="Plain float32 TFLOP/s, no tensor cores.")
    source: str = Field(description="Where the numbers stand.")


class Estimate(Section):
    """A share of a GPU's peak that is assumed where nothing was measured."""

    what: Literal["train", "embed"] = Field(description="train: whole optimizer steps; embed: forward passes.")
    backbone: str = Field(description="Network, or a shell pattern; the first entry that fits counts.")
    share_of_peak: float = Field(gt=0, le=1, description="Share of the GPU's peak that is assumed to be reached.")
    precision: Precision = Field(description="Which peak: that of the arithmetic used.")
    assumption: str = Field(description="Why, in a sentence.")


class Codec(Section):
    """How small a store gets."""

    codec: Literal["lz4", "zstd", "none"] = Field(description="As in the screen's `store.codec`.")
    share_of_raw: float = Field(gt=0, le=1, description="Bytes on disk over bytes of the pixel values.")
    date: datetime.date = Field(description="When it was measured.")
    script: str = Field(description="What measured it.")
    note: str = Field(description="On which images.")


class Throughput(Section):
    """`config/throughput.yaml`."""

    measured: list[Measured] = Field(description="Rates that a script measured.")
    networks: list[NetworkSize] = Field(description="Networks, counted.")
    gpus: dict[str, Gpu] = Field(description="GPUs by name; the first is the default of a screen that trains on one.")
    estimates: list[Estimate] = Field(description="What is assumed of GPUs where nothing was measured.")
    codecs: list[Codec] = Field(description="Compression of the stores.")

    def network(self, backbone: str, pixels: int, channels: int) -> NetworkSize | None:
        """A backbone's count, of the size nearest to the one asked for; None where it was never counted."""
        known = [network for network in self.networks if network.backbone == backbone]
        return min(known, key=lambda n: (abs(n.channels - channels), abs(n.pixels - pixels)), default=None)

    def estimate(self, what: str, backbone: str) -> Estimate | None:
        """The first assumption that fits."""
        fits = (e for e in self.estimates if e.what == what and fnmatchcase(backbone, e.backbone))
        return next(fits, None)

    def devices(self) -> list[str]:
        """Hardware that something is known of, GPUs first."""
        return list(dict.fromkeys([*self.gpus, *(entry.device for entry in self.measured)]))


def read_throughput(base: Path) -> Throughput:
    """`config/throughput.yaml` of the working directory, or the one beside the workflow.

    Raises:
        ConfigError: a wrong key or value.
    """
    own = Path("config/throughput.yaml")
    return read_model(Throughput, own if own.exists() else base / own)
