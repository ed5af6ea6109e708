"""The well catalogue: what a screen's metadata file says of each well, in the screen's words."""

import operator
import re
from typing import Any, get_args

import pandas as pd
from natsort import natsort_keygen

from debatch.config.metadata import Columns, Derive, MetadataFile
from debatch.config.read import nearest
from debatch.config.screen import Screen, WellType
from debatch.embedding_table import METADATA, QC_PREFIXES
from debatch.errors import DataError
from debatch.screen.names.spelling import unlisted_look_alike
from debatch.screen.names.wells import WellNameError, plain_number, well_name
from debatch.screen.profiles.annotations import annotated, columns_of
from debatch.text_cells import each_text, is_one_of, plain
from debatch.text_table import read_text_table

WELL_TYPES = get_args(WellType)
# of a screen that tells none apart
NO_CELL_TYPE = "all"
RESERVED = (
    "image_id", "site", "label", "batch", "part", "store_row", "cell_type", "well_type", "perturbation", "selected",
    "field", "official_subset", "qc_flags", "compound", "mechanism",
)  # fmt: skip
_natural_key = natsort_keygen()
_ENDING = re.compile(r"(\.ome)?\.(png|tiff?)$", re.IGNORECASE)
_AT, _SELECTED = " at", " selected"  # a blank first: no user's column is called so


def natural_key(text: str) -> tuple[Any, str]:
    """Sort key that puts `T2` before `T10`; `01` and `1`, which natsort takes for one, in letter order."""
    return _natural_key(text), text


def read_catalogue(screen: Screen, tables: list[MetadataFile], experiments: list[str] | None) -> pd.DataFrame:
    """The wells (or images) that the metadata lists for some experiments.

    Args:
        screen: what its columns mean.
        tables: the files, their names expanded.
        experiments: whose wells; None: all.

    Returns:
        A row a well, or a row an image where the metadata has a site column. All text columns: experiment, plate,
        well, [site], cell_type, well_type, perturbation, batch, [official_subset], then the user's own; and
        `selected` (bool).

    Raises:
        DataError: no such file or column, an unknown well type, a well that is none or that stands twice.
    """
    parts = [_read_table(screen, table) for table in tables]
    wells = _in_the_screens_words(screen, pd.concat(parts, ignore_index=True))
    empty = wells["experiment"].isna()
    if empty.any():
        raise DataError(f"{wells[_AT][empty].iloc[0]}: an empty experiment")
    if experiments is not None:
        wells = wells[wells["experiment"].isin(experiments)].reset_index(drop=True)
    _name_wells(wells, screen)
    keys = ["experiment", "plate", "well", *(["site"] if "site" in wells else [])]
    _check(wells, keys, experiments or [], ", ".join(table.file for table in tables))
    return wells.drop(columns=_AT)


def catalogue_of_files(screen: Screen, experiment: str, wells: pd.DataFrame) -> pd.DataFrame:
    """The wells of an experiment whose screen has no metadata: those that its file names tell, without a label.

    Args:
        screen: what to call things.
        experiment: which one.
        wells: plate and well of each file.

    Returns:
        As `read_catalogue`.
    """
    raw = wells[["plate", "well"]].drop_duplicates().astype(str)
    columns = screen.columns
    raw = raw.rename(columns={"plate": columns.plate, "well": columns.well})
    raw = _with_fields(raw.assign(**{columns.experiment: experiment}), screen.fields)
    raw = _with_derived(raw, screen.derive, "the file names")
    absent = {columns.perturbation: None, columns.cell_type: NO_CELL_TYPE, columns.well_type: "treatment"}
    for name, value in absent.items():
        if name and name not in raw:
            raw[name] = pd.Series(value, index=raw.index, dtype=object)
    _require(raw, columns.model_copy(update={"site": None, "subset": None}), "the file names")
    wells = _in_the_screens_words(
        screen.model_copy(update={"columns": columns.model_copy(update={"site": None, "subset": None})}),
        raw.assign(**{_AT: "the file names"}).assign(**{_SELECTED: True}),
    )
    return wells.drop(columns=_AT).reset_index(drop=True)


