"""A screen of profiles: its index, and each set's profiles by that index."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from debatch.config.profiles import ProfileSet
from debatch.config.screen import Screen
from debatch.embedding_table import METADATA, embedding_table
from debatch.errors import DataError
from debatch.screen.index import ORDER, with_labels
from debatch.screen.ingest.plan import PASSED_OVER, Problems
from debatch.screen.metadata import catalogue_of_profiles, natural_key, read_catalogue, with_named_columns, words_of
from debatch.screen.names.identifiers import image_ids
from debatch.screen.names.wells import WellNameError, plain_number, well_name
from debatch.screen.profiles.annotations import columns_of
from debatch.screen.profiles.read import Profiles, columns_of_profiles, read_profile_metadata, where_of
from debatch.screen.profiles.spread import beyond_reason
from debatch.text_cells import each_text

log = logging.getLogger(__name__)
FIELD = ["experiment", "plate", "well", "site"]
ONE_SITE = "1"
MOSTLY = 0.5
EXAMPLES = 3


def index_profiles(screen: Screen, problems: Problems | None = None) -> pd.DataFrame:
    """The index of a screen of profiles: a row a well or image that any of its sets has.

    What a well holds is said by the screen's metadata, a plate map, where it has one; else by the first set itself.

    Args:
        screen: of profiles.
        problems: takes a line for each profile whose well the metadata does not list, and for each well that it lists
            and no set has.

    Raises:
        DataError: anything in the metadata that cannot be, a plate map that knows none of the wells, or one that does
            not know some where the screen says `on_problem: fail`.
    """
    if problems is None:
        problems = Problems("index", "failed" if screen.on_problem == "fail" else "left out")
    sets = [(where_of(each), read_profile_metadata(each, screen)) for each in (screen.profiles or {}).values()]
    if screen.metadata is not None:
        catalogue = read_catalogue(screen, screen.metadata.tables(), None)
        where = ", ".join(table.file for table in screen.metadata.tables())
    else:
        where, first = sets[0]
        there = _there(screen, first.metadata)
        named = screen.model_copy(update={"columns": columns_of_profiles(screen.columns, there, where)})
        catalogue = catalogue_of_profiles(named, first.metadata, where, first.at)
    found = [_fields_of(file, profiles.metadata, screen, catalogue, where) for file, profiles in sets]
    for (file, profiles), own in zip(sets, found, strict=True):
        problems.add_wells("the metadata has no such well", own[own["experiment"].isna()])
        _refuse_contradiction(file, profiles.metadata, own, screen, catalogue, where)
    if problems.fatal:
        raise DataError(
            f"{where}: does not list the wells of {problems.count} profiles, as {places_of(problems.rows)}; mend the "
            "names, or set `on_problem: drop` to leave those profiles out"
        )
    fields = pd.concat(found, ignore_index=True).dropna(subset="experiment").drop_duplicates(ignore_index=True)
    keys = [key for key in FIELD if key in catalogue]
    selected = catalogue[catalogue["selected"]]
    together = selected[keys].merge(fields[keys].drop_duplicates(), on=keys, how="left", indicator=True)
    nowhere = together[together["_merge"] == "left_only"]
    problems.add_wells("the metadata lists it, and no profile is there", nowhere, PASSED_OVER)
    fields = fields.merge(selected[keys].drop_duplicates(), on=keys)
    index = fields.merge(catalogue.drop(columns="selected"), on=keys, how="left")
    index = with_labels(index, catalogue)
    index.insert(0, "image_id", image_ids(index))
    if index["label"].isna().all():
        raise DataError(f"{where}: no profile has a perturbation; see `columns.perturbation`")
    index = index.sort_values("image_id", key=lambda ids: ids.map(natural_key), ignore_index=True)
    index = index.assign(part="profiles", store_row=np.arange(len(index)), qc_flags="")
    first_columns = [*ORDER, "part", "store_row", "qc_flags"]
    return index[[*first_columns, *(column for column in index.columns if column not in first_columns)]]


def embed_profiles(
    profiles: Profiles, profile_set: ProfileSet, screen: Screen, index: pd.DataFrame, problems: Problems
) -> pd.DataFrame:
    """A set's profiles in the format of embeddings, in the order of the index.

    Args:
        profiles: as read.
        profile_set: where they are from.
        screen: for its `on_problem` and columns.
        index: of the screen.
        problems: takes a line for each profile and feature that cannot be used.

    Raises:
        DataError: a profile or feature has a missing or infinite value and the screen says `on_problem: fail`, a well
            stands twice, or nothing is left.
    """
    where = where_of(profile_set)
    fields = _fields_of(where, profiles.metadata, screen, index, "the screen's wells")
    ids = image_ids(fields)
    known = ids.isin(set(index["image_id"])).to_numpy()
    if ids[known].duplicated().any():
        twice = ids[known & ids.duplicated().to_numpy()]
        raise DataError(
            f"{where}: the well {twice.iloc[0]} stands twice ({len(twice)} such rows); where it has several profiles a "
            "well, name what tells them apart as `columns.site`"
        )
    problems.add_wells("the metadata does not list this well, or does not select it", fields[~known], PASSED_OVER)
    good, kept = _usable(profiles, fields, known, screen, problems)
    rows = index.set_index("image_id", drop=False).loc[ids[good]].reset_index(drop=True)
    order = np.argsort(rows["store_row"].to_numpy(), kind="stable")
    absent = index[~index["image_id"].isin(set(rows["image_id"]))]
    problems.add_wells("no usable profile of this well", absent, PASSED_OVER)
    if len(absent):
        log.warning("%s: has no usable profile of %d of the screen's %d wells", where, len(absent), len(index))
    features = profiles.features[good][:, kept]
    names = [name for name, keep in zip(profiles.names, kept, strict=True) if keep]
    return embedding_table(rows.iloc[order], features[order], names)


def _usable(
    profiles: Profiles, fields: pd.DataFrame, known: np.ndarray, screen: Screen, problems: Problems
) -> tuple[np.ndarray, np.ndarray]:
    """Which profiles (N,) and features (D,) hold numbers; first goes a profile that mostly does not, then a feature."""
    finite = np.isfinite(profiles.features)
    broken = known & (finite.mean(axis=1) < MOSTLY)
    zero = known & ~broken & (np.where(finite, profiles.features, 0) == 0).all(axis=1)
    good = known & ~broken & ~zero
    kept = finite[good].all(axis=0)
    for rows, what in (
        (broken, "most of its features are missing or infinite"),
        (zero, "all of its features are zero"),
    ):
        problems.add_wells(what, fields[rows])
    for at in np.flatnonzero(~kept):
        count = int((~finite[good][:, at]).sum())
        problems.add(
            f"missing or infinite in {count} {'profile' if count == 1 else 'profiles'}", channel=profiles.names[at]
        )
    count = int(broken.sum() + zero.sum() + (~kept).sum())
    if count and screen.on_problem == "fail":
        raise DataError(
            f"{count} {'profile or feature has' if count == 1 else 'profiles or features have'} missing or infinite "
            f"values, or zeros only, as {described(problems.real[0])}; correct the file, or set `on_problem: drop` to "
            "leave those out"
        )
    if not good.any() or not kept.any():
        raise DataError("no usable profile or feature is left; see the list of problems")
    names = np.array(profiles.names)
    for position, spread in beyond_reason(profiles.features[good][:, kept]):
        log.warning("the feature %s varies beyond reason (sd %.3g)", names[kept][position], spread)
    constant = kept & (np.ptp(np.where(finite[good], profiles.features[good], 0), axis=0) == 0) & (good.sum() > 1)
    for at in np.flatnonzero(constant):
        log.warning("the feature %s is the same in all profiles: it tells nothing", profiles.names[at])
    return good, kept


def places_of(rows: Sequence[Mapping[Any, Any]]) -> str:
    """The first of some problems' wells, quoted so that blanks show."""
    names = [f"plate {row['plate']!r} well {row['well']!r}" for row in rows[: EXAMPLES + 1]]
    return ", ".join(names[:EXAMPLES]) + (", …" if names[EXAMPLES:] else "")


