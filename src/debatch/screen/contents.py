"""What a screen's wells hold, in words: its perturbations, compounds and mechanisms, controls apart."""

import pandas as pd

from debatch.config.screen import CONTROLS, NEGATIVE_CONTROL
from debatch.screen.metadata import WELL_TYPES, natural_key

MOST_NAMED = 2


def contents(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """What is counted, and how many: wells and perturbations by well type; compounds and mechanisms where known.

    Args:
        rows: of the index or of the metadata: experiment, plate, well, well_type, perturbation; compound and mechanism
            where the screen has them.
    """
    wells = rows.drop_duplicates(["experiment", "plate", "well"])
    kinds = wells["well_type"].value_counts()
    found = [("wells by type", ", ".join(f"{n:,} {_words(kind)}" for kind, n in kinds.items()))]
    columns = [c for c in ("perturbation", "compound", "mechanism") if c in wells and wells[c].notna().any()]
    found += [(f"{column}s", named(wells, column)) for column in columns]
    if "mechanism" in wells:
        asked = wells[wells["well_type"] != NEGATIVE_CONTROL]
        known = asked["mechanism"].notna().sum()
        found.append(("mechanism known", f"of {known:,} of {len(asked):,} wells of treatments and positive controls"))
    return found


def named(wells: pd.DataFrame, column: str) -> str:
    """How many different names a column has, as in `16 of treatments, 3 of positive controls`.

    A control's names stand beside it where they are one or two. Where a name is of several well types, how many there
    are in all is said too.

    Args:
        wells: a row a well: well_type, and the column.
        column: `perturbation`, `compound` or `mechanism`.
    """
    known = wells[wells[column].notna()]
    parts, total = [], 0
    for kind in WELL_TYPES:
        names = sorted(known.loc[known["well_type"] == kind, column].astype(str).unique(), key=natural_key)
        if not names:
            continue
        total += len(names)
        which = f" ({', '.join(names)})" if kind in CONTROLS and len(names) <= MOST_NAMED else ""
        if column == "perturbation":
            parts.append(f"{len(names):,} {_words(kind)}{'' if len(names) == 1 else 's'}{which}")
        else:
            parts.append(f"{len(names):,} of {_words(kind)}s{which}")
    every = known[column].nunique()
    return ", ".join(parts) + (f"; {every:,} in all" if every < total else "")


def _words(kind: object) -> str:
    return str(kind).replace("_", " ")
