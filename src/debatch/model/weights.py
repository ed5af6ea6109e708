"""Trained weights on disk: safetensors, so that loading one runs no code of a stranger."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from debatch.errors import DataError
from debatch.tabular import write_atomically


def save_weights(network: torch.nn.Module, path: Path, about: dict[str, str]) -> None:
    """Write a network's parameters and batch-norm statistics."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomically(path, lambda part: save_file(tensors, part, about))


def load_weights(network: torch.nn.Module, path: Path) -> None:
    """Fill a network from a file of `save_weights`.

    Raises:
        DataError: the file is broken, or belongs to another network.
    """
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as trained weights: {error}") from None
    except RuntimeError as error:
        raise DataError(f"{path}: weights of another network: {str(error)[:300]}") from None


def choose_device(gpus: int) -> torch.device:
    """The GPU where one was asked for and is there, else the CPU."""
    return torch.device("cuda" if gpus and torch.cuda.is_available() else "cpu")


def describe_device(device: torch.device) -> dict[str, Any]:
    """What a record says of the hardware."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"device": name, "cpu": _cpu_name(), "threads": torch.get_num_threads()}


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        return platform.processor() or platform.machine()