def described(row: dict[str, str]) -> str:
    """A line of the problems of profiles, in words."""
    where = row["channel"] or f"plate {row['plate']}, well {row['well']}"
    return f"{where}: {row['problem']}"


def _refuse_contradiction(
    file: str, raw: pd.DataFrame, fields: pd.DataFrame, screen: Screen, catalogue: pd.DataFrame, where: str
) -> None:
    """What a set says of its wells itself must be what the screen takes for said.

    Args:
        file: of the set.
        raw: (N, …) its metadata.
        fields: (N, 4) its wells.
        screen: what columns are called.
        catalogue: what is said of the wells.
        where: by what.

    Raises:
        DataError: some wells hold something else.
    """
    keys = [key for key in FIELD if key in catalogue]
    named = with_named_columns(screen, raw, file)
    for role in ("perturbation", "batch", "cell_type"):
        own = words_of(screen, named, role)
        if own is None:
            continue
        said = fields[keys].assign(own=own.to_numpy()).merge(catalogue[[*keys, role]], on=keys, how="left")
        other = said[said["own"].notna() & said[role].notna() & (said["own"] != said[role])]
        if len(other):
            row = other.iloc[0]
            what, own, theirs = role.replace("_", " "), row["own"], row[role]
            raise DataError(
                f"{file}: says of {len(other):,} wells another {what} than {where}, as {own!r} for {theirs!r} "
                f"in plate {row['plate']!r} well {row['well']!r}; mend one of the two"
            )


