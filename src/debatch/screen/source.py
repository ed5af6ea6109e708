"""Raw image files: which there are, and what their names say."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from debatch.config.screen import Source
from debatch.errors import ConfigError
from debatch.screen.metadata import plain_number

FIELDS = ("experiment", "plate", "well", "site", "channel")
_PIECE = re.compile(r"\{(\w+)(:d)?\}|(\*)")


@dataclass(frozen=True)
class RawFile:
    """One file of one channel."""

    path: Path
    plate: str
    well: str
    site: str
    channel: str


class Pattern:
    """A source's file name pattern, with constants for the fields that names lack.

    Raises:
        ConfigError: a field that is unknown, named twice, or neither in the pattern nor a constant.
    """

    def __init__(self, source: Source, fields: dict[str, str | int]) -> None:
        self.text = source.pattern
        named = [match[1] for match in _PIECE.finditer(self.text) if match[1]]
        for name in named:
            if name not in FIELDS:
                raise ConfigError(
                    f"source.pattern: no field {{{name}}}; there is {', '.join(FIELDS)}, and * for anything"
                )
            if named.count(name) > 1:
                raise ConfigError(f"source.pattern: the field {{{name}}} stands twice")
        self.constants = {key: str(value) for key, value in fields.items() if key in FIELDS and key not in named}
        missing = [name for name in FIELDS if name not in named and name not in self.constants]
        if missing:
            raise ConfigError(
                f"source.pattern: the field {{{missing[0]}}} is not in {self.text!r}; where file names lack it, give "
                f"a constant: `fields: {{{missing[0]}: 1}}`"
            )
        self.regex = re.compile(_as_regex(self.text))

    def match(self, relative: str) -> dict[str, str] | None:
        """What a path below the root says, or None where it does not fit the pattern."""
        found = self.regex.fullmatch(relative)
        if found is None:
            return None
        values = {**self.constants, **found.groupdict()}
        return {key: plain_number(value) if key in {"plate", "site"} else value for key, value in values.items()}

    def folder(self, experiment: str) -> str:
        """The deepest folder below the root that holds all of an experiment's files."""
        known: list[str] = []
        for part in self.text.split("/")[:-1]:
            filled = part.replace("{experiment}", experiment)
            if _PIECE.search(filled):
                break
            known.append(filled)
        return "/".join(known)


def find_files(root: Path, pattern: Pattern, experiment: str) -> tuple[list[RawFile], list[Path]]:
    """An experiment's files, and the files in its folder that do not fit the pattern.

    The second list is empty where an experiment has no folder of its own.
    """
    folder = pattern.folder(experiment)
    has_own_folder = experiment in folder.split("/") or experiment in folder
    found, unmatched = [], []
    for path in _walk(root / folder):
        values = pattern.match(path.relative_to(root).as_posix())
        if values is None:
            if has_own_folder and not path.name.startswith("."):
                unmatched.append(path)
        elif values["experiment"] == experiment:
            found.append(RawFile(path, values["plate"], values["well"], values["site"], values["channel"]))
    return found, unmatched


def _as_regex(text: str) -> str:
    pieces, end = [], 0
    for match in _PIECE.finditer(text):
        pieces.append(re.escape(text[end : match.start()]))
        if match[3]:
            pieces.append("[^/]*")
        else:
            pieces.append(f"(?P<{match[1]}>{r'[0-9]+' if match[2] else '[^/]+?'})")
        end = match.end()
    return "".join([*pieces, re.escape(text[end:])])


def _walk(folder: Path) -> Iterator[Path]:
    """Files below a folder in sorted order. Links are followed, a loop of links only once."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            yield Path(place, name)
