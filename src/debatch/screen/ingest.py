"""Ingestion: one experiment's raw images to a store, its index rows, and a list of what was wrong."""

import logging
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from debatch.config.screen import ImageProcessing, Screen, Source
from debatch.errors import DataError
from debatch.screen.metadata import natural_key
from debatch.screen.process import ImageProblem, Processed, decode, process, stored_ranges
from debatch.screen.source import Pattern, RawFile, find_files
from debatch.screen.store import StoreWriter, worker_pool

log = logging.getLogger(__name__)
PROBLEM_COLUMNS = ["experiment", "plate", "well", "site", "channel", "file", "problem", "action"]
IMAGES_THAT_TELL_THE_SIZE = 25


@dataclass(frozen=True)
class Field:
    """One field of view to read: its place, and its files in channel order."""

    plate: str
    well: str
    site: str
    files: tuple[Path, ...]


@dataclass
class Problems:
    """What was wrong, a row a file or image."""

    experiment: str
    action: str
    rows: list[dict[str, str]] = field(default_factory=list)

    @property
    def fatal(self) -> bool:
        """Whether the ingestion will fail because of them."""
        return bool(self.rows) and self.action == "failed"

    def add(
        self,
        problem: str,
        plate: str = "",
        well: str = "",
        site: str = "",
        channel: str = "",
        file: Path | str = "",
    ) -> None:
        """Add one."""
        self.rows.append(
            dict(
                zip(
                    PROBLEM_COLUMNS,
                    [self.experiment, plate, well, site, channel, str(file), problem, self.action],
                    strict=True,
                )
            )
        )

    def write(self, path: Path) -> None:
        """Write the list, with its header even where nothing was wrong."""
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(self.rows, columns=PROBLEM_COLUMNS).to_csv(path, index=False)


def plan_fields(files: list[RawFile], catalogue: pd.DataFrame, source: Source, problems: Problems) -> list[Field]:
    """The fields of view to read, in natural order of plate, well and site.

    Files of wells that the screen does not select are passed over; everything else that does not fit is a problem.
    """
    keys = ["plate", "well", "site"] if "site" in catalogue else ["plate", "well"]
    wanted = {tuple(row) for row in catalogue.loc[catalogue["selected"], keys].itertuples(index=False)}
    known = {tuple(row) for row in catalogue[keys].itertuples(index=False)}
    by_field: dict[tuple[str, str, str], dict[str, RawFile]] = {}
    for file in files:
        place = (file.plate, file.well, file.site)
        if place[: len(keys)] not in known:
            problems.add("the metadata has no such well", *place, file.channel, file.path)
        elif place[: len(keys)] not in wanted:
            continue
        elif file.channel not in source.channels:
            problems.add("a channel that the screen does not name", *place, file.channel, file.path)
        elif file.channel in by_field.setdefault(place, {}):
            problems.add("a second file of the same image and channel", *place, file.channel, file.path)
        else:
            by_field[place][file.channel] = file
    for place in sorted(wanted - {place[: len(keys)] for place in by_field}, key=_place_key):
        problems.add("the metadata lists it, and no file is there", *place)
    fields = []
    for place in sorted(by_field, key=_place_key):
        missing = [channel for channel in source.channels if channel not in by_field[place]]
        for channel in missing:
            problems.add(f"no file of the channel {source.channels[channel]}", *place, channel)
        if not missing:
            fields.append(Field(*place, tuple(by_field[place][c].path for c in source.channels)))
    return fields


def ingest_experiment(
    screen: Screen,
    source: Source,
    experiment: str,
    catalogue: pd.DataFrame,
    store: Path,
    problems_file: Path,
    threads: int,
) -> pd.DataFrame:
    """Read an experiment's raw images into a store.

    Args:
        screen: what to do.
        source: where the files are; of a simulated screen, where they were drawn.
        experiment: which one.
        catalogue: its wells, as `read_catalogue` gives them.
        store: the zarr store to make.
        problems_file: the CSV of what was wrong; written in every case.
        threads: decoding threads.

    Returns:
        The experiment's index rows in store order, without labels.

    Raises:
        DataError: anything was wrong and the screen says `on_problem: fail`, or no image is left.
    """
    problems = Problems(experiment, "failed" if screen.on_problem == "fail" else "left out")
    files, unmatched = find_files(Path(source.root), Pattern(source, screen.fields), experiment)
    for path in unmatched:
        problems.add("the name does not fit the pattern", file=path)
    fields = plan_fields(files, catalogue, source, problems)
    try:
        kept = _read_into_store(screen, source, fields, store, problems, threads)
    finally:
        problems.write(problems_file)
    if problems.fatal:
        raise DataError(
            f"experiment {experiment}: {_count(len(problems.rows), 'problem')} with its images, listed in "
            f"{problems_file}; mend the source, or set `on_problem: drop` to leave those images out"
        )
    if not kept:
        where = Path(source.root) / Pattern(source, screen.fields).folder(experiment)
        raise DataError(
            f"experiment {experiment}: no image could be read from {where}: {_count(len(files), 'file')} there fit "
            f"the pattern {source.pattern!r}; problems are listed in {problems_file}"
        )
    log.info("%s: %d images, %s", experiment, len(kept), _count(len(problems.rows), "problem"))
    return _index_rows(experiment, kept, catalogue)


