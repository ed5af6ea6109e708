"""Tables on disk: written beside, then renamed, so that a killed job leaves nothing that looks finished."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet

# columns of CSV tables that hold names, whatever these look like; an empty one stays empty
NAMES = ("cell_type", "batch", "domain")
# of a Parquet file, beside what it says of itself
_COLUMN_TYPES = {b"pandas", b"ARROW:schema"}


def write_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Have `write` make a temporary sibling, then rename it to `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part{path.suffix}")
    try:
        write(part)
        with part.open("rb") as file:  # else a machine that goes down leaves the name with nothing behind it
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_frame(frame: pd.DataFrame, path: Path | str, about: dict[str, str] | None = None) -> None:
    """Write a Parquet or CSV table by the path's suffix; `about` is kept as Parquet key-value metadata."""
    path = Path(path)
    if path.suffix == ".csv":
        write_atomically(path, lambda part: frame.to_csv(part, index=False))
        return
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **(about or {})})
    write_atomically(path, lambda part: pyarrow.parquet.write_table(table, part, compression="zstd"))


def read_about(path: Path | str) -> dict[str, str]:
    """What a Parquet table of `write_frame` says of itself; empty where it says nothing."""
    kept = pyarrow.parquet.read_schema(path).metadata or {}
    own = {key.decode(): value.decode() for key, value in kept.items() if key not in _COLUMN_TYPES}
    return {key: value for key, value in own.items() if value}


def read_frame(path: Path | str) -> pd.DataFrame:
    """Read a Parquet or CSV table by the path's suffix."""
    if str(path).endswith(".csv"):
        columns = pd.read_csv(path, nrows=0).columns
        empty = {column: [""] for column in columns if column not in NAMES}
        return pd.read_csv(path, dtype=dict.fromkeys(NAMES, str), keep_default_na=False, na_values=empty)
    return pd.read_parquet(path)


def write_text(text: str, path: Path | str) -> None:
    """Write a text file."""
    write_atomically(path, lambda part: part.write_text(text))
