"""Profiles made elsewhere: files of features and metadata, read into the format of embeddings."""

import fnmatch
import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from debatch.config.metadata import Columns
from debatch.config.profiles import NO_FEATURE_WORDS, NO_FEATURES, ProfileSet
from debatch.config.read import nearest
from debatch.config.screen import Screen
from debatch.embedding_table import METADATA, OPTIONAL
from debatch.errors import DataError
from debatch.screen.profiles.annotations import NUMBERS_BESIDE
from debatch.screen.profiles.formats import ProfileFile, open_profiles

log = logging.getLogger(__name__)

PREFIX = "Metadata_"
EXAMPLES = 3


class Profiles(NamedTuple):
    """What the files of a set hold, one below the other.

    Attributes:
        metadata: (N, …) as text.
        features: (N, D) float32.
        names: of the features.
        left_out: columns of numbers that are no features.
        unmatched: patterns of features that no column fits.
        at: (N,) where each profile stands, as `plate1.csv, row 7`.
    """

    metadata: pd.DataFrame
    features: np.ndarray
    names: list[str]
    left_out: list[str]
    unmatched: list[str]
    at: list[str]


def read_profiles(profile_set: ProfileSet, screen: Screen) -> Profiles:
    """Read the files of a set.

    Args:
        profile_set: which files, and what in them is a feature.
        screen: whose columns the files may name otherwise than `Metadata_…`.

    Raises:
        DataError: no such file, not one of the formats, no feature, one that is no number, or files whose features
            differ.
        ConfigError: as `ProfileSet.files`.
    """
    return _read(profile_set, screen, with_features=True)


def read_profile_metadata(profile_set: ProfileSet, screen: Screen) -> Profiles:
    """As `read_profiles`, without the features' values: D is 0.

    Raises:
        DataError: as `read_profiles`.
        ConfigError: as `ProfileSet.files`.
    """
    return _read(profile_set, screen, with_features=False)


def where_of(profile_set: ProfileSet) -> str:
    """The files of a set in a word or two, for messages."""
    files = profile_set.files()
    return str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more files"


def columns_of_profiles(columns: Columns, there: Iterable[str], where: str) -> Columns:
    """The screen's columns; those that it does not name are found by the names of our own files, or left out.

    Args:
        columns: as the screen's file names them.
        there: columns of the metadata.
        where: the file, for messages.

    Raises:
        DataError: nothing says what is the batch.
    """
    known = set(there)
    said = {role: getattr(columns, role) for role in columns.model_fields_set}
    found = {role: name for role, name in {**METADATA, **OPTIONAL}.items() if name in known}
    left_out = dict.fromkeys(("site", "cell_type", "well_type", "compound", "mechanism"))
    roles = {**left_out, **{role: name for role, name in found.items() if role in Columns.model_fields}, **said}
    if "batch" not in roles:
        raise DataError(
            f"{where}: nothing says which column is the batch, whose effect is to be measured; name it as "
            f"`columns.batch` in the screen; there is: {', '.join(sorted(known))}"
        )
    batch = roles["batch"]
    for column in [batch] if isinstance(batch, str) else batch:
        if column not in known:
            raise DataError(
                f"{where}: no column {column!r}, which the screen names as `columns.batch`"
                f"{nearest(column, sorted(known))}"
            )
    if "experiment" not in roles:
        if not isinstance(batch, str):
            raise DataError(f"{where}: name the experiment as `columns.experiment` where the batch is several columns")
        roles["experiment"] = batch
    return Columns(**roles)


def _named(screen: Screen) -> set[str]:
    """Columns that the screen's file names: never features."""
    columns = screen.columns
    said = [getattr(columns, role) for role in columns.model_fields_set]
    names = {name for value in said for name in (value if isinstance(value, list) else [value]) if name}
    names |= {rule.source for rule in screen.derive.values()}
    names |= {column for annotation in screen.annotations for column in annotation.match}
    return names | set(screen.metadata.select if screen.metadata else ())


