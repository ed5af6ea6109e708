"""Files of profiles, each format by the library that knows it: which columns there are, and what they hold."""

import glob
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from debatch.errors import DataError, UserError
from debatch.pointers import pointer_problem
from debatch.text_table import columns_of_numbers, open_table, read_columns, trimmed

TEXT_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
SUFFIXES = (*TEXT_SUFFIXES, ".parquet", ".h5ad")


class ProfileFile(ABC):
    """A file that is open for its columns.

    Attributes:
        file: it.
        columns: names of columns in order, of metadata and of features.
        features: those that the format itself calls features; None: it does not tell them apart.
        words: what is unusual about how it is written; empty: nothing.
    """

    file: Path
    columns: list[str]
    features: list[str] | None = None
    words: str = ""

    @abstractmethod
    def numbers(self) -> set[str]:
        """The columns that hold numbers."""

    @abstractmethod
    def read(self, metadata: Sequence[str], features: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
        """Some columns.

        Returns:
            Metadata (N, …) as text without blanks around it, and features (N, D) float32.

        Raises:
            DataError: the file is broken, or a feature holds something that is no number.
        """


def open_profiles(file: Path) -> ProfileFile:
    """A file of profiles by its suffix, in capitals or not.

    Raises:
        DataError: no such file, a pointer of Git LFS, not one of the formats, broken, or a column that is there twice.
    """
    name = file.name.lower()
    if not name.endswith(SUFFIXES):
        raise DataError(f"{file}: profiles are read from {', '.join(SUFFIXES)}")
    if not file.exists():
        raise DataError(
            f"{file}: no {'file fits this pattern' if glob.has_magic(str(file)) else 'such file'}; see "
            "`profiles` in the screen"
        )
    if problem := pointer_problem(file):
        raise DataError(f"{file}: {problem}")
    kind = _Parquet if name.endswith(".parquet") else _AnnData if name.endswith(".h5ad") else _Text
    with _read_by_library(file):
        return kind(file)


@contextmanager
def _read_by_library(file: Path) -> Iterator[None]:
    """Errors of the libraries that know a format, which raise types of their own, as one for the user."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DataError(f"{file}: cannot be read as a table of profiles ({said})") from None


class _Text(ProfileFile):
    def __init__(self, file: Path) -> None:
        self.file = file
        self._table = open_table(file, "profiles")
        self.columns = [name for name in self._table.columns if name]
        self.words = self._table.words

    def numbers(self) -> set[str]:
        return columns_of_numbers(self._table)

    def read(self, metadata: Sequence[str], features: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
        texts, numbers = read_columns(self._table, metadata, features)
        return texts, _as_float32(numbers)


class _Parquet(ProfileFile):
    def __init__(self, file: Path) -> None:
        self.file = file
        self._schema = pyarrow.parquet.read_schema(file)
        # what pandas calls an index is a column like the others; but not its row numbers
        self.columns = [str(name) for name in self._schema.names if not str(name).startswith("__index_level_")]
        _refuse_twice(file, self.columns)

    def numbers(self) -> set[str]:
        kinds = pyarrow.types
        return {f.name for f in self._schema if kinds.is_floating(f.type) or kinds.is_integer(f.type)}

    def read(self, metadata: Sequence[str], features: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
        with _read_by_library(self.file):
            read = pyarrow.parquet.read_table(self.file, columns=[*metadata, *features])
            # without what pandas wrote beside it: an index would be taken out of the columns
            table = read.replace_schema_metadata(None).to_pandas()
        for name in features:
            if not pd.api.types.is_numeric_dtype(table[name]):
                table[name] = _numbers_in_words(self.file, table[name])
        texts = pd.DataFrame({name: _text(table[name]) for name in metadata}, index=table.index)
        values = table[list(features)].to_numpy(np.float64, na_value=np.nan) if len(features) else _none_of(table)
        return texts, _as_float32(values)


class _AnnData(ProfileFile):
    """What stands in `obs` is metadata, whatever its names are, and what stands in `var` is a feature."""

    def __init__(self, file: Path) -> None:
        import anndata

        self.file = file
        table = anndata.read_h5ad(file, backed="r")
        try:
            self._metadata = [str(name) for name in table.obs.columns]
            self.features = [str(name) for name in table.var_names]
        finally:
            table.file.close()
        _refuse_twice(file, self.features, "features")
        _refuse_twice(file, self._metadata)
        self.columns = [*self._metadata, *self.features]
        _refuse_twice(file, self.columns, "columns of `obs` and features of `var`")

    def numbers(self) -> set[str]:
        assert self.features is not None
        return set(self.features)

    def read(self, metadata: Sequence[str], features: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
        import anndata

        with _read_by_library(self.file):
            table = anndata.read_h5ad(self.file)
        known = [name for name in metadata if name in self._metadata]
        texts = pd.DataFrame({name: _text(table.obs[name]) for name in known}, index=table.obs.index)
        texts = texts.reset_index(drop=True)
        if not len(features):
            return texts, _none_of(texts)
        if table.X is None:
            raise DataError(f"{self.file}: holds no matrix X")
        at = table.var_names.get_indexer(list(features))
        values = table.X[:, at]
        return texts, np.asarray(values.toarray() if hasattr(values, "toarray") else values, np.float32)


def _none_of(table: pd.DataFrame) -> np.ndarray:
    return np.empty((len(table), 0), np.float32)


def _refuse_twice(file: Path, names: list[str], what: str = "columns") -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{file}: {names.count(twice[0])} {what} are called {twice[0]!r}; give each its own name")


def _numbers_in_words(file: Path, column: pd.Series) -> pd.Series:
    # by its words: pandas takes a date for a number
    numbers = pd.to_numeric(column.astype("object").map(str, na_action="ignore"), errors="coerce")
    odd = np.flatnonzero(numbers.isna() & column.notna())
    if len(odd) == 0:
        return numbers
    raise DataError(
        f"{file}, row {odd[0] + 1}: the column {column.name!r} holds {column.iloc[odd[0]]!r}, which is no number, and "
        "is taken for a feature; call it Metadata_…, say which columns are features by `features`, or mend the cell"
    )


def _as_float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which is looked for later
        return values.astype(np.float32)


def _as_str(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _text(values: pd.Series) -> pd.Series:
    """Text as a CSV would hold it: whole numbers without a point, nothing where nothing is, no blanks around it."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    texts = values.astype("object").map(_as_str, na_action="ignore")
    return trimmed(texts.where(values.notna(), None).astype("str"))
