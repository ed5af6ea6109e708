"""Rows that can only score at chance, and how a table says that one did not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debatch.report.cells import Draft

MARK = "(!)"
# with which a null's title ends
NULL = "(null)"


@dataclass(frozen=True)
class NullChance:
    """What a cell of a null may show.

    Attributes:
        level: of chance, in the column's unit.
        highest: what luck brings it to in 95 of 100 draws.
        draws: of what these are, as in `8 test wells`.
        means: a clause: what a value above `highest` means.
    """

    level: float
    highest: float
    draws: str
    means: str


def above_chance(draft: "Draft") -> dict[tuple[str, str], NullChance]:
    """The cells of nulls that lie above what luck explains, by row and column."""
    found = {}
    for (row, column), chance in draft.chances.items():
        mean = draft.cells[row, column].mean
        if row in draft.nulls and mean is not None and mean > chance.highest + 1e-9:
            found[row, column] = chance
    return found


def row_title(draft: "Draft", row: str, above: Mapping[tuple[str, str], NullChance]) -> str:
    """A row's title, which says whether it is a null: one that is above chance, or was permuted too little, is none."""
    title = _title(draft, row)
    if any(row == own for own, _ in above):
        return f"{title} (above chance: no null)"
    return f"{title} (too few wells permuted: no null)" if row in draft.poor_nulls else draft.rows[row]


def is_null(draft: "Draft", row: str, above: Mapping[tuple[str, str], NullChance]) -> bool:
    """Whether a row is shown as a null."""
    return row in draft.nulls and row not in draft.poor_nulls and all(row != own for own, _ in above)


def alarms(draft: "Draft", above: Mapping[tuple[str, str], NullChance]) -> list[str]:
    """A sentence for each null that is none, and the table's own warnings."""
    lines = []
    for (row, column), chance in above.items():
        value, unit = draft.cells[row, column].mean or 0.0, draft.unit_of(column)
        lines.append(
            f"{MARK} {_title(draft, row)}, {draft.columns[column]}: {_with_unit(draft, value, column, unit)} is above "
            f"chance, so that it is no null. {chance_words(draft, column, chance)}: {chance.means}"
        )
    told = {row for row, _ in above}
    poor = [sentence for row, sentence in draft.poor_nulls.items() if row not in told]
    return [*lines, *poor, *draft.warnings]


def chance_words(draft: "Draft", column: str, chance: NullChance) -> str:
    """The level of chance, and how far luck reaches."""
    unit = draft.unit_of(column)
    return (
        f"Chance is {_with_unit(draft, chance.level, column, unit)}, and at most "
        f"{_with_unit(draft, chance.highest, column, unit)} in 95 of 100 draws of {chance.draws}"
    )


def marked(value: str, place: tuple[str, str], above: Mapping[tuple[str, str], NullChance]) -> str:
    """A cell's text, with a mark where it is a null's above chance."""
    return f"{value} {MARK}" if place in above else value


def note_of(draft: "Draft", place: tuple[str, str], above: Mapping[tuple[str, str], NullChance]) -> Sequence[str]:
    """What a file's note says of such a cell; nothing of others."""
    if place not in above:
        return []
    words = chance_words(draft, place[1], above[place])
    return [f"above chance: no null; {words[0].lower()}{words[1:]}"]


def _title(draft: "Draft", row: str) -> str:
    return draft.rows[row].removesuffix(f" {NULL}")


def _with_unit(draft: "Draft", value: float, column: str, unit: str) -> str:
    return f"{draft.text(value, column)} {unit}".rstrip()
