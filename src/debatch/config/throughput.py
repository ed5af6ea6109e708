"""How fast work goes: what was measured, and what is estimated by an assumption that is written down."""

import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from debatch.config.backbones import Backbone
from debatch.config.base import Section
from debatch.config.images import Compression
from debatch.config.read import nearest, read_model
from debatch.config.recipe import Arithmetic, Precision

Work = Literal["train", "embed", "ingest"]
# as Linux calls them; those that a convolution or a product of matrices runs faster by
InstructionSet = Literal["avx2", "avx512f", "avx512_bf16", "amx_bf16", "sve", "bf16"]
INSTRUCTION_SETS: tuple[InstructionSet, ...] = get_args(InstructionSet)
BFLOAT16_UNITS = {"avx512_bf16", "amx_bf16", "bf16"}
# CUDA's compute capability from which tensor cores multiply bfloat16 (Ampere)
BFLOAT16_CAPABILITY = 8.0

PROCESSORS_ARE_TOLD_APART = (
    "a processor's name does not say how fast it is (two generations of one name differ by three), so each device of "
    "`measured` is a key of `processors` or `gpus`. On the machine that was measured, run `python "
    "benchmarks/throughput.py processor` and put what it prints into this file; then its key is the `device` of the "
    "entries measured there. Each of `gpus` states its `compute_capability`. The shipped config/throughput.yaml shows "
    "both"
)


class Processor(Section):
    """What decides how fast a CPU computes. The name alone does not: generations share it."""

    name: str = Field(description="What it calls itself.")
    vendor: str | None = Field(None, description="Its maker, as it says itself (GenuineIntel); null: not known.")
    family: int | None = Field(None, description="Its family, whose numbers are the maker's; null: not known.")
    model: int | None = Field(None, description="Its model within the family; null: not known.")
    instructions: tuple[InstructionSet, ...] = Field(
        strict=False, description="Instruction sets that it has, of those that arithmetic gets faster by."
    )

    @property
    def computes_bfloat16(self) -> bool:
        """Whether it multiplies bfloat16 in hardware."""
        return not BFLOAT16_UNITS.isdisjoint(self.instructions)

    @property
    def words(self) -> str:
        """All of it in a line, for people and records."""
        family = "family not known" if self.family is None else f"family {self.family}"
        model = "model not known" if self.model is None else f"model {self.model}"
        sets = ", ".join(self.instructions) or "none of " + ", ".join(INSTRUCTION_SETS)
        return f"{self.name} ({self.vendor or 'maker not known'}, {family}, {model}; {sets})"

    def is_as_fast_as(self, other: "Processor") -> bool:
        """Whether both are of one make. Where family and model are not known, whole names must agree, as Apple's do."""
        mine, theirs = ((p.vendor, p.family, p.model, set(p.instructions)) for p in (self, other))
        named = None not in mine or (self.vendor is not None and self.name == other.name)
        return named and mine == theirs

    def difference(self, other: "Processor") -> tuple[int, bool, int]:
        """How far two are apart, to sort by: instruction sets that one has alone, the maker, the family."""
        sets = len(set(self.instructions) ^ set(other.instructions))
        return sets, self.vendor != other.vendor, abs((self.family or 0) - (other.family or 0))


class Measured(Section):
    """A rate that a script measured."""

    what: Work = Field(description="train: whole optimizer steps; embed: forward passes; ingest: raw files to a store.")
    backbone: Backbone | None = Field(None, description="Network; null where there is none.")
    pixels: int = Field(ge=1, description="Side of the images.")
    channels: int = Field(ge=1, description="Channels of an image.")
    precision: Arithmetic | None = Field(None, description="Arithmetic; null where there is none.")
    device: str = Field(description="Hardware: a key of `processors` or of `gpus`.")
    threads: int | None = Field(None, ge=1, description="CPU threads of one job; null: on a GPU.")
    images_per_second: float = Field(gt=0, description="Images a second of one job.")
    date: datetime.date = Field(description="When it was measured.")
    script: str = Field(description="What measured it.")
    note: str = Field("", description="What else to know of it.")


class NetworkSize(Section):
    """What an image costs in a network, counted and not timed."""

    backbone: Backbone = Field(description="`small_resnet`, or a timm model.")
    pixels: int = Field(ge=1, description="Side of the images that it was counted for.")
    channels: int = Field(ge=1, description="Channels of those images.")
    embedding_width: int | None = Field(None, ge=2, description="Of the network that `parameters` were counted of.")
    parameters: int | None = Field(
        None,
        ge=1,
        description="Parameters and batch-norm statistics of backbone and neck, without the heads: what is saved. "
        "Null: `debatch plan` builds the network and counts, which takes seconds.",
    )
    forward_gflop: float = Field(
        gt=0, description="GFLOP of an image's forward pass; a multiplication and addition: 2."
    )
    step_gflop: float = Field(gt=0, description="GFLOP of an image's forward and backward pass.")
    date: datetime.date = Field(description="When it was counted.")
    script: str = Field(description="What counted it.")


