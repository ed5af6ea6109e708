"""Raw image files: which there are, and what their names say."""

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from debatch.config.images import Source
from debatch.config.screen import PlateFormat
from debatch.errors import ConfigError
from debatch.screen.names.wells import WellNameError, plain_number, row_number, well_at, well_name, well_of_number

FIELDS = ("experiment", "plate", "well", "row", "column", "site", "channel")
IMAGE_SUFFIXES = (".png", ".tif", ".tiff")
# what a person may have meant as an image: beside images it is a problem, and a text file is none
PICTURE_SUFFIXES = (*IMAGE_SUFFIXES, ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".jp2", ".czi", ".nd2", ".lif", ".flex")
_PIECE = re.compile(r"\{(\w+)(?::(d|[1-9][0-9]*))?\}|(\*)")


@dataclass(frozen=True)
class RawFile:
    """One file: of one channel, or of all where `channel` is empty.

    `channel_width` is that of each of all channels in pixels, where they stand side by side in one plane.
    """

    path: Path
    plate: str
    well: str
    site: str
    channel: str
    channel_width: int | None = None


@dataclass
class FoundFiles:
    """An experiment's files.

    Attributes:
        files: those whose names fit.
        unfit: the rest that looks like images, with why.
        other: text files and the like.
        absent: those that the metadata lists and that cannot be read, with why.
    """

    files: list[RawFile] = field(default_factory=list)
    unfit: list[tuple[Path, str]] = field(default_factory=list)
    other: list[Path] = field(default_factory=list)
    absent: list[tuple[RawFile, str]] = field(default_factory=list)


class Pattern:
    """One way in which a source's files are named, with constants for the fields that names lack.

    Raises:
        ConfigError: a field that is unknown, named twice, or neither in the pattern nor a constant; fields that clash.
    """

    def __init__(self, text: str, fields: dict[str, str | int], renamed: Mapping[str, str] | None = None) -> None:
        self.text = text
        self.renamed = renamed or {}
        self.named = [match[1] for match in _PIECE.finditer(text) if match[1]]
        for name in self.named:
            if name not in FIELDS:
                raise ConfigError(
                    f"source.pattern: no field {{{name}}}; there is {', '.join(FIELDS)}, and * for anything"
                )
            if self.named.count(name) > 1:
                raise ConfigError(f"source.pattern: the field {{{name}}} stands twice in {text!r}")
        if "well" in self.named and ("row" in self.named or "column" in self.named):
            raise ConfigError(f"source.pattern: {text!r} has both {{well}} and {{row}} or {{column}}; keep one way")
        stray = _PIECE.sub("", text)
        if "{" in stray or "}" in stray:
            raise ConfigError(
                f"source.pattern: a brace that is no field in {text!r}; fields are {{name}} or {{name:d}}"
            )
        self.constants = {key: str(value) for key, value in fields.items() if key in FIELDS and key not in self.named}
        in_wells = {"row", "column"} <= {*self.named, *self.constants}
        needed = ["experiment", "plate", *([] if in_wells else ["well"]), "site"]
        missing = [name for name in needed if name not in self.named and name not in self.constants]
        if missing:
            raise ConfigError(
                f"source.pattern: the field {{{missing[0]}}} is not in {text!r}; where file names lack it, give "
                f"a constant: `fields: {{{missing[0]}: 1}}`"
            )
        self.regex = re.compile(_as_regex(text))

    def match(self, relative: str, plate: PlateFormat) -> dict[str, str] | None:
        """What a path below the root says, or None where it does not fit the pattern.

        Returns:
            experiment, plate, well, site and channel; an empty channel where a file holds all of them.

        Raises:
            WellNameError: it fits, and names no well of the plate.
        """
        found = self.regex.fullmatch(relative)
        if found is None:
            return None
        values = {name: value.strip() for name, value in {**self.constants, **found.groupdict()}.items()}
        if "{well:d}" in self.text:
            well = well_of_number(int(values["well"]), plate)
        elif "well" in values:
            well = well_name(values["well"], plate)
        else:
            row = values["row"]
            number = int(row) if row.isdecimal() else row_number(row.upper()) if row.isalpha() and row.isascii() else 0
            if not values["column"].isdecimal():
                raise WellNameError(f"column {values['column']!r} is not a number; write {{column:d}}")
            well = well_at(number, int(values["column"]), plate)
        channel = values.get("channel", "")
        return {
            "experiment": self.renamed.get(values["experiment"], values["experiment"]),
            "plate": plain_number(values["plate"]),
            "well": well,
            "site": plain_number(values["site"]),
            "channel": plain_number(channel) if "{channel:d}" in self.text else channel,
        }

    def may_hold(self, folder: str, experiment: str) -> bool:
        """Whether files of an experiment can lie below a folder, by the folders that the pattern names."""
        given = folder.split("/") if folder else []
        parts = self.text.split("/")[:-1]
        # beyond the folder that is the experiment's own everything is looked at, so that what does not fit is seen
        own = next((at for at, part in enumerate(parts) if "{experiment" in part), len(parts))
        regexes = [_as_regex(re.sub(r"\{experiment[^}]*\}", "{experiment}", part)) for part in parts[: own + 1]]
        called = [name for name, new in self.renamed.items() if new == experiment] or [experiment]
        # blanks around a name are no part of it
        either = rf"\s*(?:{'|'.join(map(re.escape, called))})\s*"
        filled = [regex.replace("(?P<experiment>[^/]+?)", either) for regex in regexes]
        return all(re.fullmatch(regex, name) for regex, name in zip(filled, given, strict=False))

    def is_own(self, folder: str, experiment: str) -> bool:
        """Whether all that lies in a folder belongs to the experiment."""
        parts = self.text.split("/")[:-1]
        own = next((at for at, part in enumerate(parts) if "{experiment" in part), None)
        if own is None:
            return "experiment" in self.constants
        return folder.count("/") >= own and folder != "" and self.may_hold(folder, experiment)


