"""Checkpoints: everything that lets a killed run go on exactly, written beside and renamed.

A file is the SHA-256 of what follows, then the state as torch writes it.
"""

import hashlib
import io
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from debatch.errors import DataError
from debatch.tabular import write_atomically

log = logging.getLogger(__name__)

_DIGEST_BYTES = hashlib.sha256().digest_size


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, and keep the one before it: a disk may break what was written well.

    Raises:
        OSError: it cannot be written, as where the disk is full; it names the file.
    """
    memory = io.BytesIO()
    torch.save(state, memory)  # not to the file: there a full disk comes out as an error of torch's own
    content = memory.getbuffer()

    def write(part: Path) -> None:
        with part.open("wb") as file:
            file.write(hashlib.sha256(content).digest())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before the last one gives way: a disk may say only now that it is full
        with suppress(FileNotFoundError):
            path.replace(previous(path))

    try:
        write_atomically(path, write)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


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


def finished_of(model: Path) -> Path:
    """Where its weights are kept once it is finished."""
    return model.with_name("finished.safetensors")


def load_checkpoint(path: Path, identity: str, precision: str) -> dict[str, Any] | None:
    """The last checkpoint of this very run that can be used, or None where there is none.

    Args:
        path: the file.
        identity: of the run's recipe and data: a checkpoint of anything else is not gone on from.
        precision: the arithmetic that it would go on in.

    Raises:
        DataError: this very run was begun in another arithmetic.
        OSError: one is there and the disk does not give it; MemoryError where it does not fit. To pass it over would
            throw away what is well.
    """
    passed_over = False
    for file in (path, previous(path)):
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            continue
        state = _usable(content, file, identity)
        if state is not None:
            _require_precision(state, file, precision)
            return state
        passed_over = True
    if passed_over:
        log.warning("%s: its checkpoints are of another run: training starts anew", path.parent)
    return None


def _usable(content: bytes, path: Path, identity: str) -> dict[str, Any] | None:
    payload = memoryview(content)[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != content[:_DIGEST_BYTES]:
        log.warning("%s: unreadable (it is not what was written); it is not used", path)
        return None
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # written by another torch, it may fail in many ways
        log.warning("%s: unreadable (%s); it is not used", path, type(error).__name__)
        return None
    if state.get("identity") != identity:
        log.warning("%s: of another recipe, split, network or other images; it is not used", path)
        return None
    return state


def other_precision(path: Path, found: str, wanted: str) -> DataError:
    """What to say of a run that would change its arithmetic on the way, as on a machine of another kind."""
    return DataError(
        f"{path}: this run was begun in {found}, and here it would go on in {wanted}: the two are not mixed. Set "
        f"`precision: {found}` in the screen's `training` to keep to it, or remove {path.parent} to train anew in "
        f"{wanted}"
    )


def _require_precision(state: dict[str, Any], path: Path, precision: str) -> None:
    if state["precision"] != precision:
        raise other_precision(path, state["precision"], precision)
