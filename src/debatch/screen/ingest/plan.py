"""Which fields of view an experiment has: its files held against its wells, and what does not meet."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from debatch.config.images import Source
from debatch.screen.ingest.decode import ImageProblem, Planes, decode, decode_channels, decode_side_by_side
from debatch.screen.ingest.source import FoundFiles, RawFile, shown
from debatch.screen.metadata import natural_key
from debatch.screen.names.wells import plain_number

PROBLEM_COLUMNS = ["experiment", "plate", "well", "site", "channel", "file", "problem", "action"]
PASSED_OVER = "passed over"


@dataclass(frozen=True)
class Field:
    """One field of view to read, and its files in channel order, or the one file that holds them all."""

    plate: str
    well: str
    site: str
    files: tuple[Path, ...]
    channels: tuple[str, ...]
    one_for_all: bool = False
    channel_width: int | None = None

    def planes(self, expected: Planes | None = None) -> Iterator[np.ndarray]:
        """Each channel's pixels (H, W).

        Args:
            expected: what the one file of all channels must hold, used or not; None: anything.

        Raises:
            ImageProblem: one cannot be read.
        """
        if self.one_for_all:
            yield from self._together(expected)[0]
        else:
            yield from map(decode, self.files)

    def read(self) -> tuple[list[np.ndarray], Planes]:
        """Each channel's pixels (H, W), and the planes of a file.

        Raises:
            ImageProblem: one cannot be read.
        """
        return self._together(None) if self.one_for_all else (list(self.planes()), Planes(1))

    def _together(self, expected: Planes | None) -> tuple[list[np.ndarray], Planes]:
        if self.channel_width is not None:
            return decode_side_by_side(self.files[0], self.channels, self.channel_width, expected)
        return decode_channels(self.files[0], self.channels, expected)

    def at_fault(self, problem: ImageProblem, channel: int) -> ImageProblem:
        """A problem of a channel, by its position, with the file and the channel's name."""
        at = min(channel, len(self.channels) - 1)
        return ImageProblem(problem.problem, problem.path or self.file(at), problem.channel or self.channels[at])

    def file(self, channel: int) -> Path:
        """Where a channel is, by its position."""
        return self.files[0 if self.one_for_all else channel]


@dataclass
class Problems:
    """What was wrong, a row a file or image."""

    experiment: str
    action: str
    rows: list[dict[str, str]] = field(default_factory=list)

    @property
    def fatal(self) -> bool:
        """Whether the ingestion will fail because of them."""
        return self.count > 0 and self.action == "failed"

    @property
    def real(self) -> list[dict[str, str]]:
        """Problems, without what is merely passed over."""
        return [row for row in self.rows if row["action"] != PASSED_OVER]

    @property
    def count(self) -> int:
        """How many of those."""
        return len(self.real)

    def add(
        self,
        problem: str,
        plate: str = "",
        well: str = "",
        site: str = "",
        channel: str = "",
        file: Path | str = "",
        action: str = "",
    ) -> None:
        """Add one."""
        values = [self.experiment, plate, well, site, channel, shown(file), problem, action or self.action]
        self.rows.append(dict(zip(PROBLEM_COLUMNS, values, strict=True)))

    def add_wells(self, problem: str, wells: pd.DataFrame, action: str = "") -> None:
        """Add one for each of some wells or images (N, …): plate, well, and site if that is known."""
        for row in wells.astype("object").fillna("").to_dict("records"):
            self.add(problem, str(row["plate"]), str(row["well"]), str(row.get("site", "")), action=action)

    def write(self, path: Path) -> None:
        """Write the list, with its header even where nothing was wrong."""
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(self.rows, columns=PROBLEM_COLUMNS).to_csv(path, index=False)


def expected_fields(catalogue: pd.DataFrame, source: Source) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """The fields that should have files, and all that the metadata knows, selected or not.

    Returns:
        Tuples (plate, well, site), or (plate, well) where neither the metadata nor the source tells the sites.
    """
    keys = ["plate", "well", "site"] if "site" in catalogue else ["plate", "well"]
    known = list(catalogue[keys].itertuples(index=False, name=None))
    if "site" not in catalogue and source.sites is not None:
        sites = [plain_number(str(site)) for site in source.sites]
        by_well = {field: {(*field, site) for site in sites} for field in known}
    else:
        by_well = {field: {field} for field in known}
    selected = set(catalogue.loc[catalogue["selected"], keys].itertuples(index=False, name=None))
    wanted = {field for well in selected for field in by_well[well]}
    return wanted, {field for fields in by_well.values() for field in fields}


def plan_fields(found: FoundFiles, catalogue: pd.DataFrame, source: Source, problems: Problems) -> list[Field]:
    """The fields of view to read, in natural order of plate, well and site.

    Files of wells that the screen does not select are passed over; everything else that does not fit is a problem.
    """
    for path, problem in found.unfit:
        problems.add(problem, file=path)
    for path in found.other:
        problems.add("no image by its name", file=path, action=PASSED_OVER)
    wanted, known = expected_fields(catalogue, source)
    depth = len(next(iter(known), ("", "")))
    wells = {field[:2] for field in known}
    one_for_all = all(file.channel == "" for file in found.files)
    by_field: dict[tuple[str, str, str], dict[str, RawFile]] = {}
    for file in found.files:
        field = (file.plate, file.well, file.site)
        if field[:depth] not in wanted:
            if field[:2] not in wells:
                problems.add("the metadata has no such well", *field, file.channel, file.path)
            elif field[:depth] not in known:
                problems.add("neither the metadata nor `source.sites` has such a site", *field, file.channel, file.path)
        elif not one_for_all and file.channel not in source.channels:
            problems.add("a channel that the screen does not name", *field, file.channel, file.path)
        elif file.channel in by_field.setdefault(field, {}):
            first = by_field[field][file.channel].path
            problems.add(
                f"a second file of the same image and channel, beside {shown(first)}", *field, file.channel, file.path
            )
        else:
            by_field[field][file.channel] = file
    listed = {(file.plate, file.well, file.site)[:depth] for file, _ in found.absent}
    for file, why in found.absent:
        problems.add(why, file.plate, file.well, file.site, file=file.path)
    for absent in sorted(wanted - {field[:depth] for field in by_field} - listed, key=_natural_order):
        problems.add("the metadata lists it, and no file is there", *absent)
    fields = []
    names = tuple(source.channels)
    for field in sorted(by_field, key=_natural_order):
        files = by_field[field]
        missing = [] if one_for_all else [channel for channel in names if channel not in files]
        for channel in missing:
            problems.add(f"no file of the channel {source.channels[channel]}", *field, channel)
        if not missing:
            paths = (files[""].path,) if one_for_all else tuple(files[channel].path for channel in names)
            width = files[""].channel_width if one_for_all else None
            fields.append(Field(*field, paths, names, one_for_all, width))
    return fields


def _natural_order(field: tuple[str, ...]) -> list[tuple[Any, str]]:
    return [natural_key(part) for part in field]