def _read(profile_set: ProfileSet, screen: Screen, with_features: bool) -> Profiles:
    opened = [open_profiles(file) for file in profile_set.files()]
    named = _named(screen)
    chosen = [_features(file, profile_set, named) for file in opened]
    names, left_out = chosen[0]
    for file, (other, _) in zip(opened[1:], chosen[1:], strict=True):
        _refuse_other_features(file, other, opened[0], names)
    unmatched = _unmatched(names, profile_set)
    if unmatched:
        log.warning("%s: no column fits %s of `features`", where_of(profile_set), ", ".join(map(repr, unmatched)))
    metadata, features, at = [], [], []
    for file in opened:
        others = [column for column in file.columns if column not in {*names, *left_out}]
        texts, values = file.read(others, names if with_features else [])
        metadata.append(texts)
        features.append(values)
        at += [f"{file.file}, row {row + 1}" for row in texts.index]
        if file.words:
            log.info("%s: read as %s", file.file, file.words)
    if not at:
        raise DataError(f"{where_of(profile_set)}: holds no profile")
    together = pd.concat(metadata, ignore_index=True)
    # for messages on a column that is not there: one of numbers may be meant
    together.attrs[NUMBERS_BESIDE] = [column for column in left_out if not _is_of_a_program(column)]
    values = features[0] if len(features) == 1 else np.concatenate(features)
    return Profiles(together, values, names if with_features else [], left_out, unmatched, at)


def _refuse_other_features(file: ProfileFile, names: list[str], first: ProfileFile, of_first: list[str]) -> None:
    """The files of one set hold the same features, in whatever order."""
    lacking = [name for name in of_first if name not in set(names)]
    more = [name for name in names if name not in set(of_first)]
    if lacking or more:
        said = [f"lacks {_some(lacking)}"] if lacking else []
        said += [f"has {_some(more)} besides"] if more else []
        raise DataError(
            f"{file.file}: its features are not those of {first.file}: it {' and '.join(said)}; name those that all "
            "files have by `features`, or make two sets of them"
        )


def _features(file: ProfileFile, profile_set: ProfileSet, named: set[str]) -> tuple[list[str], list[str]]:
    """As `_chosen`; refuses a feature that is called as metadata are: it would be one no longer once it is written."""
    chosen, left_out = _chosen(file, profile_set, named)
    if taken := [name for name in chosen if name.startswith(PREFIX)]:
        raise DataError(
            f"{file.file}: {taken[0]!r} would be a feature, and {PREFIX}… is what metadata are called; rename it, or "
            "say by `features` which columns are features"
        )
    return chosen, left_out


def _chosen(file: ProfileFile, profile_set: ProfileSet, named: set[str]) -> tuple[list[str], list[str]]:
    """The features' names in the file's order, and columns of numbers that would be features but for their names."""
    candidates = file.columns if file.features is None else file.features
    if profile_set.features is not None:
        patterns = profile_set.features
        chosen = [name for name in candidates if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
        if not chosen:
            raise DataError(
                f"{file.file}: no feature: none of its {len(candidates)} columns fits `features` {patterns}"
            )
        numbers = file.numbers() - {*chosen, *named}
        return chosen, [name for name in candidates if name in numbers and not name.startswith(PREFIX)]
    if file.features is not None:
        where = "features of `var`"
    elif any(column.startswith(PREFIX) for column in candidates):
        where = f"columns that are not called {PREFIX}…"
        candidates = [name for name in candidates if not name.startswith(PREFIX) and name not in named]
    else:
        where = "columns of numbers that the screen does not name"
        numbers = file.numbers()
        candidates = [name for name in candidates if name in numbers and name not in named]
    left_out = [name for name in candidates if _is_no_feature(name)]
    chosen = [name for name in candidates if name not in set(left_out)]
    if not chosen:
        hint = (
            "; one column alone may mean that its fields are parted by something else" if len(file.columns) == 1 else ""
        )
        raise DataError(f"{file.file}: no feature: none of its {len(file.columns)} columns is one of the {where}{hint}")
    return chosen, left_out


def _unmatched(names: Sequence[str], profile_set: ProfileSet) -> list[str]:
    """Patterns of features that fit none of some columns."""
    return [pattern for pattern in profile_set.features or () if not fnmatch.filter(names, pattern)]


def _is_no_feature(name: str) -> bool:
    return name.lower() in NO_FEATURE_WORDS or _is_of_a_program(name)


def _is_of_a_program(name: str) -> bool:
    """Whether it counts or places objects, as programs write beside features."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in NO_FEATURES)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:EXAMPLES])
    return shown + (f" and {len(names) - EXAMPLES} more" if names[EXAMPLES:] else "")
