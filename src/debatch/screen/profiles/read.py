"""Profiles made elsewhere: files of features and metadata, read into the format of embeddings."""

import fnmatch
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet

from debatch.config.profiles import ProfileSet
from debatch.config.read import expand, nearest
from debatch.config.screen import Columns, Screen
from debatch.embedding_table import METADATA, OPTIONAL
from debatch.errors import DataError

log = logging.getLogger(__name__)

PREFIX = "Metadata_"
SUFFIXES = (".csv", ".csv.gz", ".parquet", ".h5ad")
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")


class Profiles(NamedTuple):
    """What a file holds.

    Attributes:
        metadata: (N, …) as text.
        features: (N, D) float32.
        names: of the features.
    """

    metadata: pd.DataFrame
    features: np.ndarray
    names: list[str]


def read_profiles(profile_set: ProfileSet, screen: Screen) -> Profiles:
    """Read a file of profiles.

    Args:
        profile_set: which file, and what in it is a feature.
        screen: whose columns the file may name otherwise than `Metadata_…`.

    Raises:
        DataError: no such file, not one of the formats, no feature, or one that is no number.
    """
    file = Path(expand(profile_set.file))
    columns = _columns(file)
    names = _features(file, columns, profile_set, _named(screen))
    others = [column for column in columns if column not in set(names)]
    metadata, features = _read(file, others, names)
    if metadata.empty:
        raise DataError(f"{file}: holds no profile")
    return Profiles(metadata, features, names)


def read_profile_metadata(profile_set: ProfileSet, screen: Screen) -> pd.DataFrame:
    """The metadata of `read_profiles` alone.

    Raises:
        DataError: as `read_profiles`.
    """
    file = Path(expand(profile_set.file))
    columns = _columns(file)
    names = set(_features(file, columns, profile_set, _named(screen)))
    return _read(file, [column for column in columns if column not in names], [])[0]


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


def _columns(file: Path) -> list[str]:
    if not str(file).endswith(SUFFIXES):
        raise DataError(f"{file}: profiles are read from {', '.join(SUFFIXES)}")
    try:
        if file.suffix == ".parquet":
            return [str(name) for name in pyarrow.parquet.read_schema(file).names if not name.startswith("__index")]
        if file.suffix == ".h5ad":
            import anndata

            table = anndata.read_h5ad(file, backed="r")
            try:
                return [*map(str, table.obs.columns), *map(str, table.var_names)]
            finally:
                table.file.close()
        header = pd.read_csv(file, nrows=0)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; see `profiles` in the screen") from None
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise DataError(f"{file}: cannot be read as a table: {error}") from None
    return [str(name) for name in header.columns if not str(name).startswith("Unnamed:")]


def _features(file: Path, columns: list[str], profile_set: ProfileSet, named: set[str]) -> list[str]:
    """The features' names, in the file's order."""
    if profile_set.features is not None:
        chosen = [c for c in columns if any(fnmatch.fnmatchcase(c, pattern) for pattern in profile_set.features)]
        where = f"`features` {profile_set.features}"
    elif any(column.startswith(PREFIX) for column in columns):
        chosen = [c for c in columns if not c.startswith(PREFIX) and c not in named]
        where = f"columns that are not called {PREFIX}…"
    else:
        chosen = [c for c in columns if c in _numeric(file) and c not in named]
        where = "columns of numbers that the screen does not name"
    if not chosen:
        raise DataError(f"{file}: no feature: none of its {len(columns)} columns is one of the {where}")
    return chosen


def _numeric(file: Path) -> set[str]:
    if file.suffix == ".h5ad":
        return set(_h5ad(file)[1])
    if file.suffix == ".parquet":
        schema = pyarrow.parquet.read_schema(file)
        kinds = pyarrow.types
        return {f.name for f in schema if kinds.is_floating(f.type) or kinds.is_integer(f.type)}
    head = pd.read_csv(file, nrows=1000)
    return {str(column) for column in head.columns if pd.api.types.is_numeric_dtype(head[column])}


def _read(file: Path, metadata: list[str], features: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    try:
        if file.suffix == ".h5ad":
            observations, names, values = _h5ad(file)
            table = pd.DataFrame({name: _text(observations[name]) for name in metadata if name in observations})
            at = [names.index(name) for name in features]
            return table.reset_index(drop=True), np.asarray(values[:, at], np.float32)
        if file.suffix == ".parquet":
            table = pd.read_parquet(file, columns=[*metadata, *features])
            texts = pd.DataFrame({name: _text(table[name]) for name in metadata}).reset_index(drop=True)
            return texts, _numbers(file, table, features)
        # every column of metadata as text: a compound named NA, a plate named 01 and a mixed column all survive
        missing = {name: [""] for name in metadata} | {name: list(MISSING) for name in features}
        table = pd.read_csv(
            file,
            usecols=[*metadata, *features],
            dtype=dict.fromkeys(metadata, "str"),
            keep_default_na=False,
            na_values=missing,
        )
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise DataError(f"{file}: cannot be read as a table of profiles: {error}") from None
    return table[metadata], _numbers(file, table, features)


def _numbers(file: Path, table: pd.DataFrame, features: list[str]) -> np.ndarray:
    words = [name for name in features if not pd.api.types.is_numeric_dtype(table[name])]
    if words:
        raise DataError(
            f"{file}: the column {words[0]!r} holds words, as {table[words[0]].dropna().iloc[0]!r}, and is taken for a "
            f"feature ({len(words)} such {'column' if len(words) == 1 else 'columns'}); call it {PREFIX}…, or say "
            "which columns are features by `features`"
        )
    return table[features].to_numpy(np.float32)


def _h5ad(file: Path) -> tuple[pd.DataFrame, list[str], np.ndarray]:
    import anndata

    table = anndata.read_h5ad(file)
    values = table.X.toarray() if hasattr(table.X, "toarray") else table.X
    if values is None:
        raise DataError(f"{file}: holds no matrix X")
    return table.obs, [str(name) for name in table.var_names], np.asarray(values, np.float32)


def _text(values: pd.Series) -> pd.Series:
    """Text as a CSV would hold it: whole numbers without a point, nothing where nothing is."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    texts = values.astype("object").map(str, na_action="ignore")
    return texts.where(values.notna(), None).astype("str")
