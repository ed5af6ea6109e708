"""Names that are one thing spelt twice, words that mean nothing, and dates that were genes."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from debatch.text_cells import number_spelling

# as people and programs write them: .5, +5, 0,5, 1,000, 01, 0.30000000000000004
_NUMBER_INSIDE = re.compile(
    r"(?<![A-Za-z0-9.,])[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]*[.,][0-9]+|[0-9]+)(?:[eE][-+]?[0-9]{1,2})?(?![0-9.,])"
)
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?:[,.]|$))")
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_UNSEEN = re.compile(r"[\s\u00ad\u200b\u200c\u200d\u2060\ufeff]+")
# what programs write where there is nothing
NOTHING = frozenset(
    {"nan", "none", "null", "na", "n/a", "#n/a", "<na>", "nat", "missing", "undefined", "#ref!", "#value!"}
)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"\d{{1,2}}[-. ](?:{_MONTHS})|(?:{_MONTHS})[-. ]\d{{1,2}}|\d{{4}}-\d\d-\d\d(?: 00:00:00)?", re.IGNORECASE
)
# of the index: what is asked of each; controls are perturbations too
_NAMED = ("experiment", "plate", "cell_type", "batch", "perturbation", "compound", "mechanism")
_OF_WELLS = ("cell_type", "perturbation", "compound", "mechanism")
_OF_GENES = ("perturbation", "compound")
EXAMPLES = 3


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that differ by case, blanks, Unicode form or the format of numbers alone."""
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        groups.setdefault(_folded(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def difference(names: Iterable[str]) -> str:
    """By what names that look alike differ, as in `case`; several things are joined by `and`."""
    every = set(names)
    for what, fold in _FOLDS.items():
        if len({fold(name) for name in every}) == 1:
            return what
    needed = [what for what in _FOLDS if len({_folded(name, without=what) for name in every}) > 1]
    return " and ".join(needed or _FOLDS)


def doubtful_names(wells: pd.DataFrame, missing: Iterable[str] | None) -> list[str]:
    """A sentence on each name that is likely not what was meant.

    Args:
        wells: (N, …) a row a well, or an image: experiment, plate, cell_type, batch, perturbation; compound and
            mechanism where the screen has them.
        missing: words that the screen says mean nothing; None: it does not say, and such words are asked about.
    """
    rows = wells.drop_duplicates(["experiment", "plate", "well"])
    found = []
    for column in _NAMED:
        if column not in rows:
            continue
        counts = rows[column].dropna().value_counts()
        groups = look_alikes(counts.index) if column != "plate" else _plates_alike(rows)
        for group in groups:
            spelt = ", ".join(f"{name!r} ({counts[name]:,})" for name in group)
            found.append(
                f"{_words(column)}: {spelt} wells differ by {difference(group)} alone; write one thing in one way"
            )
        if missing is None and column in _OF_WELLS:
            found += [
                f"{_words(column)}: {count:,} wells are called {name!r}; if that means none, say `missing: [{name!r}]`"
                ", and if it is a name, `missing: []`"
                for name, count in counts.items()
                if str(name).lower() in NOTHING
            ]
        if column in _OF_GENES and (dates := [name for name in counts.index if _DATE.fullmatch(str(name))]):
            some = ", ".join(map(repr, dates[:EXAMPLES])) + (", …" if dates[EXAMPLES:] else "")
            found.append(
                f"{_words(column)}: {some} ({counts[dates].sum():,} wells) look like dates that a spreadsheet made of "
                "genes, as of SEPT2; write the genes"
            )
    return found


def unlisted_look_alike(words: Iterable[str], known: Mapping[str, object]) -> tuple[str, str] | None:
    """The first word that is not a known one and looks like one, and that known one; None: there is none."""
    by_fold = {_folded(name): name for name in known}
    for word in words:
        if word not in known and (near := by_fold.get(_folded(word))):
            return word, near
    return None


def _plates_alike(rows: pd.DataFrame) -> list[list[str]]:
    return [group for _, own in rows.groupby("experiment") for group in look_alikes(own["plate"].dropna())]


def _folded(name: str, without: str = "") -> str:
    for what, fold in _FOLDS.items():
        if what != without:
            name = fold(name)
    return name


def _composed(name: str) -> str:
    return unicodedata.normalize("NFKC", name).translate(_DASHES)


def _numbers_alike(name: str) -> str:
    return _NUMBER_INSIDE.sub(lambda match: _about(match[0]), name)


def _about(number: str) -> str:
    """A number to twelve digits, whatever it is written like."""
    value = float(_THOUSANDS.sub("", number).replace(",", "."))
    return number_spelling(f"{value:.12g}") if value == value and abs(value) < 1e300 else number


def _words(column: str) -> str:
    return column.replace("_", " ")


# in this order: a dash must be one before a number is looked for
_FOLDS: dict[str, Callable[[str], str]] = {
    "Unicode form": _composed,
    "the format of numbers": _numbers_alike,
    "blanks": lambda name: _UNSEEN.sub("", name),
    "case": str.casefold,
}
