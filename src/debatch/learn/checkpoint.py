"""Checkpoints: everything that lets a killed run go on exactly, written beside and renamed."""

import logging
from pathlib import Path
from typing import Any

import torch

from debatch.tabular import write_atomically

log = logging.getLogger(__name__)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, and keep the one before it: a disk may break what was written well."""

    def write(part: Path) -> None:
        torch.save(state, part)
        if path.exists():
            path.replace(previous(path))

    write_atomically(path, write)


def previous(path: Path) -> Path:
    """The checkpoint before the last one."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def remove_checkpoints(path: Path) -> None:
    """Both of them: the run is finished."""
    path.unlink(missing_ok=True)
    previous(path).unlink(missing_ok=True)


def checkpoint_of(model: Path) -> Path:
    """Where the run of a model's file saves."""
    return model.with_name("checkpoint.pt")


def load_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """The last checkpoint of this very run that can be used, or None where there is none.

    Args:
        path: the file.
        identity: of the run's recipe and data: a checkpoint of anything else is not gone on from.
    """
    there = [file for file in (path, previous(path)) if file.exists()]
    for file in there:
        state = _read(file, identity)
        if state is not None:
            return state
    if there:
        log.warning("%s: no checkpoint there is of this run: training starts anew", path.parent)
    return None


def _read(path: Path, identity: str) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a truncated file fails in many ways
        log.warning("%s: unreadable (%s); it is passed over", path, type(error).__name__)
        return None
    if state.get("identity") != identity:
        log.warning("%s: of another recipe, split or network; it is passed over", path)
        return None
    return state
