"""The well catalogue: what a screen's metadata file says of each well, in the screen's words."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from debatch.config.read import nearest
from debatch.config.screen import Columns, Derive, Screen
from debatch.errors import DataError

WELL_TYPES = ("treatment", "positive_control", "negative_control")
RESERVED = ("image_id", "label", "batch", "part", "store_row", "cell_type", "well_type", "perturbation")


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort key that puts `T2` before `T10`."""
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in re.split(r"(\d+)", text) if piece]


def plain_number(text: str) -> str:
    """`01` as `1`: plates and sites are numbers wherever they look like one, so that files and metadata meet."""
    return str(int(text)) if text.isdecimal() else text


def read_catalogue(screen: Screen, file: Path, experiments: list[str]) -> pd.DataFrame:
    """The wells (or images) that the metadata lists for some experiments.

    Returns:
        A row a well, or a row an image where the metadata has a site column. All text columns: experiment, plate,
        well, [site], cell_type, well_type, perturbation, batch, [official_subset], then the user's own; and
        `selected` (bool).

    Raises:
        DataError: no such file or column, an unknown well type, a well that stands twice.
    """
    raw = _read_csv(file)
    raw = _with_fields(raw, screen.fields)
    raw = _with_derived(raw, screen.derive, file)
    columns = screen.columns
    _require(raw, columns, file)
    keys = {"experiment": columns.experiment, "plate": columns.plate, "well": columns.well}
    if columns.site:
        keys["site"] = columns.site
    wells = pd.DataFrame({name: raw[column] for name, column in keys.items()})
    for name in ("plate", "site"):
        if name in wells:
            wells[name] = wells[name].map(plain_number, na_action="ignore")
    wells["cell_type"] = raw[columns.cell_type] if columns.cell_type else "all"
    wells["well_type"] = raw[columns.well_type] if columns.well_type else "treatment"
    wells["perturbation"] = raw[columns.perturbation]
    batch = [columns.batch] if isinstance(columns.batch, str) else columns.batch
    wells["batch"] = raw[batch[0]].str.cat(raw[batch[1:]], sep="_") if batch[1:] else raw[batch[0]]
    if columns.subset:
        wells["official_subset"] = raw[columns.subset]
    mapped = {*keys.values(), columns.perturbation, columns.cell_type, columns.well_type, columns.subset}
    for column in raw.columns:
        if column not in mapped:
            name = f"source_{column}" if column in RESERVED or column in wells else column
            wells[name] = raw[column]
    wells["selected"] = _selected(raw, screen, file)
    if wells["experiment"].isna().any():
        line = int(wells["experiment"].isna().argmax()) + 2
        raise DataError(f"{file}: an empty experiment in line {line}")
    wells = wells[wells["experiment"].isin(experiments)].reset_index(drop=True)
    _check(wells, list(keys), experiments, file)
    return wells


def class_labels(perturbations: pd.Series) -> dict[str, int]:
    """Each perturbation's class index, in natural order."""
    return {name: label for label, name in enumerate(sorted(perturbations.dropna().unique(), key=natural_key))}


def _read_csv(file: Path) -> pd.DataFrame:
    try:
        # every column as text: a siRNA named NA, a plate named 01 and a mixed column all survive
        return pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise DataError(f"{file}: no such metadata file; see `metadata.file` in the screen") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as a CSV table: {error}") from None


def _with_fields(raw: pd.DataFrame, fields: dict[str, Any]) -> pd.DataFrame:
    return raw.assign(**{name: str(value) for name, value in fields.items() if name not in raw})


def _with_derived(raw: pd.DataFrame, derive: dict[str, Derive], file: Path) -> pd.DataFrame:
    for name, rule in derive.items():
        if rule.source not in raw:
            raise DataError(
                f"{file}: `derive.{name}` reads the column {rule.source!r}, which is not there"
                f"{nearest(rule.source, list(raw.columns))}"
            )
        pattern = re.compile(rule.pattern)
        matches = raw[rule.source].map(pattern.match, na_action="ignore")
        failed = raw[rule.source][matches.isna() & raw[rule.source].notna()]
        if len(failed):
            raise DataError(f"{file}: `derive.{name}`: {failed.iloc[0]!r} does not match {rule.pattern!r}")
        group = 1 if pattern.groups else 0
        raw = raw.assign(**{name: matches.map(lambda match, g=group: match[g], na_action="ignore")})
    return raw


def _require(raw: pd.DataFrame, columns: Columns, file: Path) -> None:
    for role, value in columns.model_dump().items():
        for column in value if isinstance(value, list) else [value]:
            if column is not None and column not in raw:
                raise DataError(
                    f"{file}: no column {column!r}, which the screen names as `columns.{role}`"
                    f"{nearest(column, list(raw.columns))}"
                )


def _selected(raw: pd.DataFrame, screen: Screen, file: Path) -> pd.Series:
    selected = pd.Series(True, index=raw.index)
    for column, values in (screen.metadata.select if screen.metadata else {}).items():
        if column not in raw:
            raise DataError(
                f"{file}: `metadata.select` names {column!r}, which is not there{nearest(column, list(raw.columns))}"
            )
        selected &= raw[column].isin([str(value) for value in values])
    return selected


def _check(wells: pd.DataFrame, keys: list[str], experiments: list[str], file: Path) -> None:
    for column in (*keys, "batch", "cell_type", "well_type"):
        if wells[column].isna().any():
            row = wells[wells[column].isna()].iloc[0]
            raise DataError(
                f"{file}: an empty {column} at experiment {row['experiment']}, plate {row['plate']}, well {row['well']}"
            )
    absent = [name for name in experiments if name not in set(wells["experiment"])]
    if absent:
        raise DataError(f"{file}: no row for experiment {', '.join(absent)}, which the screen lists")
    unknown = sorted(set(wells["well_type"]) - set(WELL_TYPES))
    if unknown:
        raise DataError(f"{file}: well type {unknown[0]!r} is not one of {', '.join(WELL_TYPES)}")
    twice = wells[wells.duplicated(keys)]
    if len(twice):
        where = ", ".join(f"{key} {twice.iloc[0][key]}" for key in keys)
        hint = "" if "site" in keys else "; where it has a row an image, name its site column as `columns.site`"
        raise DataError(f"{file}: {len(twice)} rows repeat a well or image, the first: {where}{hint}")