def read_patterns(
    source: Source, fields: dict[str, str | int], renamed: Mapping[str, str] | None = None
) -> list[Pattern]:
    """A source's patterns; none where the metadata lists its files.

    Args:
        source: where the files are.
        fields: constants for what names lack.
        renamed: experiments as names have them -> as the screen calls them.

    Raises:
        ConfigError: as `Pattern`; a constant for a field that all names have; files of one channel and of all.
    """
    if source.pattern is None:
        return []
    texts = [source.pattern] if isinstance(source.pattern, str) else source.pattern
    patterns = [Pattern(text, fields, renamed) for text in texts]
    for name in fields:
        if name in FIELDS and all(name in pattern.named for pattern in patterns):
            raise ConfigError(
                f"`fields.{name}` is a constant, and source.pattern reads {{{name}}} from the file names: keep one"
            )
    if len({"channel" in pattern.named for pattern in patterns}) > 1:
        raise ConfigError("source.pattern: either all patterns have {channel} (a file a channel) or none (one for all)")
    return patterns


def find_files(source: Source, patterns: list[Pattern], experiment: str, plate: PlateFormat) -> FoundFiles:
    """An experiment's files, and what lies among them that does not fit.

    What does not fit is an experiment's only where it has a folder of its own, or is the only one.

    Raises:
        ConfigError: the root is not there.
    """
    root = Path(source.root)
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder; see `source.root` in the screen")
    found = FoundFiles()
    wanted = lambda folder: any(pattern.may_hold(folder, experiment) for pattern in patterns)  # noqa: E731
    for path, problem in _walk(root, wanted):
        if problem:
            found.unfit.append((path, problem))
            continue
        relative = path.relative_to(root).as_posix()
        if path.name.startswith(".") or any(fnmatch.fnmatch(relative, glob) for glob in source.ignore):
            continue
        values, problem = read_name(relative, patterns, plate)
        if values is not None:
            if values["experiment"] == experiment:
                found.files.append(raw_file(source, path, values))
            continue
        folder = relative.rpartition("/")[0]
        if any(pattern.is_own(folder, experiment) for pattern in patterns):
            if path.suffix.lower() in PICTURE_SUFFIXES:
                found.unfit.append((path, problem))
            else:
                found.other.append(path)
    return found