def catalogue_of_profiles(screen: Screen, raw: pd.DataFrame, where: str, at: list[str]) -> pd.DataFrame:
    """The wells (or images) that profiles say themselves, where the screen has no metadata of its own.

    Args:
        screen: its columns as they stand in the file.
        raw: the profiles' metadata, as text.
        where: the file.
        at: (N,) where each row stands.

    Returns:
        As `read_catalogue`.
    """
    raw = _with_derived(_with_fields(_known(raw, screen), screen.fields), screen.derive, where)
    raw = annotated(raw, screen, where)
    _require(raw, screen.columns, where)
    wells = _in_the_screens_words(screen, raw.assign(**{_AT: at}).assign(**{_SELECTED: True}))
    _name_wells(wells, screen)
    _check(wells, ["experiment", "plate", "well", *(["site"] if "site" in wells else [])], [], where)
    return wells.drop(columns=_AT)


def with_named_columns(screen: Screen, raw: pd.DataFrame, where: str) -> pd.DataFrame:
    """A table with the screen's constants, and those derived columns whose source is there."""
    raw = _with_fields(raw, screen.fields)
    derive = {name: rule for name, rule in screen.derive.items() if rule.source in raw}
    return _with_derived(raw, derive, where)


def words_of(screen: Screen, raw: pd.DataFrame, role: str) -> pd.Series | None:
    """What a table says itself of `perturbation`, `batch` or `cell_type`; None where it lacks the screen's column."""
    columns = getattr(screen.columns, role) if role in screen.columns.model_fields_set else METADATA[role]
    names = [columns] if isinstance(columns, str) else columns
    if not names or any(name not in raw for name in names):
        return None
    return _joined(_known(raw, screen).assign(**{_AT: "a row"}), columns, role)


def class_labels(perturbations: pd.Series) -> dict[str, int]:
    """Each perturbation's class index, in natural order."""
    return {name: label for label, name in enumerate(sorted(perturbations.dropna().unique(), key=natural_key))}


def _read_table(screen: Screen, table: MetadataFile) -> pd.DataFrame:
    """One file as text, with constant and derived columns, where each row stands, and whether it is selected."""
    raw = read_text_table(table.file, "metadata.file")
    at = [f"{table.file}, line {row + 2}" for row in raw.index]
    raw = _with_fields(_known(raw.reset_index(drop=True), screen), {**screen.fields, **table.fields})
    raw = _with_derived(raw, screen.derive, table.file)
    _require_same(raw, at, screen)
    raw = annotated(raw, screen, table.file)
    _require(raw, screen.columns, table.file)
    # a line of metadata with a row a plate is many wells now
    at, raw = [at[row] for row in raw.index], raw.reset_index(drop=True)
    raw[_SELECTED], raw[_AT] = _selected(raw, screen, table.file), at
    return raw


def _known(raw: pd.DataFrame, screen: Screen) -> pd.DataFrame:
    """Without the words that the screen says mean nothing."""
    return raw.mask(raw.isin(screen.missing)) if screen.missing else raw


