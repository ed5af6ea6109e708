"""A table as the page shows it: numbers from its file, their layout from its kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from debatch.report.cells import Draft, brackets, uncertainty_notes
from debatch.report.kinds.tables import draft_table
from debatch.report.names import heading_of, is_papers_own
from debatch.report.nulls import NullChance, above_chance, alarms, is_null, marked, row_title
from debatch.report.results import Results
from debatch.screen.nouns import Noun, stored_noun


def table_view(name: str, results: Results) -> dict[str, Any]:
    """Headings, rows of cells and notes. Rows and columns without a number are named in a note in place of being shown.

    `rows` is empty where there is nothing to show, and `empty` says why in a sentence.
    """
    registry = results.registry
    spec = registry.tables[name]
    path = Path(results.files.table(name, "csv"))
    view: dict[str, Any] = {
        "name": name,
        "kind": spec.kind,
        "heading": heading_of(name, registry),
        "file": str(path),
        "made": path.exists(),
        "rows": [],
        "columns": [],
        "notes": [],
        "alarms": [],
        "published": False,
        "empty": f"Not made: {path} is not there.",
    }
    if not path.exists():
        return view
    draft, noun = draft_table(name, results), stored_noun(registry.screen)
    if not draft.rows:
        return {**view, "empty": "There is nothing to compare: the table would have one row or none."}
    table = pd.read_csv(path)
    cells = {(cell["row"], cell["column"]): cell for _, cell in table.iterrows()}
    above, papers_own = above_chance(draft), is_papers_own(name, registry)
    columns = [column for column in draft.columns if any(_says(draft, row, column) for row in draft.rows)]
    rows = [row for row in draft.rows if any(_says(draft, row, column) for column in columns)]
    numbers = [place for place in draft.cells if draft.cells[place].mean is not None]
    if not numbers:
        reasons = dict.fromkeys(cell.note for cell in draft.cells.values() if cell.note)
        return {**view, "empty": noun.said(f"It holds no number: {', '.join(reasons) or 'not run'}.")}
    headings = dict(zip(draft.columns, draft.headings(), strict=True))
    notes = [*uncertainty_notes(draft, profiles=bool(registry.externals)), *draft.notes]
    notes += _left_out(draft, rows, columns, headings)
    return {
        **view,
        "alarms": [noun.said(line) for line in alarms(draft, above)],
        "columns": [noun.said(headings[column]) for column in columns],
        "notes": [noun.said(note) for note in notes],
        "rows": [
            {
                "title": row_title(draft, row, above),
                "null": is_null(draft, row, above),
                "cells": [
                    _cell(cells[row, column], draft, column, above, noun, papers_own=papers_own)
                    if (row, column) in cells
                    else None
                    for column in columns
                ],
            }
            for row in rows
        ],
        "published": papers_own and bool(table["published_mean"].notna().any()),
    }


def _says(draft: Draft, row: str, column: str) -> bool:
    cell = draft.cells.get((row, column))
    return cell is not None and (cell.mean is not None or bool(cell.words))


def _left_out(draft: Draft, rows: list[str], columns: list[str], headings: Mapping[str, str]) -> list[str]:
    """What is not shown since it holds nothing, with the reasons."""
    notes = []
    for of, shown, every, at in (("columns", columns, headings, 1), ("rows", rows, draft.rows, 0)):
        said = []
        for key in every:
            if key not in shown:
                reasons = dict.fromkeys(c.note for place, c in draft.cells.items() if place[at] == key and c.note)
                said.append(every[key] + (f" ({', '.join(reasons)})" if reasons else ""))
        if said:
            notes.append(f"{of} without a number, left out: {'; '.join(said)}")
    return notes


def _cell(
    cell: pd.Series,
    draft: Draft,
    column: str,
    above: Mapping[tuple[str, str], NullChance],
    noun: Noun,
    *,
    papers_own: bool,
) -> dict[str, Any]:
    own = draft.cells[cell["row"], column]
    view: dict[str, Any] = dict.fromkeys(("sd", "range", "published", "verdict", "note"), "") | {"numbers": {}}
    if own.words:
        return {**view, "value": noun.said(own.words)}
    decimals = draft.decimals_of(column)
    if pd.isna(cell["mean"]):
        return {**view, "value": "—", "note": noun.said(own.note)}
    published = ""
    if papers_own and not pd.isna(cell["published_mean"]):
        own_sd = "" if pd.isna(cell["published_sd"]) else f" ± {cell['published_sd']:.{decimals}f}"
        published = f"{cell['published_mean']:.{decimals}f}{own_sd}"
    shown = {key: cell[of] for key, of in (("value", "mean"), ("sd", "sd"), ("low", "low"), ("high", "high"))}
    return {
        **view,
        "value": marked(draft.text(cell["mean"], column), (cell["row"], column), above),
        "sd": "" if pd.isna(cell["sd"]) else f"± {cell['sd']:.{decimals}f}",
        "range": brackets(draft, own, column),
        "published": published,
        "verdict": cell["verdict"] if published else "",
        "note": noun.said(own.note),
        "numbers": {key: f"{value:.{decimals}f}" for key, value in shown.items() if not pd.isna(value)},
    }
