"""The arithmetic of training: what a recipe asks for, and what the device computes in hardware."""

import logging

import torch

from debatch.config.recipe import Arithmetic, Precision
from debatch.config.throughput import BFLOAT16_CAPABILITY
from debatch.runtime.processor import this_processor

log = logging.getLogger(__name__)


def arithmetic(asked: Precision, device: torch.device) -> Arithmetic:
    """What a device trains in: as asked for; under `auto` bfloat16 on a GPU that computes it in hardware, else float32.

    On processors with bfloat16 units float32 is taken too: there it gains a third at most, and with float32 all
    processors come to nearly the same numbers.
    """
    if asked == "auto":
        return "bfloat16" if device.type == "cuda" and _computes_bfloat16(device) else "float32"
    if asked == "bfloat16" and not _computes_bfloat16(device):
        log.warning(
            "`precision: bfloat16` on a %s without units for it: about ten times slower than float32; leave "
            "`precision` out (or say auto) to train in float32",
            "GPU" if device.type == "cuda" else "processor",
        )
    return asked


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return major + minor / 10 >= BFLOAT16_CAPABILITY
    return this_processor().computes_bfloat16