def _in_the_screens_words(screen: Screen, raw: pd.DataFrame) -> pd.DataFrame:
    columns = screen.columns
    keys = {"experiment": columns.experiment, "plate": columns.plate}
    if columns.well:
        keys["well"] = columns.well
    if columns.site:
        keys["site"] = columns.site
    wells = pd.DataFrame({name: raw[column] for name, column in keys.items()})
    if not columns.well:
        wells.insert(2, "well", _names_of_files(screen, raw))
    for name in ("plate", "site"):
        if name in wells:
            wells[name] = each_text(wells[name], plain_number)
    if screen.experiment_names:
        wells["experiment"] = wells["experiment"].replace(screen.experiment_names)
    wells["cell_type"] = raw[columns.cell_type] if columns.cell_type else NO_CELL_TYPE
    wells["well_type"] = "treatment"
    if columns.well_type:
        wells["well_type"] = _well_types(raw, columns.well_type, screen.well_types)
    wells["perturbation"] = _joined(raw, columns.perturbation, "perturbation")
    wells["batch"] = _joined(raw, columns.batch, "batch")
    for name in ("compound", "mechanism"):
        column = getattr(columns, name)
        if column:
            wells[name] = raw[column]
    if columns.subset:
        wells["official_subset"] = raw[columns.subset]
    mapped = {*keys.values(), columns.cell_type, columns.well_type, columns.subset, columns.compound, columns.mechanism}
    if isinstance(columns.perturbation, str):
        mapped.add(columns.perturbation)
    for column in raw.columns:
        if column not in mapped and column not in (_AT, _SELECTED):
            clashes = column in RESERVED or column in wells or column.startswith(QC_PREFIXES)
            name = f"source_{column}" if clashes else column
            wells[name] = raw[column]
    wells["selected"], wells[_AT] = raw[_SELECTED], raw[_AT]
    return wells


def _names_of_files(screen: Screen, raw: pd.DataFrame) -> pd.Series:
    """Each image's name where it is of no well: its file's path without its ending, and with no slash."""
    column = screen.file_columns()[0] or ""
    if column not in raw:
        raise DataError(
            f"{raw[_AT].iloc[0].rpartition(', line')[0]}: no column {column!r}, which the screen names as "
            f"`source.files`{nearest(column, columns_of(raw))}"
        )
    empty = raw[column].isna()
    if empty.any():
        raise DataError(f"{raw[_AT][empty].iloc[0]}: an empty {column}, where the image's file should stand")
    return each_text(raw[column], lambda path: _ENDING.sub("", path.strip()).strip("/").replace("/", "."))


def _require_same(raw: pd.DataFrame, at: list[str], screen: Screen) -> None:
    for column, other in (screen.metadata.same if screen.metadata else {}).items():
        if column not in raw or other not in raw:
            continue
        differ = raw[column].ne(raw[other]) & ~(raw[column].isna() & raw[other].isna())
        if differ.any():
            row = int(differ.to_numpy().argmax())
            says = ["empty" if pd.isna(cell) else repr(cell) for cell in raw[[column, other]].iloc[row]]
            raise DataError(
                f"{at[row]}: {column} is {says[0]} and {other} is {says[1]} "
                f"({differ.sum()} such {'row' if differ.sum() == 1 else 'rows'}), and `metadata.same` says that they "
                "are one; mend the file, or leave that key out"
            )


def _joined(raw: pd.DataFrame, columns: str | list[str], role: str) -> pd.Series:
    """A column, or several joined by `_`, a dose of 3.0 as 3."""
    names = [columns] if isinstance(columns, str) else columns
    if len(names) == 1:
        return raw[names[0]]
    parts = pd.DataFrame({name: each_text(raw[name], plain) for name in names})
    joined = parts[names[0]].str.cat(parts[names[1:]], sep="_")
    # A_1 at dose 2 is not A at dose 1_2
    together = "\0joined"
    of = pd.concat([parts, joined.rename(together)], axis=1).dropna().drop_duplicates()
    twice = of[of[together].duplicated(keep=False)].sort_values(together)
    if len(twice):
        first, second = (" and ".join(map(repr, row)) for row in twice[names].head(2).itertuples(index=False))
        raise DataError(
            f"{raw[_AT].loc[twice.index[0]]}: {first} and {second} would be one {role}, {twice[together].iloc[0]!r}; "
            f"name a single column as `columns.{role}`, made by hand or by `derive:`"
        )
    return joined


def _well_types(raw: pd.DataFrame, column: str, well_types: dict[str, WellType]) -> pd.Series:
    words = raw[column]
    if near := unlisted_look_alike(words.dropna().unique(), {word: 0 for word in well_types if word != "*"}):
        raise DataError(
            f"{raw[_AT][words == near[0]].iloc[0]}: the well type {near[0]!r} looks like {near[1]!r} of `well_types`; "
            "list it there too, or write both in one way"
        )
    others = well_types.get("*")
    translated = each_text(words, lambda word: well_types.get(word, others or word))
    return translated.fillna(well_types[""]) if "" in well_types else translated


