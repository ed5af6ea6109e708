"""What the files say of a run: its record, whether it is what the table was made from, and what it was fed."""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from debatch.digests import sha256_of_file, sha256_of_files, sha256_of_json
from debatch.files import Files
from debatch.registry import Registry, Run
from debatch.screen.splits import split_sha256
from debatch.tabular import read_about, read_frame


@dataclass(frozen=True)
class Training:
    """One training behind a cell.

    Attributes:
        method: whose weights they are.
        split: that it was trained on.
        seed: its seed.
        record: recipe.json as it stood when the table was made; empty: the table does not list it.
        findings: what is not as it was, in words; empty: everything is.
    """

    method: str
    split: str
    seed: int
    record: dict[str, Any]
    findings: list[str]

    @property
    def gpu_hours(self) -> float | None:
        """Wall time by devices; 0 on a CPU; None: the record does not say."""
        seconds, hardware = self.record.get("wall_seconds"), self.record.get("hardware")
        if seconds is None or not isinstance(hardware, dict):
            return None
        return 0.0 if hardware.get("device") == "CPU" else seconds / 3600 * int(self.record.get("devices") or 1)


@dataclass(frozen=True)
class Profiles:
    """Profiles made elsewhere behind a cell.

    Attributes:
        name: of the set.
        file: that they came from.
        sha256: of that file now; None: it is not there.
        findings: what is not as it was.
    """

    name: str
    file: str
    sha256: str | None
    findings: list[str] = field(default_factory=list)


def read_training(registry: Registry, files: Files, run: Run, made_from: list[dict[str, Any]], made: float) -> Training:
    """One run's training, as the table lists it and as it is now.

    Args:
        registry: for the recipe that is configured now.
        files: of the screen.
        run: the run.
        made_from: the records of `tables/<table>.json`.
        made: when the table was written, in seconds since 1970.
    """
    place = (run.weights, run.split, run.seed)
    listed = [r for r in made_from if (r.get("method"), r.get("split"), r.get("seed")) == place]
    record = listed[0] if listed else {}
    folder = Path(files.folder(run))
    now = read_json(folder / "recipe.json")
    findings = []
    if not record:
        findings.append("the table was made without it: make the table again")
    if now is None:
        findings.append(f"the run is gone: no {folder}/recipe.json")
    elif record and now != record:
        findings.append(
            f"trained again since (finished {now.get('finished', 'at an unknown time')}): make the table again"
        )
    recipe = (now or {}).get("recipe", {})
    configured = registry.recipes[run.weights].model_dump() if run.weights in registry.recipes else recipe
    changed = sorted(key for key in configured if recipe.get(key) != configured[key]) if recipe else []
    if changed:
        findings.append(f"the configuration now says otherwise of {', '.join(changed)}")
    findings += _newer(files, run, made)
    return Training(*place, record, findings)


def _newer(files: Files, run: Run, made: float) -> list[str]:
    embeddings = Path(files.embeddings(files.folder(run), run.view))
    with suppress(OSError):
        if embeddings.stat().st_mtime > made + 1:
            return [f"{embeddings} is newer than the table"]
    return []


def split_finding(files: Files, split: str, recorded: set[str]) -> tuple[str | None, str]:
    """The split's SHA-256 as its file is now, and whether runs were trained on that.

    Args:
        files: of the screen.
        split: its name.
        recorded: SHA-256 of the split in the runs' records.
    """
    path = Path(files.split(split))
    if not path.exists():
        return None, "its file is gone"
    now = split_sha256(read_frame(path))
    if not recorded:
        return now, ""
    return now, "the same as in the runs" if recorded == {now} else "not the one that the runs were trained on"


def read_profiles(registry: Registry, name: str) -> Profiles:
    """Where profiles came from."""
    files = registry.externals[name].files()
    # of one file it is what `sha256sum` prints
    digest = sha256_of_file(str(files[0])) if len(files) == 1 else sha256_of_files(files)
    return Profiles(name, ", ".join(map(str, files)), digest, [] if digest else ["a file is not there any more"])


def metadata_sha256(files: Files) -> str | None:
    """The SHA-256 of the metadata that the index was made from; None: it says nothing, as of a simulated screen."""
    path = Path(files.index())
    return read_about(path).get("metadata_sha256") if path.exists() else None


def recipe_sha256(record: dict[str, Any]) -> str | None:
    """A digest of a recipe: two runs of one have the same."""
    recipe = record.get("recipe")
    return sha256_of_json(recipe) if recipe else None


def read_json(path: Path) -> Any:
    """A JSON file's content; None: it is not there, or broken."""
    with suppress(OSError, ValueError):
        return json.loads(path.read_text())
    return None
