"""What a screen's pattern, files and metadata come to, before anything runs."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from debatch.config.images import Source
from debatch.config.metadata import MetadataFile
from debatch.config.screen import Screen
from debatch.errors import DataError, UserError
from debatch.screen.flags import cut_off_words
from debatch.screen.index import expected_index, with_labels
from debatch.screen.ingest.decode import ImageProblem, truncation
from debatch.screen.ingest.findings import ChannelValues, Findings
from debatch.screen.ingest.listed import listed_files
from debatch.screen.ingest.measure import cut_off
from debatch.screen.ingest.plan import Field, Problems, plan_fields
from debatch.screen.ingest.process import stored_ranges
from debatch.screen.ingest.source import (
    PICTURE_SUFFIXES,
    FoundFiles,
    raw_file,
    read_name,
    read_patterns,
    shown,
    walk_all,
)
from debatch.screen.ingest.usual import blank_images, read_field, size_words, usual_of
from debatch.screen.metadata import catalogue_of_files, natural_key, read_catalogue
from debatch.screen.names.identifiers import image_ids
from debatch.screen.names.spelling import doubtful_names
from debatch.screen.nouns import field_noun
from debatch.screen.splits import balance, make_split

MOST_ENDS = 20_000
READING_THREADS = 4


def check_screen(
    screen: Screen, source: Source, tables: list[MetadataFile], experiments: list[str], sampled: int
) -> Findings:
    """Hold a screen's files against its pattern and metadata, and look at some of the images.

    Args:
        screen: what to do.
        source: where the files are, its root expanded.
        tables: the metadata's files, their names expanded.
        experiments: the screen's.
        sampled: how many images are read, spread over the screen.
    """
    findings = check_part(screen, source, tables, experiments, sampled)
    if not findings.errors:
        _check_splits(findings, screen, source)
    return findings


def check_parts(
    screen: Screen, sources: dict[str, Source], tables: list[MetadataFile], sampled: int
) -> tuple[dict[str, Findings], Findings]:
    """The same of each part of a screen, and of its splits, which are drawn over all parts.

    Args:
        screen: in parts.
        sources: where the files of each part are, their roots expanded.
        tables: the metadata's files, their names expanded.
        sampled: how many images of each part are read.
    """
    parts = {name: screen.of_part(name) for name in sources}
    experiments = {name: part.experiment_names() for name, part in (screen.parts or {}).items()}
    found = {name: check_part(part, sources[name], tables, experiments[name], sampled) for name, part in parts.items()}
    for name, findings in found.items():
        _forget_other_parts(findings, screen, name, sources, {e for own in experiments.values() for e in own})
    whole = Findings(fit=sum(findings.fit for findings in found.values()))
    images = [findings.index for findings in found.values() if findings.index is not None]
    if images and not any(findings.errors for findings in found.values()):
        every = [experiment for own in experiments.values() for experiment in own]
        catalogue = read_catalogue(screen, tables, every) if tables else None
        whole.index = with_labels(pd.concat(images, ignore_index=True), catalogue)
        _draw_splits(whole, screen)
    return found, whole


def _forget_other_parts(
    findings: Findings, screen: Screen, name: str, sources: dict[str, Source], experiments: set[str]
) -> None:
    """Files of another part below the same folder are not out of place there."""
    for experiment in experiments & set(findings.elsewhere):
        del findings.elsewhere[experiment]
    for other, source in sources.items():
        if other == name or source.root != sources[name].root:
            continue
        patterns, root = read_patterns(source, screen.of_part(other).fields, screen.experiment_names), Path(source.root)
        findings.stray = [
            (path, why)
            for path, why in findings.stray
            if read_name(path.relative_to(root).as_posix(), patterns, screen.plate_format)[0] is None
        ]


def check_part(
    screen: Screen, source: Source, tables: list[MetadataFile], experiments: list[str], sampled: int
) -> Findings:
    """As `check_screen`, without the splits."""
    findings = Findings()
    try:
        findings.catalogue = read_catalogue(screen, tables, experiments) if tables else None
    except UserError as error:  # the files are worth a look all the same
        findings.errors.append(str(error))
    try:
        _check_files(findings, screen, source, experiments, sampled)
    except UserError as error:
        findings.errors.append(str(error))
    return findings


def _check_files(findings: Findings, screen: Screen, source: Source, experiments: list[str], sampled: int) -> None:
    patterns = read_patterns(source, screen.fields, screen.experiment_names)
    root = Path(source.root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; see `source.root` in the screen")
    found = {experiment: FoundFiles() for experiment in experiments}
    if source.files is not None:
        # not one file beyond those that are listed is looked at: a folder may hold a million of them
        found = _listed(findings, source, experiments)
    for path, unlisted in walk_all(source) if source.files is None else ():
        if unlisted:
            findings.stray.append((path, unlisted))
            continue
        values, why = read_name(path.relative_to(root).as_posix(), patterns, screen.plate_format)
        if values is None and path.suffix.lower() in PICTURE_SUFFIXES:
            findings.stray.append((path, why))
        elif values is None:
            findings.other.append(path)
        elif values["experiment"] in found:
            file = raw_file(source, path, values)
            found[values["experiment"]].files.append(file)
            findings.channels[file.channel] += 1
        else:
            findings.elsewhere[values["experiment"]] += 1
    findings.fit = sum(len(each.files) for each in found.values())
    expected = screen.expected_images
    if source.files is not None and findings.catalogue is not None and expected is not None:
        count = int(findings.catalogue["selected"].sum())
        if count != expected:
            findings.errors.append(f"the metadata lists {count:,} images, and `expected_images` says {expected:,}")
    fields, problems, rows, images = {}, [], [], []
    for experiment, files in found.items():
        wells = _catalogue_of(experiment, screen, findings.catalogue, files)
        listed = Problems(experiment, "")
        fields[experiment] = plan_fields(files, wells, source, listed)
        problems += listed.rows
        if not fields[experiment] and not listed.count and findings.fit:
            of_it = "fits the pattern" if source.files is None else "is there"
            findings.errors.append(f"experiment {experiment}: no file of it {of_it}")
        rows += _plate_rows(experiment, files, source)
        findings.add_plates(experiment, files, wells)
        images.append(_images(experiment, fields[experiment], wells))
    findings.problems = pd.DataFrame(problems)
    _look_at_ends(findings, [file.path for files in found.values() for file in files.files])
    findings.files = pd.DataFrame(rows, columns=["experiment", "plate", "wells", "images", "complete", "files"])
    if findings.fit:
        findings.index = with_labels(pd.concat(images, ignore_index=True), findings.catalogue)
        _look_at_images(findings, screen, source, fields, sampled)
    _look_at_names(findings, screen)


def _listed(findings: Findings, source: Source, experiments: list[str]) -> dict[str, FoundFiles]:
    """The files that the metadata lists."""
    catalogue = findings.catalogue
    if catalogue is None:
        return {experiment: FoundFiles() for experiment in experiments}
    return {name: listed_files(source, catalogue[catalogue["experiment"] == name]) for name in experiments}


def _look_at_names(findings: Findings, screen: Screen) -> None:
    """Names that are likely not what was meant, of the metadata, or of the files where there is none."""
    catalogue = findings.catalogue
    rows = findings.index if catalogue is None else catalogue[catalogue["selected"]]
    if rows is not None:
        findings.names = doubtful_names(rows, screen.missing)


def _catalogue_of(experiment: str, screen: Screen, catalogue: pd.DataFrame | None, files: FoundFiles) -> pd.DataFrame:
    if catalogue is not None:
        return catalogue[catalogue["experiment"] == experiment]
    places = pd.DataFrame([(file.plate, file.well) for file in files.files], columns=["plate", "well"])
    return catalogue_of_files(screen, experiment, places)


def _plate_rows(experiment: str, found: FoundFiles, source: Source) -> list[dict[str, object]]:
    rows = []
    channels = set(source.channels)
    for plate in sorted({file.plate for file in found.files}, key=natural_key):
        files = [file for file in found.files if file.plate == plate]
        by_image: dict[tuple[str, str], set[str]] = {}
        for file in files:
            by_image.setdefault((file.well, file.site), set()).add(file.channel)
        rows.append(
            {
                "experiment": experiment,
                "plate": plate,
                "wells": len({file.well for file in files}),
                "images": len({(file.well, file.site) for file in files}),
                "complete": sum(seen == {""} or seen >= channels for seen in by_image.values()),
                "files": len(files),
            }
        )
    return rows


def _images(experiment: str, fields: list[Field], wells: pd.DataFrame) -> pd.DataFrame:
    """The images that can be read, with what the metadata says of them."""
    places = [(place.plate, place.well, place.site) for place in fields]
    images = pd.DataFrame(places, columns=["plate", "well", "site"], dtype="str")
    keys = ["plate", "well", *(["site"] if "site" in wells else [])]
    images = images.merge(wells.drop(columns="experiment"), on=keys, how="left")
    images.insert(0, "experiment", experiment)
    images.insert(0, "image_id", image_ids(images))
    return images


def _look_at_ends(findings: Findings, paths: list[Path]) -> None:
    """Find files that were cut off: quick enough to do with every one of a usual screen."""
    step = max(1, -(-len(paths) // MOST_ENDS))
    chosen = paths[::step]
    with ThreadPoolExecutor(READING_THREADS) as pool:
        findings.unreadable += [
            (path, why) for path, why in zip(chosen, pool.map(truncation, chosen), strict=True) if why
        ]
    findings.ends_seen = len(chosen)


def _look_at_images(
    findings: Findings, screen: Screen, source: Source, fields: dict[str, list[Field]], sampled: int
) -> None:
    """Read some images as ingestion will, held against the usual ones of their experiments."""
    channels = list(source.channels.values())
    findings.values = {name: ChannelValues() for name in channels}
    every = [(experiment, place) for experiment, places in fields.items() for place in places]
    at = np.unique(np.linspace(0, len(every) - 1, min(sampled, len(every))).astype(int))
    chosen = [every[position] for position in at]
    usual = {experiment: usual_of(fields[experiment]) for experiment in dict.fromkeys(name for name, _ in chosen)}
    seen: dict[bytes, tuple[Path, str]] = {}
    for experiment, place in chosen:
        most = usual[experiment]
        try:
            # where none can be read, neither can this one: its own reason is the one to say
            planes = place.read()[0] if most is None else read_field(place, most, field_noun(screen))
        except ImageProblem as found:
            problem = place.at_fault(found, 0)
            _add_unreadable(findings, problem.path or place.file(0), str(problem))
            continue
        for channel, (name, plane) in enumerate(zip(channels, planes, strict=True)):
            _look_for_nothing(findings, place.file(channel), name, plane, seen)
            findings.shapes[plane.shape] += 1
            findings.dtypes[plane.dtype.name] += 1
            if missing := cut_off(plane):
                # ingestion would store it, and flag it
                _add_unreadable(findings, place.file(channel), cut_off_words(missing))
                continue
            findings.values[name].counts += np.bincount(plane.ravel(), minlength=2**16)
            findings.values[name].images += 1
    findings.values = {name: values for name, values in findings.values.items() if values.images}
    ranges = stored_ranges(screen.image, channels)
    if ranges is not None:
        for (low, high), name in zip(ranges, channels, strict=True):
            if name in findings.values:
                counts, raw = findings.values[name].counts, np.arange(2**16)
                findings.values[name].outside = float(counts[(raw < low) | (raw > high)].sum() / counts.sum())
    stored = {}
    for experiment, most in usual.items():
        if most is None:
            continue
        if most.planes is not None:
            findings.planes[most.planes.number] += 1
        try:
            stored[experiment] = blank_images(most, screen.image, ranges, screen.store, experiment)
        except UserError as error:
            if str(error) not in findings.errors:
                findings.errors.append(str(error))
    sizes = {tiles.shape[1:]: experiment for experiment, tiles in stored.items()}
    if len(sizes) > 1:
        (one, first), (other, second) = list(sizes.items())[:2]
        findings.errors.append(
            f"the images of {first} come to {size_words(one)} and those of {second} to {size_words(other)}, and a "
            "screen's must all be of one size; crop them by `image.crop`, or put them into `parts`"
        )
    elif stored:
        tiles = next(iter(stored.values()))
        findings.stored = tiles.shape[1:], tiles.dtype.name, len(tiles)


def _look_for_nothing(
    findings: Findings, path: Path, stain: str, plane: np.ndarray, seen: dict[bytes, tuple[Path, str]]
) -> None:
    """A plane of one value, or one that was read before: no two photographs are alike to the pixel."""
    if plane.min() == plane.max():
        findings.odd.append((path, f"all pixels of {stain} are {plane.flat[0]}"))
        return
    digest = hashlib.sha256(plane.tobytes()).digest()
    first, its_stain = seen.setdefault(digest, (path, stain))
    if (first, its_stain) != (path, stain):
        findings.odd.append((path, f"{stain} is the same to the pixel as {its_stain} of '{shown(first)}'"))


def _add_unreadable(findings: Findings, path: Path, why: str) -> None:
    if path not in {known for known, _ in findings.unreadable}:
        findings.unreadable.append((path, why))


def _check_splits(findings: Findings, screen: Screen, source: Source) -> None:
    """Draw every split on what is on disk, or, where no image is, on what the metadata promises."""
    if findings.index is None and findings.catalogue is not None:
        try:
            findings.index = expected_index(findings.catalogue, source)
        except UserError as error:
            findings.errors.append(str(error))
    _draw_splits(findings, screen)


def _draw_splits(findings: Findings, screen: Screen) -> None:
    index = findings.index
    if index is None:
        return
    for name in screen.splits.names:
        try:
            findings.balances[name] = balance(make_split(name, index, screen.splits), index)
        except UserError as error:
            findings.balances[name] = str(error)
