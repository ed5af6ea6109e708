"""A finished run's weights, kept in a sibling of the model, so that no run is trained twice.

A workflow takes a declared output away before the job that makes it starts. So does one whose job waited in a queue
while the same run ended, and one that finds an input newer than the model.
"""

import json
import logging
import os
import shutil
from pathlib import Path

from debatch.config.recipe import Precision
from debatch.config.trained import read_weights_facts
from debatch.errors import DataError
from debatch.jobs.record import record_of, write_record
from debatch.runtime.checkpoint import checkpoint_of, finished_of, other_precision, remove_checkpoints
from debatch.tabular import write_atomically

log = logging.getLogger(__name__)


def keep_finished(model: Path) -> None:
    """Keep a run's weights; its checkpoints have served."""
    _link(model, finished_of(model))
    remove_checkpoints(checkpoint_of(model))


def take_finished(model: Path, made_by: dict[str, str], split_sha256: str, asked: Precision) -> bool:
    """Put the kept weights in the model's place if they are of this very run; else remove them.

    Args:
        model: path of the weights to write.
        made_by: `identity`, `precision` and `code`, as the weights are to say.
        split_sha256: of the split. Its test side may have changed, of which no weight knows: the record says it anew.
        asked: for an arithmetic that is named trained anew is what is wanted; `auto` says nothing of the kind.

    Returns:
        Whether there is nothing to train.

    Raises:
        DataError: they are of this very run in another arithmetic, and none was asked for.
    """
    finished, recipe = finished_of(model), record_of(model)
    if not _is_of(finished, made_by, asked):
        finished.unlink(missing_ok=True)
        return False
    try:
        record = json.loads(recipe.read_text())
        known_split = record["split_sha256"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        log.warning(
            "%s: missing or unreadable, so that nothing says what the weights were trained on: the run is trained anew",
            recipe,
        )
        finished.unlink()
        return False
    if known_split != split_sha256:
        write_record(recipe, {**record, "split_sha256": split_sha256})
    _link(finished, model)
    remove_checkpoints(checkpoint_of(model))
    return True


def _is_of(finished: Path, made_by: dict[str, str], asked: Precision) -> bool:
    try:
        with finished.open("rb") as file:  # a disk that fails is raised, and not taken for broken weights
            file.read(1)
        facts = read_weights_facts(finished)
    except FileNotFoundError:
        return False
    except DataError as error:
        log.warning("%s; it is passed over", error)
        return False
    if (facts.identity, facts.code) != (made_by["identity"], made_by["code"]):
        return False
    if facts.precision != made_by["precision"] and asked == "auto":
        raise other_precision(finished, facts.precision, made_by["precision"])
    return facts.precision == made_by["precision"]


def _link(source: Path, target: Path) -> None:
    """A second name for a file, dated now: a workflow makes anew what is older than its inputs."""

    def write(part: Path) -> None:
        part.unlink(missing_ok=True)
        try:
            os.link(source, part)
            os.utime(part)
        except OSError:  # no links on this file system, or another user's file
            part.unlink(missing_ok=True)
            shutil.copyfile(source, part)

    write_atomically(target, write)
