"""Tables joined to the metadata, as one of mechanisms by compound."""

import logging
import re
from collections.abc import Sequence

import pandas as pd

from debatch.config.profiles import Annotation
from debatch.config.read import expand, nearest
from debatch.errors import DataError
from debatch.screen.text_table import read_text_table

log = logging.getLogger(__name__)
EXAMPLES = 3
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")


def annotated(raw: pd.DataFrame, annotations: Sequence[Annotation], where: str) -> pd.DataFrame:
    """Metadata with the columns of other tables beside it; a row that a table does not know gets empty ones.

    Args:
        raw: text columns.
        annotations: the tables.
        where: file of the metadata, for messages.

    Raises:
        DataError: no such file or column, a key that stands twice, a column that is there already, or nothing matches.
    """
    for annotation in annotations:
        raw = _joined(raw, annotation, where)
    return raw


def _joined(raw: pd.DataFrame, annotation: Annotation, where: str) -> pd.DataFrame:
    file = expand(annotation.file)
    table = read_text_table(file, "annotations")
    for side, columns, there in (
        (where, annotation.match.keys(), raw),
        (file, annotation.match.values(), table),
    ):
        for column in columns:
            if column not in there:
                known = list(there.columns)
                raise DataError(
                    f"{side}: no column {column!r}, which `annotations.match` names{nearest(column, known)}"
                )
    own, theirs = _keys(raw, list(annotation.match)), _keys(table, list(annotation.match.values()))
    table, theirs = table[theirs.notna()], theirs.dropna()
    if theirs.duplicated().any():
        twice = theirs[theirs.duplicated()].iloc[0]
        raise DataError(f"{file}: {_shown(twice)} stands twice; `annotations.match` needs columns that tell rows apart")
    matched = own.isin(set(theirs))
    if not matched.any():
        raise DataError(
            f"{file}: none of its {len(theirs)} rows matches {where} by {', '.join(annotation.match)}: it has "
            f"{_examples(theirs)}, and there is {_examples(own.dropna())}; see `annotations.match`"
        )
    if not matched.all():
        log.warning("%s: knows nothing of %s", file, _examples(own[~matched].fillna("an empty key")))
    added = [column for column in table.columns if column not in annotation.match.values()]
    clash = [column for column in added if column in raw]
    if clash:
        raise DataError(f"{file}: the column {clash[0]!r} is in {where} already; rename one of the two")
    table = table[added].set_axis(theirs)
    return raw.assign(**{column: own.map(table[column]).astype("str") for column in added})


def _keys(table: pd.DataFrame, columns: list[str]) -> pd.Series:
    """A key for each row, empty where a part of it is: 3.000000 and 3 are one concentration."""
    parts = [table[column].map(_plain, na_action="ignore") for column in columns]
    keys = parts[0]
    for part in parts[1:]:
        keys = keys + "\t" + part
    return keys


def _plain(text: str) -> str:
    """A number with a point without its closing zeros; anything else, as a code like 007, is left as it is."""
    text = text.strip()
    return text.rstrip("0").rstrip(".") if _DECIMAL.fullmatch(text) else text


def _examples(keys: pd.Series) -> str:
    names = list(dict.fromkeys(keys))
    return ", ".join(map(_shown, names[:EXAMPLES])) + (f" and {len(names) - EXAMPLES} more" if names[EXAMPLES:] else "")


def _shown(key: str) -> str:
    return repr(key.replace("\t", " / "))
