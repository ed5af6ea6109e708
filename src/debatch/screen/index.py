"""The index: every stored image of a screen, a row an image."""

import logging
from pathlib import Path

import pandas as pd

from debatch.errors import DataError
from debatch.screen.metadata import class_labels
from debatch.tabular import read_frame

log = logging.getLogger(__name__)
ORDER = [
    "image_id",
    "experiment",
    "plate",
    "well",
    "site",
    "cell_type",
    "well_type",
    "perturbation",
    "label",
    "batch",
]


def build_index(ingested: list[Path], catalogue: pd.DataFrame) -> pd.DataFrame:
    """Join the experiments' rows and give each perturbation its label.

    Args:
        ingested: the experiments' rows, in the order of the screen's experiments.
        catalogue: the metadata, from which the classes are numbered, so that a dropped image renumbers nothing.

    Returns:
        A row an image; `label` is Int64 and null where the metadata has no perturbation.

    Raises:
        DataError: no image has a label.
    """
    index = pd.concat([read_frame(file) for file in ingested], ignore_index=True)
    labels = class_labels(catalogue.loc[catalogue["selected"], "perturbation"])
    index["label"] = index["perturbation"].map(labels).astype("Int64")
    if index["label"].isna().all():
        raise DataError("no image of the screen has a perturbation; see `columns.perturbation`")
    unseen = sorted(set(labels.values()) - set(index["label"].dropna()))
    if unseen:
        log.info("%d of %d classes of the metadata have no image", len(unseen), len(labels))
    last = ["part", "store_row"]
    own = [column for column in index.columns if column not in {*ORDER, *last}]
    return index[[*ORDER, *last, *own]]
