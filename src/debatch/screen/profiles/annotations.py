"""Tables joined to the metadata, as one of mechanisms by compound."""

import logging
from collections.abc import Callable, Iterable

import pandas as pd

from debatch.config.profiles import Annotation
from debatch.config.read import nearest
from debatch.config.screen import Screen
from debatch.errors import DataError
from debatch.screen.names.spelling import look_alikes
from debatch.screen.names.wells import WellNameError, plain_number, well_name
from debatch.text_cells import each_text, plain
from debatch.text_table import read_text_table

log = logging.getLogger(__name__)
EXAMPLES = 3
_PART = "\t"


# of a table's `attrs`: columns of numbers that its file has beside it, and that the screen does not name
NUMBERS_BESIDE = "numbers_beside"
_MOST_BESIDE = 30


def columns_of(table: pd.DataFrame) -> list[str]:
    """All columns that a message may propose: the table's own, and those of numbers that its file has beside them."""
    own = [column for column in map(str, table.columns) if not column.startswith(" ")]
    return [*own, *table.attrs.get(NUMBERS_BESIDE, [])[:_MOST_BESIDE]]


def annotated(raw: pd.DataFrame, screen: Screen, where: str) -> pd.DataFrame:
    """Metadata with the columns of the screen's annotations beside it.

    A row that a table does not know is an error, unless the table is `partial`: then it gets empty ones. A row whose
    own key is empty always does. A row of which a table has `many` becomes as many, which share its place in the index.

    Args:
        raw: text columns.
        screen: what its columns are called, and the tables.
        where: file of the metadata, for messages.

    Raises:
        DataError: no such file or column, a key that stands twice in a table that has not `many`, a column that is
            there already, or rows that a table does not know.
        ConfigError: a file is named twice.
    """
    for annotation in screen.annotations:
        raw = _joined(raw, annotation, screen, where)
    return raw


def _joined(raw: pd.DataFrame, annotation: Annotation, screen: Screen, where: str) -> pd.DataFrame:
    table, file = _read(annotation)
    _require(raw, annotation.match.keys(), "annotations.match", where)
    spell = {column: _spelling(column, screen) for column in annotation.match}
    own = _keys(raw, dict(spell), where)
    theirs = _keys(table, {annotation.match[column]: each for column, each in spell.items()}, file)
    table, theirs = table[theirs.notna()], theirs.dropna()
    if theirs.duplicated().any() and not annotation.many:
        twice = theirs[theirs.duplicated()].iloc[0]
        raise DataError(
            f"{file}: {_shown(twice)} stands twice; `annotations.match` needs columns that tell rows apart; where one "
            "row of the metadata is to become many, as a plate its wells, say `many: true` beside it"
        )
    unknown = own[own.notna() & ~own.isin(set(theirs))]
    if own.notna().any() and len(unknown) == own.notna().sum():
        raise DataError(
            f"{file}: none of its {len(theirs)} rows matches {where} by {', '.join(annotation.match)}: it has "
            f"{_examples(theirs)}, and there is {_examples(own.dropna())}; see `annotations.match`"
        )
    if len(unknown):
        what = f"{len(unknown):,} of the {len(raw):,} rows of {where}: there is no {_examples(unknown)}"
        if not annotation.partial:
            raise DataError(
                f"{file}: knows nothing of {what}{_near(unknown, theirs)}; write names in one way, or say "
                "`partial: true` beside `match` where the table is not to know all of them"
            )
        log.info("%s: %s by it, which `partial` allows", file, f"nothing is added to {what}")
    added = [column for column in table.columns if column not in annotation.match.values()]
    clash = [column for column in added if column in raw]
    if clash:
        raise DataError(f"{file}: the column {clash[0]!r} is in {where} already; rename one of the two")
    pairs = pd.DataFrame({"key": own.to_numpy(), "row": range(len(raw))}).merge(
        pd.DataFrame({"key": theirs.to_numpy(), "of_table": range(len(theirs))}), on="key", how="left"
    )
    # no row of the table is called -1: what has none there gets empty cells
    beside = table[added].reset_index(drop=True).reindex(pairs["of_table"].fillna(-1).astype(int))
    raw = raw.iloc[pairs["row"]]
    return raw.assign(**{column: beside[column].astype("str").to_numpy() for column in added})


def _read(annotation: Annotation) -> tuple[pd.DataFrame, str]:
    """The table, its empty cells filled where that is said, and a name for it."""
    files = [str(file) for file in annotation.files()]
    tables = []
    for file in files:
        table = read_text_table(file, "annotations")
        _require(table, annotation.match.values(), "annotations.match", file)
        _require(table, annotation.fill.keys(), "annotations.fill", file)
        tables.append(table)
    whole = pd.concat(tables, ignore_index=True)
    for column, meant in annotation.fill.items():
        whole[column] = whole[column].fillna(str(meant))
    return whole, files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


def _require(table: pd.DataFrame, columns: Iterable[str], key: str, file: str) -> None:
    for column in columns:
        if column not in table:
            raise DataError(f"{file}: no column {column!r}, which `{key}` names{nearest(column, columns_of(table))}")


def _spelling(column: str, screen: Screen) -> Callable[[str], str]:
    """What gives the values of a column of the metadata their one spelling."""
    if column == screen.columns.well:
        return lambda text: well_name(text, screen.plate_format)
    if column in (screen.columns.plate, screen.columns.site):
        return plain_number
    return plain


def _keys(table: pd.DataFrame, spell: dict[str, Callable[[str], str]], file: str) -> pd.Series:
    """A key for each row, empty where a part of it is."""
    try:
        parts = [each_text(table[column], each) for column, each in spell.items()]
    except WellNameError as error:
        raise DataError(f"{file}: {error}") from None
    keys = parts[0]
    for part in parts[1:]:
        keys = keys + _PART + part
    return keys


def _near(unknown: pd.Series, theirs: pd.Series) -> str:
    """A hint at a name that is there in another spelling."""
    known = set(theirs)
    for group in look_alikes([*unknown.unique(), *known]):
        if there := [name for name in group if name in known]:
            return f" (it has {_shown(there[0])})"
    return ""


def _examples(keys: pd.Series) -> str:
    names = list(dict.fromkeys(keys))
    return ", ".join(map(_shown, names[:EXAMPLES])) + (f" and {len(names) - EXAMPLES} more" if names[EXAMPLES:] else "")


def _shown(key: str) -> str:
    return repr(key.replace(_PART, " / "))