class Gpu(Section):
    """What a GPU computes in hardware, and the most that it could do, by its maker's data sheet."""

    driver_names: list[str] = Field([], description="What the driver calls it, and torch.cuda.get_device_name.")
    compute_capability: float = Field(
        gt=0, description="CUDA's: from 8.0 on it computes bfloat16 in hardware, and training does by default."
    )
    bfloat16_tflops: float | None = Field(
        gt=0, description="Dense bfloat16 tensor TFLOP/s, without sparsity; null: not known, nothing is estimated."
    )
    float32_tflops: float | None = Field(gt=0, description="Plain float32 TFLOP/s, no tensor cores; null: not known.")
    source: str = Field(description="Where the numbers stand.")

    def arithmetic(self, asked: Precision) -> Arithmetic:
        """What it trains in."""
        own: Arithmetic = "bfloat16" if self.compute_capability >= BFLOAT16_CAPABILITY else "float32"
        return own if asked == "auto" else asked


class Estimate(Section):
    """A share of a GPU's peak that is assumed where nothing was measured."""

    what: Literal["train", "embed"] = Field(description="train: whole optimizer steps; embed: forward passes.")
    backbone: str = Field(description="Network, or a shell pattern; the first entry that fits counts.")
    share_of_peak: float = Field(gt=0, le=1, description="Share of the GPU's peak that is assumed to be reached.")
    precision: Arithmetic = Field(description="The arithmetic that it is of, and whose peak is meant.")
    assumption: str = Field(description="Why, in a sentence.")


class Codec(Section):
    """How small a store gets."""

    codec: Compression = Field(description="As in the screen's `store.codec`.")
    share_of_raw: float = Field(gt=0, le=1, description="Bytes on disk over bytes of the pixel values.")
    date: datetime.date = Field(description="When it was measured.")
    script: str = Field(description="What measured it.")
    note: str = Field(description="On which images.")


class Throughput(Section):
    """`config/throughput.yaml`."""

    processors: dict[str, Processor] = Field(
        description="CPUs that something was measured on, each under a name of your choice."
    )
    measured: list[Measured] = Field(description="Rates that a script measured.")
    networks: list[NetworkSize] = Field(description="Networks, counted.")
    gpus: dict[str, Gpu] = Field(description="GPUs by name; the first is the default of a screen that trains on one.")
    estimates: list[Estimate] = Field(description="What is assumed of GPUs where nothing was measured.")
    codecs: list[Codec] = Field(description="Compression of the stores.")

    def network(self, backbone: str, pixels: int, channels: int) -> NetworkSize | None:
        """A backbone's count, of the size nearest to the one asked for; None where it was never counted."""
        known = [network for network in self.networks if network.backbone == backbone]
        return min(known, key=lambda n: (abs(n.channels - channels), abs(n.pixels - pixels)), default=None)

    def estimate(self, what: str, backbone: str, precision: Arithmetic) -> Estimate | None:
        """The first assumption that fits."""
        fits = (
            entry
            for entry in self.estimates
            if (entry.what, entry.precision) == (what, precision) and fnmatchcase(backbone, entry.backbone)
        )
        return next(fits, None)

    def devices(self) -> list[str]:
        """Hardware that something is known of, GPUs first."""
        return [*self.gpus, *self.processors]

    @model_validator(mode="before")
    @classmethod
    def _tells_processors_apart(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("measured") and "processors" not in data:
            raise ValueError(PROCESSORS_ARE_TOLD_APART)
        return data

    @model_validator(mode="after")
    def _devices_are_known(self) -> "Throughput":
        known = self.devices()
        for at, entry in enumerate(self.measured):
            if entry.device not in known:
                raise ValueError(
                    f"`measured.{at}.device`: no processor and no GPU has the key {entry.device!r}"
                    f"{nearest(entry.device, known)}; {PROCESSORS_ARE_TOLD_APART}"
                )
        twice = {key.lower() for key in self.gpus} & {key.lower() for key in self.processors}
        if twice:
            raise ValueError(f"`processors`: {min(twice)!r} is a GPU's key too: rename one of them")
        return self


def read_throughput(base: Path) -> Throughput:
    """`config/throughput.yaml` of the working directory, or the one beside the workflow.

    Raises:
        ConfigError: a wrong key or value.
    """
    own = Path("config/throughput.yaml")
    return read_model(Throughput, own if own.exists() else base / own)
