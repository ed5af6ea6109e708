"""CSV tables whose columns are text, whatever they look like."""

from pathlib import Path

import pandas as pd

from debatch.errors import DataError


def read_text_table(file: Path | str, key: str) -> pd.DataFrame:
    """A table of text: a siRNA named NA, a plate named 01 and a mixed column all survive; an empty cell is missing.

    Args:
        file: the CSV.
        key: of the screen's configuration that names it, for messages.

    Raises:
        DataError: no such file, or no CSV.
    """
    try:
        return pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; see `{key}` in the screen") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as a CSV table: {error}") from None