def raw_file(source: Source, path: Path, values: dict[str, str]) -> RawFile:
    """A file that fits a pattern, which says these values of it."""
    width = source.channel_width if isinstance(source.channel_width, int) else None
    return RawFile(path, values["plate"], values["well"], values["site"], values["channel"], width)


def read_name(relative: str, patterns: list[Pattern], plate: PlateFormat) -> tuple[dict[str, str] | None, str]:
    """What a path below the root says by the patterns, or None and why not."""
    if not _is_text(relative):
        return (
            None,
            "the name is not text in UTF-8; rename the file, or name it in `source.ignore` by * for what is odd",
        )
    readings: list[tuple[Pattern, dict[str, str]]] = []
    for pattern in patterns:
        try:
            values = pattern.match(relative, plate)
        except WellNameError as error:
            return None, str(error)
        if values is not None:
            readings.append((pattern, values))
    if not readings:
        return None, "the name does not fit the pattern; what is no image of the screen is named in `source.ignore`"
    first, values = readings[0]
    for other, differently in readings[1:]:
        clash = [name for name in values if values[name] != differently[name]]
        if clash:
            return None, (
                f"it fits two patterns that read it differently: {clash[0]} is {values[clash[0]]!r} by {first.text!r} "
                f"and {differently[clash[0]]!r} by {other.text!r}; make them exclude each other"
            )
    return values, ""


def walk_all(source: Source) -> Iterator[tuple[Path, str]]:
    """Every file below the root that is not hidden or ignored, in sorted order, and folders that cannot be listed.

    The second is empty for a file, and says why a folder cannot be listed.
    """
    root = Path(source.root)
    for path, problem in _walk(root, lambda _: True):
        relative = path.relative_to(root).as_posix()
        if problem or (
            not path.name.startswith(".") and not any(fnmatch.fnmatch(relative, glob) for glob in source.ignore)
        ):
            yield path, problem


def shown(path: Path | str) -> str:
    """A path as it can be printed and written: a byte of its name that is no UTF-8 by its number."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_regex(text: str) -> str:
    pieces, end = [], 0
    for match in _PIECE.finditer(text):
        pieces.append(re.escape(text[end : match.start()]))
        if match[3]:
            pieces.append("[^/]*?")
        else:
            kind = {"d": "[0-9]+", None: "[^/]+?"}.get(match[2], f"[^/]{{{match[2]}}}")
            pieces.append(f"(?P<{match[1]}>{kind})")
        end = match.end()
    text_end = re.escape(text[end:])
    # .TIF is a TIFF too
    suffix = next((suffix for suffix in IMAGE_SUFFIXES if text[end:].lower().endswith(suffix)), "")
    if suffix:
        kept = re.escape(text[end : len(text) - len(suffix)])
        text_end = f"{kept}(?i:{re.escape(suffix)})"
    return "".join([*pieces, text_end])


def _walk(root: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[Path, str]]:
    """Files below a folder in sorted order, and folders that cannot be listed, with why.

    Links are followed, but never to a folder that one is in already.
    """
    failed: list[OSError] = []
    above: dict[str, frozenset[str]] = {}
    for place, folders, names in os.walk(root, followlinks=True, onerror=failed.append):
        real = os.path.realpath(place)
        outside = above.pop(place, frozenset())
        if real in outside:
            folders.clear()
            continue
        here = Path(place).relative_to(root)
        folders[:] = sorted(name for name in folders if wanted((here / name).as_posix()))
        above |= {os.path.join(place, name): outside | {real} for name in folders}
        for name in sorted(names):
            yield Path(place, name), ""
    for error in failed:
        yield Path(error.filename), f"a folder that cannot be listed ({error.strerror})"
