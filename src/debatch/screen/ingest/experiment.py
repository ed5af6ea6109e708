"""Ingestion: one experiment's raw images to a store, its index rows, and a list of what was wrong."""

import dataclasses
import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from debatch.config.images import ONE_PART, Source
from debatch.config.screen import QcLimits, Screen
from debatch.digests import sha256_of_json
from debatch.errors import DataError
from debatch.screen.ingest.attributes import processing
from debatch.screen.ingest.decode import ImageProblem
from debatch.screen.ingest.listed import listed_files
from debatch.screen.ingest.plan import Field, Problems, plan_fields
from debatch.screen.ingest.process import Processed, process, stored_ranges
from debatch.screen.ingest.source import find_files, read_patterns
from debatch.screen.ingest.usual import Usual, blank_images, read_field, usual_of
from debatch.screen.metadata import catalogue_of_files
from debatch.screen.names.identifiers import image_ids
from debatch.screen.nouns import field_noun, stored_noun
from debatch.screen.store import StoreWriter, read_moments, worker_pool

log = logging.getLogger(__name__)


@dataclasses.dataclass
class _Kept:
    """What was stored: fields of view in store order, and each image's measures by channel."""

    fields: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    measures: dict[str, list[np.ndarray]] = dataclasses.field(default_factory=dict)

    def add(self, field: Field, image: Processed) -> None:
        sites = _sites(field.site, len(image.tiles))
        self.fields += [(field.plate, field.well, site) for site in sites]
        found = image.measures
        shares = {
            "intensity": found.moments[..., 1] / found.moments[..., 0],
            "saturation": found.saturation,
            "focus": found.focus,
            "foreground": found.foreground,
            # of the whole field, before the crop: its tiles share it
            "clipped": np.broadcast_to(image.clipped, (len(image.tiles), len(image.clipped))),
            "cut_off": np.broadcast_to(image.cut_off, (len(image.tiles), len(image.cut_off))),
        }
        for name, values in shares.items():
            self.measures.setdefault(name, []).append(values)

    def columns(self, channels: list[str]) -> dict[str, np.ndarray]:
        """`<measure>_<channel>` columns (N,) float32."""
        together = {name: np.concatenate(parts).astype(np.float32) for name, parts in self.measures.items()}
        return {
            f"{name}_{channel}": values[:, at]
            for name, values in together.items()
            for at, channel in enumerate(channels)
        }


def ingest_experiment(
    screen: Screen,
    source: Source,
    experiment: str,
    catalogue: pd.DataFrame | None,
    store: Path,
    problems_file: Path,
    threads: int,
    part: str = ONE_PART,
) -> pd.DataFrame:
    """Read an experiment's raw images into a store.

    Args:
        screen: what to do; of a screen in parts, its own part as `Screen.of_part` gives it.
        source: where the files are; of a simulated screen, where they were drawn.
        experiment: which one.
        catalogue: its wells, as `read_catalogue` gives them; None: those that its file names tell.
        store: the zarr store to make.
        problems_file: the CSV of what was wrong; written in every case.
        threads: decoding threads.
        part: that the experiment is in.

    Returns:
        The experiment's index rows in store order, without labels.

    Raises:
        DataError: anything was wrong and the screen says `on_problem: fail`, or no image is left.
    """
    problems = Problems(experiment, "failed" if screen.on_problem == "fail" else "left out")
    patterns = read_patterns(source, screen.fields, screen.experiment_names)
    if source.files is not None and catalogue is not None:
        found = listed_files(source, catalogue)
    else:
        found = find_files(source, patterns, experiment, screen.plate_format)
    if catalogue is None:
        wells = pd.DataFrame([(file.plate, file.well) for file in found.files], columns=["plate", "well"])
        catalogue = catalogue_of_files(screen, experiment, wells)
    fields = plan_fields(found, catalogue, source, problems)
    try:
        kept = _read_into_store(screen, source, fields, store, problems, threads)
    finally:
        problems.write(problems_file)
    stored, read = stored_noun(screen), field_noun(screen)
    if problems.fatal:
        raise DataError(
            f"experiment {experiment}: {_count(problems.count, 'problem')} with its {read.many}, listed in "
            f"{problems_file}; mend the source, or set `on_problem: drop` to leave those {read.many} out"
        )
    if not kept.fields:
        raise DataError(
            f"experiment {experiment}: no {read.one} could be read from {source.root}: "
            f"{_count(len(found.files), 'file')} of it {_found_by(source)}; problems are listed in {problems_file}"
        )
    channels = list(source.channels.values())
    many = stored.count(len(kept.fields))
    if stored != read:
        many += f" of {read.count(len({(plate, well, site.split('.')[0]) for plate, well, site in kept.fields}))}"
    log.info("%s: %s, %s", experiment, many, _count(problems.count, "problem"))
    _tell_clipped(screen, experiment, kept, channels)
    return _index_rows(experiment, part, kept, channels, catalogue)


