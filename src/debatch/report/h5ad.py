"""Embeddings as AnnData (.h5ad), which scanpy and its kin open."""

from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api import types

from debatch.embedding_table import feature_names, features_of
from debatch.tabular import write_atomically

NAMES = "Metadata_Image"


def write_h5ad(table: pd.DataFrame, path: Path | str, about: dict[str, str]) -> None:
    """Write a table of embeddings as AnnData: X (N, D) float32, features as `var_names`.

    `obs` holds the `Metadata_*` columns under the names that they have in the Parquet table, since those are what
    pycytominer and copairs know; a slash in one becomes `_`, for in the file it would be a folder. Words and dates are
    categories there, a missing one stays missing, and whole numbers with gaps stay whole. `obs_names` are the images'
    (row numbers in a table without `Metadata_Image`).

    Args:
        table: `Metadata_*` columns, then a column a feature.
        path: of the file.
        about: kept in `uns`.
    """
    import anndata  # slow to import

    metadata = table.drop(columns=feature_names(table))
    names = metadata[NAMES] if NAMES in metadata else range(len(metadata))
    obs = pd.DataFrame(
        {name: _writable(metadata[column]).array for column, name in _without_slashes(metadata).items()},
        index=_plain([str(name) for name in names]),
    )
    # HDF5 takes neither pandas' own strings nor an index of them
    obs.columns = _plain(list(obs.columns))
    data = anndata.AnnData(
        features_of(table),
        obs=obs,
        var=pd.DataFrame(index=_plain(feature_names(table))),
        uns={key: str(value) for key, value in about.items()},
    )
    write_atomically(path, lambda part: data.write_h5ad(part))


def _without_slashes(metadata: pd.DataFrame) -> dict[str, str]:
    """Each column's name in the file: two of them must not become one."""
    names: dict[str, str] = {}
    for column in sorted(map(str, metadata.columns), key=lambda column: "/" in column):  # who needs no change keeps it
        name = column.replace("/", "_")
        while name in names.values():
            name += "_"
        names[column] = name
    return {column: names[column] for column in map(str, metadata.columns)}


def _writable(column: pd.Series) -> pd.Series:
    """A column as one of the kinds that AnnData writes."""
    if types.is_bool_dtype(column.dtype):
        return column.astype("boolean") if column.hasnans else column.astype(bool)
    if types.is_integer_dtype(column.dtype):
        return column.astype("Int64") if column.hasnans else column.astype(np.int64)
    if types.is_float_dtype(column.dtype):
        return column.astype(np.float64)
    known = column.notna()
    codes, words = pd.factorize(column[known].astype(str), sort=True)
    all_codes = np.full(len(column), -1)
    all_codes[known] = codes
    return pd.Series(pd.Categorical.from_codes(all_codes, _plain([str(word) for word in words])), index=column.index)


def _plain(names: list[str]) -> pd.Index:
    return pd.Index(names, dtype=object)