def _read_into_store(
    screen: Screen, source: Source, fields: list[Field], store: Path, problems: Problems, threads: int
) -> list[tuple[str, str, str]]:
    """Write every good image; the places (plate, well, site) of the stored images in order."""
    if not fields:
        return []
    channels = list(source.channels.values())
    ranges = stored_ranges(screen.image, channels)
    usual = _usual_plane(fields)
    try:
        blank = process([usual] * len(channels), screen.image, ranges).tiles
    except ImageProblem as problem:
        raise DataError(f"{problems.experiment}: {problem}; see `image.crop`") from None
    attributes = {
        "channels": channels,
        "source": {"root": source.root, "pattern": source.pattern},
        "preprocessing": screen.image.model_dump(),
    }
    kept: list[tuple[str, str, str]] = []
    clipped = np.zeros(len(channels), dtype=np.int64)
    shape = (len(fields) * len(blank), *blank.shape[1:])
    with StoreWriter(store, shape, screen.store, attributes) as writer:
        for place, outcome in _processed(fields, usual, screen.image, ranges, threads):
            if isinstance(outcome, ImageProblem):
                at = place.files.index(outcome.path) if outcome.path in place.files else 0
                channel = list(source.channels)[at]
                problems.add(str(outcome), place.plate, place.well, place.site, channel, place.files[at])
            elif not problems.fatal:  # once it will fail nothing more is stored, but every file is looked at
                writer.append(outcome.tiles)
                kept += [(place.plate, place.well, site) for site in _sites(place.site, len(outcome.tiles))]
                clipped += outcome.clipped
        if problems.fatal or not kept:
            writer.abandon()
    for name, n in zip(channels, clipped, strict=True):
        if n:
            share = n / (len(kept) * blank[0, 0].size)
            log.info("%s: %.3g %% of raw values lay above the stated range and became 255", name, 100 * share)
    return kept


def _usual_plane(fields: list[Field]) -> np.ndarray:
    """A plane (H, W) of the size and bit depth of most of the first images: what differs from it is a problem."""
    seen: Counter[tuple[tuple[int, ...], np.dtype]] = Counter()
    for place in fields:
        try:
            plane = decode(place.files[0])
        except ImageProblem:
            continue
        seen[plane.shape, plane.dtype] += 1
        if seen.total() == IMAGES_THAT_TELL_THE_SIZE:
            break
    shape, dtype = seen.most_common(1)[0][0] if seen else ((16, 16), np.dtype(np.uint8))
    return np.zeros(shape, dtype)


def _processed(
    fields: list[Field],
    usual: np.ndarray,
    config: ImageProcessing,
    ranges: np.ndarray | None,
    threads: int,
) -> Iterator[tuple[Field, Processed | ImageProblem]]:
    """Every field with its images or what is wrong with it, in order, a few fields ahead of the writer."""
    with worker_pool(threads) as pool:
        waiting: deque[tuple[Field, Future[Processed | ImageProblem]]] = deque()
        for place in fields:
            waiting.append((place, pool.submit(_read_field, place, usual, config, ranges)))
            if len(waiting) > 4 * threads:  # bounds the memory
                first, outcome = waiting.popleft()
                yield first, outcome.result()
        for place, outcome in waiting:
            yield place, outcome.result()


def _read_field(
    place: Field, usual: np.ndarray, config: ImageProcessing, ranges: np.ndarray | None
) -> Processed | ImageProblem:
    try:
        planes = []
        for path in place.files:
            plane = decode(path)
            if plane.shape != usual.shape:
                raise ImageProblem(f"{_size(plane)} pixels; most images of the experiment have {_size(usual)}", path)
            if plane.dtype != usual.dtype:
                raise ImageProblem(f"{plane.dtype}; most images of the experiment are {usual.dtype}", path)
            planes.append(plane)
        return process(planes, config, ranges)
    except ImageProblem as problem:
        return problem


def _index_rows(experiment: str, kept: list[tuple[str, str, str]], catalogue: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame(kept, columns=["plate", "well", "site"])
    # tiles `3.01` … carry what the metadata says of site 3
    rows["field"] = rows["site"].str.split(".").str[0]
    wells = catalogue[catalogue["selected"]].drop(columns=["selected", "experiment"])
    if "site" in wells:
        rows = rows.merge(wells.rename(columns={"site": "field"}), on=["plate", "well", "field"], how="left")
    else:
        rows = rows.merge(wells, on=["plate", "well"], how="left")
    rows = rows.drop(columns="field")
    rows.insert(0, "experiment", experiment)
    image_id = rows[["experiment", "plate", "well", "site"]].agg("_".join, axis=1)
    rows.insert(0, "image_id", image_id)
    rows["part"] = "all"
    rows["store_row"] = np.arange(len(rows), dtype=np.int64)
    return rows


def _sites(site: str, tiles: int) -> list[str]:
    if tiles == 1:
        return [site]
    width = max(2, len(str(tiles)))
    return [f"{site}.{tile:0{width}d}" for tile in range(1, tiles + 1)]


def _place_key(place: tuple[str, ...]) -> list[list[tuple[int, int, str]]]:
    return [natural_key(part) for part in place]


def _size(plane: np.ndarray) -> str:
    return " x ".join(str(side) for side in plane.shape)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
