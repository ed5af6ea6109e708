"""The index: every stored image of a screen, a row an image."""

import logging
from pathlib import Path

import pandas as pd

from debatch.config.images import Source
from debatch.config.read import nearest
from debatch.config.screen import QcLimits
from debatch.digests import sha256_of_text
from debatch.errors import DataError
from debatch.files import FORMAT
from debatch.screen.flags import qc_flags
from debatch.screen.metadata import QC_PREFIXES, class_labels
from debatch.screen.names.identifiers import image_ids
from debatch.screen.names.wells import plain_number
from debatch.tabular import read_about, read_frame
from debatch.text_cells import each_text, plain

log = logging.getLogger(__name__)
# of an image that the metadata lists without saying which of its well's sites it is
ONE_SITE = "1"
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


def build_index(ingested: list[Path], catalogue: pd.DataFrame | None, limits: QcLimits) -> pd.DataFrame:
    """Join the experiments' rows, give each perturbation its label, and flag what looks odd.

    Args:
        ingested: the experiments' rows, in the order of the screen's experiments.
        catalogue: the metadata, from which the classes are numbered, so that a dropped image renumbers nothing; None
            where the screen has none.
        limits: when an image is flagged.

    Returns:
        A row an image; `label` is Int64 and null where the metadata has no perturbation.

    Raises:
        DataError: there is metadata, and no image has a label.
    """
    index = pd.concat([read_frame(file) for file in ingested], ignore_index=True)
    index = with_labels(index, catalogue)
    if catalogue is not None and index["label"].isna().all():
        raise DataError("no image of the screen has a perturbation; see `columns.perturbation`")
    index["qc_flags"] = qc_flags(index, limits)
    last = ["part", "store_row", "qc_flags"]
    measured = [column for column in index.columns if column.startswith(QC_PREFIXES)]
    own = [column for column in index.columns if column not in {*ORDER, *last, *measured}]
    return index[[*ORDER, *last, *own, *measured]]


def index_facts(ingested: list[Path], metadata_sha256: str | None) -> dict[str, str]:
    """What the index says of itself: digests of the metadata, and of the pixels of all its experiments.

    A job that reads pixels has the index as its input, and none of the stores: where pixels change and no row does,
    this digest changes the file.

    Args:
        ingested: the experiments' rows.
        metadata_sha256: of the metadata's files; None where there are none.
    """
    pixels = [read_about(file).get("pixels_sha256", "") for file in ingested]
    digests = {"metadata_sha256": metadata_sha256 or "", "pixels_sha256": sha256_of_text("\n".join(pixels))}
    return {"format": str(FORMAT), **digests}


def of_parts(index: pd.DataFrame, parts: list[str] | None) -> pd.DataFrame:
    """The images of some parts of the screen; None: all of them."""
    return index if parts is None else index[index["part"].isin(parts)].reset_index(drop=True)


def metadata_column(index: pd.DataFrame, name: str, key: str) -> pd.Series:
    """What a column of the metadata says of each image, as text in one spelling; nothing where its cell is empty.

    The index calls it `source_<name>` where a name is its own.

    Args:
        index: of the screen.
        name: of the column.
        key: of the configuration that names it, for the error.

    Raises:
        DataError: the index has no such column.
    """
    named = next((own for own in (f"source_{name}", name) if own in index), None)
    if named is None:
        raise DataError(
            f"{key}: the index has no column {name!r}{nearest(name, [str(own) for own in index])}; it has the "
            "metadata's own columns, and those that the screen names under `columns` by their key there"
        )
    return each_text(index[named].astype("str"), plain)


def with_labels(images: pd.DataFrame, catalogue: pd.DataFrame | None) -> pd.DataFrame:
    """Images with their class indices, numbered over all of the catalogue's selected wells."""
    labels = {} if catalogue is None else class_labels(catalogue.loc[catalogue["selected"], "perturbation"])
    images = images.assign(label=images["perturbation"].map(labels).astype("Float64").astype("Int64"))
    unseen = set(labels.values()) - set(images["label"].dropna())
    if unseen:
        log.info("%d of %d classes of the metadata have no image", len(unseen), len(labels))
    return images


def expected_index(catalogue: pd.DataFrame, source: Source) -> pd.DataFrame:
    """The index that a screen will have if every image is there: for counts and splits before any image is.

    Raises:
        DataError: neither the metadata nor the source tells the sites.
    """
    rows = catalogue[catalogue["selected"]].drop(columns="selected")
    if "site" not in rows and source.files is not None:
        rows = rows.assign(site=ONE_SITE)
    elif "site" not in rows:
        if source.sites is None:
            raise DataError("how many sites a well has is not said; list them as `source.sites`")
        sites = pd.DataFrame({"site": [plain_number(str(site)) for site in source.sites]})
        rows = rows.merge(sites, how="cross")
    rows = with_labels(rows.reset_index(drop=True), catalogue)
    order = [*ORDER, *(column for column in rows.columns if column not in ORDER)]
    return rows.assign(image_id=image_ids(rows))[order]
