"""The hardware that hours are meant for, and whose rates serve where nothing was measured of it."""

from dataclasses import dataclass

from debatch.config.read import nearest
from debatch.config.recipe import Arithmetic, Precision
from debatch.config.throughput import Processor, Throughput
from debatch.errors import ConfigError
from debatch.registry import Registry


@dataclass(frozen=True)
class Hardware:
    """A GPU or a processor.

    Attributes:
        name: its key in config/throughput.yaml; of a processor that has none, its own words.
        throughput: what is known.
        here: this machine's processor.
        target: the processor that is meant; on a GPU, that which ingestion is meant for.
        gpu: whether it is a GPU.
        devices: keys whose rates of networks serve, the first that has one before the others.
        processors: keys whose rates of ingestion serve, likewise.
    """

    name: str
    throughput: Throughput
    here: Processor
    target: Processor
    gpu: bool
    devices: tuple[str, ...]
    processors: tuple[str, ...]

    @property
    def words(self) -> str:
        """For people."""
        return self.name if self.gpu else self.target.words

    def words_of(self, device: str) -> str:
        """A key of config/throughput.yaml, for people."""
        known = self.throughput.processors.get(device)
        return f"{device}: {known.words}" if known else device

    def arithmetic(self, asked: Precision) -> Arithmetic:
        """What a recipe is trained in."""
        if self.gpu:
            return self.throughput.gpus[self.name].arithmetic(asked)
        return "float32" if asked == "auto" else asked

    def computes_alike(self, device: str, precision: Arithmetic) -> bool:
        """Whether its rate says anything of this hardware's: bfloat16 without units is slower by ten and more."""
        known = self.throughput.processors.get(device)
        return precision == "float32" or not known or known.computes_bfloat16 == self.target.computes_bfloat16

    def elsewhere(self, device: str) -> Processor | None:
        """The processor of a key where it is not this machine's; None of GPUs, which this machine need not have."""
        known = self.throughput.processors.get(device)
        return known if known and not known.is_as_fast_as(self.here) else None


def chosen_hardware(throughput: Throughput, registry: Registry, name: str | None, here: Processor) -> Hardware:
    """The hardware that hours are meant for.

    Args:
        throughput: what is known.
        registry: the first GPU is the default of a screen that trains on one; of one that does not, this processor:
            its own rates, and those of the processor most like it where it has none.
        name: what the user asked for: then its own rates alone.
        here: this machine's processor.

    Raises:
        ConfigError: nothing is known of it.
    """
    known = throughput.devices()
    if name is not None:
        found = next((device for device in known if device.lower() == name.lower()), None)
        if found is None:
            raise ConfigError(f"--device: config/throughput.yaml knows no {name!r}{nearest(name, known)}")
    else:
        found = next(iter(throughput.gpus), None) if registry.screen.compute.gpus else None
    target = throughput.processors.get(found or "", here)
    alike = sorted(
        throughput.processors,
        key=lambda key: (
            key != found,
            not throughput.processors[key].is_as_fast_as(target),
            throughput.processors[key].difference(target),
        ),
    )
    if found is not None:
        return Hardware(found, throughput, here, target, found in throughput.gpus, (found,), tuple(alike))
    own = next((key for key in alike if throughput.processors[key].is_as_fast_as(here)), here.words)
    return Hardware(own, throughput, here, here, False, tuple(alike), tuple(alike))
