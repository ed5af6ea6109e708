"""Checkpoints: everything that lets a killed run go on exactly, written beside and renamed."""

import logging
from pathlib import Path
from typing import Any

import torch

from debatch.tabular import write_atomically

log = logging.getLogger(__name__)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint over the last one."""
    write_atomically(path, lambda part: torch.save(state, part))


def load_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """The last checkpoint of this very run, or None where there is none that can be used.

    Args:
        path: the file.
        identity: of the run's recipe and data: a checkpoint of anything else is not gone on from.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a truncated file fails in many ways
        log.warning("%s: unreadable (%s); training starts anew", path, type(error).__name__)
        return None
    if state.get("identity") != identity:
        log.warning("%s: of another recipe, split or network; training starts anew", path)
        return None
    return state