def _there(screen: Screen, raw: pd.DataFrame) -> list[str]:
    """Columns that there are once constants and derived ones are there."""
    return [*columns_of(raw), *screen.fields, *screen.derive]


def _fields_of(file: str, raw: pd.DataFrame, screen: Screen, wells: pd.DataFrame, where: str) -> pd.DataFrame:
    """(N, 4) experiment, plate, well and site of each profile; no experiment where no well is that of the profile.

    Args:
        file: of the profiles, for messages.
        raw: their metadata, as text.
        screen: what columns are called.
        wells: the catalogue or index that they are held against.
        where: what that is, for messages.

    Raises:
        DataError: no column of plates or wells, a well that is none, or nothing matches.
    """
    named = with_named_columns(screen, raw, file)
    columns = {role: _column(role, screen, named) for role in FIELD}
    for role in ("plate", "well"):
        if columns[role] is None:
            raise DataError(
                f"{file}: no column of {role}s: neither {getattr(screen.columns, role)!r} nor {METADATA[role]!r}; name "
                f"it as `columns.{role}`"
            )
    fields = pd.DataFrame({role: named[column] for role, column in columns.items() if column is not None})
    fields["well"] = _well_names(fields["well"], screen, file)
    if screen.experiment_names and "experiment" in fields:
        fields["experiment"] = fields["experiment"].replace(screen.experiment_names)
    for role in ("plate", "site"):
        if role in fields:
            fields[role] = each_text(fields[role], plain_number)
    keys = [key for key in FIELD if key in fields and key in wells]
    if "experiment" not in keys:
        experiments = wells[[*keys, "experiment"]].drop_duplicates()
        if experiments.duplicated(keys).any():
            twice = experiments[experiments.duplicated(keys)].iloc[0]
            raise DataError(
                f"{file}: plate {twice['plate']} is in several experiments of {where}; name the column that tells them "
                "apart as `columns.experiment`"
            )
    matched = fields.drop(columns="experiment", errors="ignore") if "experiment" not in keys else fields
    matched = matched.reset_index(names="row").merge(wells[_once([*keys, "experiment"])].drop_duplicates(), on=keys)
    found = matched.set_index("row")["experiment"].reindex(range(len(raw)))
    if found.isna().all():
        raise DataError(
            f"{where} matches none of the {len(raw)} profiles of {file} by {', '.join(keys)}: it has "
            f"{_examples(wells, keys)}; the profiles have {_examples(fields, keys)}"
        )
    fields["experiment"] = found.to_numpy()
    if "site" not in fields:
        fields["site"] = ONE_SITE
    return fields[FIELD]


def _column(role: str, screen: Screen, table: pd.DataFrame) -> str | None:
    """The column of a role: by the screen's name for it, else by that of our own files."""
    named = getattr(screen.columns, role)
    return next((name for name in (named, METADATA[role]) if name is not None and name in table), None)


def _well_names(wells: pd.Series, screen: Screen, file: str) -> pd.Series:
    try:
        names = {text: well_name(text, screen.plate_format) for text in wells.dropna().unique()}
    except WellNameError as error:
        raise DataError(f"{file}: {error}") from None
    return each_text(wells, names.__getitem__)


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _examples(table: pd.DataFrame, keys: list[str]) -> str:
    rows = table[keys].drop_duplicates().head(EXAMPLES).astype("object").fillna("nothing")
    return "; ".join(" ".join(map(str, row)) for row in rows.itertuples(index=False))
