"""The class that each image is an example of."""

import pandas as pd

from debatch.config.recipe import Label
from debatch.errors import DataError


def classes_of(index: pd.DataFrame, label: Label) -> pd.Series:
    """(N,) Int64: the class that each image is an example of; none where that is not known.

    Args:
        index: of the screen, from which the classes are numbered.
        label: what a class is.

    Raises:
        DataError: the index knows no mechanism.
    """
    if label == "perturbation":
        return index["label"]
    known = index["mechanism"].dropna() if "mechanism" in index else pd.Series(dtype=str)
    if known.empty:
        raise DataError("no image of the screen has a mechanism; see `columns.mechanism`, or leave out `label`")
    numbers = {name: number for number, name in enumerate(sorted(known.unique()))}
    return index["mechanism"].map(numbers).astype("Float64").astype("Int64")