def _name_wells(wells: pd.DataFrame, screen: Screen) -> None:
    """Give each well its one spelling, in place."""
    if not screen.columns.well:
        return
    plate, names = screen.plate_format, {}
    for text in wells["well"].dropna().unique():
        try:
            names[text] = well_name(text, plate)
        except WellNameError as error:
            raise DataError(f"{wells[_AT][wells['well'] == text].iloc[0]}: {error}") from None
    wells["well"] = each_text(wells["well"], names.__getitem__)


def _with_fields(raw: pd.DataFrame, fields: dict[str, Any]) -> pd.DataFrame:
    constants = {name: None if value is None else str(value) for name, value in fields.items() if name not in raw}
    return raw.assign(**{name: pd.Series(value, index=raw.index, dtype="str") for name, value in constants.items()})


def _with_derived(raw: pd.DataFrame, derive: dict[str, Derive], where: str) -> pd.DataFrame:
    for name, rule in derive.items():
        if rule.source not in raw:
            raise DataError(
                f"{where}: `derive.{name}` reads the column {rule.source!r}, which is not there"
                f"{nearest(rule.source, columns_of(raw))}"
            )
        pattern = re.compile(rule.pattern)
        matches = raw[rule.source].map(pattern.match, na_action="ignore")
        failed = raw[rule.source][matches.isna() & raw[rule.source].notna()]
        if len(failed):
            raise DataError(f"{where}: `derive.{name}`: {failed.iloc[0]!r} does not match {rule.pattern!r}")
        group = 1 if pattern.groups else 0
        raw = raw.assign(**{name: each_text(matches, operator.itemgetter(group))})
    return raw


def _require(raw: pd.DataFrame, columns: Columns, where: str) -> None:
    for role, value in columns.model_dump().items():
        for column in value if isinstance(value, list) else [value]:
            if column is not None and column not in raw:
                raise DataError(
                    f"{where}: no column {column!r}, which the screen names as `columns.{role}`"
                    f"{nearest(column, columns_of(raw))}"
                )


def _selected(raw: pd.DataFrame, screen: Screen, where: str) -> pd.Series:
    selected = pd.Series(True, index=raw.index)
    for column, values in (screen.metadata.select if screen.metadata else {}).items():
        if column not in raw:
            raise DataError(
                f"{where}: `metadata.select` names {column!r}, which is not there{nearest(column, columns_of(raw))}"
            )
        selected &= is_one_of(raw[column], values)
    return selected


def _check(wells: pd.DataFrame, keys: list[str], experiments: list[str], where: str) -> None:
    for column in (*keys, "batch", "cell_type", "well_type"):
        if wells[column].isna().any():
            cure = '; say what that means: `well_types: {"": treatment}`' if column == "well_type" else ""
            raise DataError(f"{wells[_AT][wells[column].isna()].iloc[0]}: an empty {column}{cure}")
    there = set(wells["experiment"].unique())
    absent = [name for name in experiments if name not in there]
    if absent:
        raise DataError(f"{where}: no row for experiment {', '.join(absent)}, which the screen lists")
    unknown = ~wells["well_type"].isin(WELL_TYPES)
    if unknown.any():
        words = sorted(wells["well_type"][unknown].unique())
        raise DataError(
            f"{wells[_AT][unknown].iloc[0]}: well type {', '.join(map(repr, words))} is not one of "
            f"{', '.join(WELL_TYPES)}; translate: `well_types: {{{words[0]}: …}}`"
        )
    twice = wells[wells.duplicated(keys)]
    if len(twice):
        repeated = ", ".join(f"{key} {twice.iloc[0][key]}" for key in keys)
        hint = "" if "site" in keys else "; where it has a row an image, name its site column as `columns.site`"
        raise DataError(
            f"{twice.iloc[0][_AT]}: repeats {repeated} ({len(twice)} such {'row' if len(twice) == 1 else 'rows'}){hint}"
        )