def pixels_digest(store: Path) -> str:
    """SHA-256 of what a store's pixels come to: their exact moments, sizes, channels and preprocessing.

    It goes into the index, which is what tells jobs that read pixels of a change.
    """
    group = zarr.open_group(store, mode="r")
    images: Any = group["images"]
    layout = {"shape": images.shape, "dtype": str(images.dtype)}
    kept_with = {key: group.attrs[key] for key in ("channels", "preprocessing")}
    return sha256_of_json({**layout, **kept_with}, read_moments(store).tobytes())


def _read_into_store(
    screen: Screen, source: Source, fields: list[Field], store: Path, problems: Problems, threads: int
) -> _Kept:
    """Write every good image."""
    kept = _Kept()
    if not fields:
        return kept
    channels = list(source.channels.values())
    ranges = stored_ranges(screen.image, channels)
    usual = usual_of(fields) or Usual((16, 16), (np.dtype(np.uint8),) * len(channels), None)
    if usual.planes is not None and usual.planes.number > len(channels):
        log.info(
            "%s: each file holds %d planes; %s are read",
            problems.experiment,
            usual.planes.number,
            ", ".join(source.channels),
        )
    blank = blank_images(usual, screen.image, ranges, screen.store, problems.experiment)
    attributes = {
        **processing(screen, channels),
        "source": {"root": source.root, **({"files": source.files} if source.files else {"pattern": source.pattern})},
    }
    shape = (len(fields) * len(blank), *blank.shape[1:])
    with StoreWriter(store, shape, screen.store, attributes, threads) as writer:
        for field, outcome in _processed(fields, usual, screen, ranges, threads):
            if isinstance(outcome, ImageProblem):
                at = field.channels.index(outcome.channel) if outcome.channel in field.channels else 0
                file = outcome.path or field.file(at)
                problems.add(str(outcome), field.plate, field.well, field.site, outcome.channel, file)
            elif not problems.fatal:  # once it will fail nothing more is stored, but every file is looked at
                writer.append(outcome.tiles, outcome.measures.moments)
                kept.add(field, outcome)
        if problems.fatal or not kept.fields:
            writer.abandon()
    return kept


def _tell_clipped(screen: Screen, experiment: str, kept: _Kept, channels: list[str]) -> None:
    """One line: what `image.range` cut off; the index has it of every image."""
    shares = np.mean(np.concatenate(kept.measures["clipped"]), axis=0)
    clipped = [f"{name} {100 * share:.3g} %" for name, share in zip(channels, shares, strict=True) if share > 0]
    if clipped:
        # a simulated camera saturates because it was told to. The limit is the default one, whatever the screen says: a
        # changed one must not read all images again
        odd = not screen.simulated and shares.max() > QcLimits().saturation
        log.log(
            logging.WARNING if odd else logging.INFO,
            "%s: raw values that lay outside of `image.range` and were clipped: %s", experiment, ", ".join(clipped),
        )  # fmt: skip


def _processed(
    fields: list[Field], usual: Usual, screen: Screen, ranges: np.ndarray | None, threads: int
) -> Iterator[tuple[Field, Processed | ImageProblem]]:
    """Every field with its images or what is wrong with it, in order, a few fields ahead of the writer."""
    with worker_pool(threads) as pool:
        waiting: deque[tuple[Field, Future[Processed | ImageProblem]]] = deque()
        for field in fields:
            waiting.append((field, pool.submit(_read_field, field, usual, screen, ranges)))
            if len(waiting) > 4 * threads:  # bounds the memory
                first, outcome = waiting.popleft()
                yield first, outcome.result()
        for field, outcome in waiting:
            yield field, outcome.result()


def _read_field(field: Field, usual: Usual, screen: Screen, ranges: np.ndarray | None) -> Processed | ImageProblem:
    try:
        planes = read_field(field, usual, field_noun(screen))
        return process(planes, screen.image, ranges, screen.store.dtype)
    except ImageProblem as problem:
        return field.at_fault(problem, len(field.channels))


def _index_rows(experiment: str, part: str, kept: _Kept, channels: list[str], catalogue: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame(kept.fields, columns=["plate", "well", "site"])
    # tiles `3.01` … carry what the metadata says of site 3
    rows["field"] = rows["site"].str.split(".").str[0]
    wells = catalogue[catalogue["selected"]].drop(columns=["selected", "experiment"])
    if "site" in wells:
        rows = rows.merge(wells.rename(columns={"site": "field"}), on=["plate", "well", "field"], how="left")
    else:
        rows = rows.merge(wells, on=["plate", "well"], how="left")
    rows = rows.drop(columns="field")
    rows.insert(0, "experiment", experiment)
    rows.insert(0, "image_id", image_ids(rows))
    rows["part"] = part
    rows["store_row"] = np.arange(len(rows), dtype=np.int64)
    return pd.concat([rows, pd.DataFrame(kept.columns(channels))], axis=1)


def _sites(site: str, tiles: int) -> list[str]:
    if tiles == 1:
        return [site]
    width = max(2, len(str(tiles)))
    return [f"{site}.{tile:0{width}d}" for tile in range(1, tiles + 1)]


def _found_by(source: Source) -> str:
    if source.files is not None:
        return f"are listed by the metadata's column {source.files!r}"
    return f"fit the pattern {source.pattern!r}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
