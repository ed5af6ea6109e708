"""How far one training is, from its files alone."""

import contextlib
import csv
import fcntl
import json
import os
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

from debatch.files import Files
from debatch.registry import Registry, Run

State = Literal["done", "outdated", "running", "failed", "waiting"]
STATES: tuple[State, ...] = get_args(State)
# a run saves at least so often, and its log says so
RECENT_SECONDS = 1200.0
# from a job's log to its run's lock it imports, on a busy file system
STARTING_SECONDS = 120.0
RECENT_EPOCHS = 5
# what a run says that left before its time limit: the same job goes on
OUT_OF_TIME = "its time limit is near"


@dataclass(frozen=True)
class RunState:
    """One training.

    Attributes:
        method: that is trained.
        split: that it is trained on.
        seed: its seed.
        state: `failed` is also what stopped without a word; `outdated` is known of Snakemake alone.
        epochs_done: whole ones.
        epochs: of all.
        epoch_seconds: median of the last epochs; None: none is done.
        seconds_left: of training; None: not known.
        detail: the log's last line of a failed run, who runs it, or what is odd.
        changed: keys of the recipe that a finished run was trained by another value of.
    """

    method: str
    split: str
    seed: int
    state: State
    epochs_done: int
    epochs: int
    epoch_seconds: float | None
    seconds_left: float | None
    detail: str = ""
    changed: tuple[str, ...] = ()


def trainings(registry: Registry, runs: list[Run]) -> list[tuple[str, str, int]]:
    """The weights that runs need: method, split and seed, each once, after those that it starts with."""
    found: dict[tuple[str, str, int], None] = {}

    def add(method: str, split: str, seed: int) -> None:
        for before in registry.starts_from(method):
            add(before, split, seed)
        found.setdefault((method, split, seed))

    for run in runs:
        if not run.external:
            add(run.weights, run.split, run.seed)
    return list(found)


def read_state(registry: Registry, files: Files, place: tuple[str, str, int], now: float | None = None) -> RunState:
    """One training as it is now.

    Args:
        registry: for the recipe.
        files: of the screen.
        place: method, split and seed.
        now: seconds since 1970; None: this moment.
    """
    method, split, seed = place
    now = time.time() if now is None else now
    recipe = registry.recipes[method]
    folder = Path(files.run(method, split, seed))
    seconds = epoch_seconds(folder / "history.csv")
    each = median(seconds[-RECENT_EPOCHS:]) if seconds else None
    done = min(len(seconds), recipe.epochs)
    left = None if each is None else (recipe.epochs - done) * each

    def found(state: State, detail: str = "") -> RunState:
        return RunState(method, split, seed, state, done, recipe.epochs, each, left, detail)

    lock = folder / "writer.lock"
    owner = lock_owner(lock)
    log = Path(files.log("train", f"{method}-{split}-seed{seed}"))
    if Path(files.model(str(folder))).exists() and not (owner and owner.alive):
        changed, odd = _against_record(folder, recipe.model_dump())
        finished = found("done", odd)
        return replace(finished, epochs_done=recipe.epochs, seconds_left=0.0, changed=changed)
    if owner and owner.alive:
        return found("running", owner.words)
    last = last_line(log)
    if is_error(log):
        if OUT_OF_TIME in last:
            return found("waiting", "left before its time limit; the same job goes on from its checkpoint")
        return found("failed", last)
    touched = [_modified(path) for path in (folder / "history.csv", folder / "checkpoint.pt", log)]
    age = now - max(touched)
    # whatever trains has a lock's file; a log alone may be of a run that somebody removed since
    recently = age < (max(RECENT_SECONDS, 3 * (each or 0.0)) if lock.exists() else STARTING_SECONDS)
    if recently and not (owner and owner.here):
        return found("running", "" if owner is None else owner.words)
    if folder.exists() and max(touched) > 0:
        return found("failed", f"stopped without an error, {_ago(age)} ago{': ' + last if last else ''}")
    return found("waiting")


def epoch_seconds(history: Path) -> list[float]:
    """Seconds of each whole epoch; a last row that is only half there is left out."""
    try:
        with open(history, newline="", encoding="utf-8", errors="replace") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, csv.Error):
        return []
    found: list[float] = []
    for row in rows:
        try:
            value = float(row["seconds"])
        except (KeyError, TypeError, ValueError):
            break
        found.append(value)
    return found


@dataclass(frozen=True)
class Owner:
    """Who writes, or wrote, in a run's folder.

    Attributes:
        alive: whether its lock is held.
        here: whether it is of this machine: only then a lock that is not held says that it ended.
        words: host and job.
    """

    alive: bool
    here: bool
    words: str


def lock_owner(lock: Path) -> Owner | None:
    """Who holds a run's lock, or held it last; None: there is none, or it cannot be read."""
    try:
        with open(lock, encoding="utf-8", errors="replace") as file:
            about = _json(file.read())
            host = str(about.get("host", ""))
            try:
                # shared and at once let go: a run that starts at this very moment waits and tries again
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                held = True
            else:
                held = False
                fcntl.flock(file, fcntl.LOCK_UN)
    except OSError:
        return None
    here = host in {"", platform.node()}
    words = f"on {host or 'this machine'}"
    words += f", SLURM job {about['slurm_job']}" if about.get("slurm_job") else ""
    return Owner(held, here, words)


def last_line(log: Path) -> str:
    """A log's last line that says something, without its time."""
    lines = [line.strip() for line in _tail(log).splitlines() if line.strip()]
    if not lines:
        return ""
    head, _, rest = lines[-1].partition(" ")
    return rest if len(head) == 8 and head.count(":") == 2 else lines[-1]


def is_error(log: Path) -> bool:
    """Whether a log ends with an error: its file is begun anew with each attempt."""
    lines = _tail(log).splitlines()[-60:]
    at = [n for n, line in enumerate(lines) if "Error: " in line or line.startswith("Traceback")]
    progress = [n for n, line in enumerate(lines) if ": epoch " in line]
    return bool(at) and (not progress or at[-1] > progress[-1])


def _tail(log: Path, size: int = 16_384) -> str:
    with contextlib.suppress(OSError), open(log, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - size))
        return file.read().decode("utf-8", errors="replace")
    return ""


def _modified(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _json(text: str) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        read = json.loads(text)
        return read if isinstance(read, dict) else {}
    return {}


def _against_record(folder: Path, recipe: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """In which keys a finished run's record has another recipe, in words too, or that it has none."""
    try:
        known = _json((folder / "recipe.json").read_text()).get("recipe", {})
    except OSError:
        return (), "its record recipe.json is gone"
    changed = tuple(sorted(key for key in recipe if key in known and known[key] != recipe[key]))
    return changed, f"trained by another recipe ({', '.join(changed)} differ)" if changed else ""


def _ago(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
