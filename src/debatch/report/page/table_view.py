"""A table as the page shows it: numbers from its file, their layout from its kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from debatch.report.cells import Draft, brackets, table_heading, uncertainty_notes
from debatch.report.kinds.tables import draft_table
from debatch.report.nulls import NullChance, above_chance, alarms, is_null, marked, row_title
from debatch.report.results import Results
from debatch.screen.nouns import Noun, stored_noun


def table_view(name: str, results: Results) -> dict[str, Any]:
    """Headings, rows of cells and notes; `rows` is empty where the table has not been made."""
    registry = results.registry
    spec = registry.tables[name]
    view: dict[str, Any] = {
        "name": name,
        "kind": spec.kind,
        "heading": table_heading(name),
        "title": spec.title,
        "made": False,
        "seeds": 0,
        "rows": [],
        "columns": [],
        "notes": [],
        "alarms": [],
    }
    path = Path(results.files.table(name, "csv"))
    if not path.exists():
        return view
    draft = draft_table(name, results)
    table = pd.read_csv(path)
    cells = {(cell["row"], cell["column"]): cell for _, cell in table.iterrows()}
    above = above_chance(draft)
    view["made"] = True
    noun = stored_noun(registry.screen)
    view["alarms"] = [noun.said(line) for line in alarms(draft, above)]
    view["seeds"] = draft.seeds()
    view["columns"] = [noun.said(heading) for heading in draft.headings()]
    notes = [*uncertainty_notes(draft, profiles=bool(registry.externals)), *draft.notes]
    view["notes"] = [noun.said(note) for note in notes]
    view["rows"] = [
        {
            "title": row_title(draft, row, above),
            "null": is_null(draft, row, above),
            "cells": [
                _cell(cells[row, column], draft, column, above, noun) if (row, column) in cells else None
                for column in draft.columns
            ],
        }
        for row in draft.rows
    ]
    view["published"] = bool(table["published_mean"].notna().any())
    return view


def _cell(
    cell: pd.Series, draft: Draft, column: str, above: Mapping[tuple[str, str], NullChance], noun: Noun
) -> dict[str, str]:
    own = draft.cells[cell["row"], column]
    if own.words:
        return {"value": noun.said(own.words), "sd": "", "range": "", "published": "", "verdict": "", "note": ""}
    missing = bool(pd.isna(cell["mean"]))
    decimals = draft.decimals_of(column)
    sd = f"± {cell['sd']:.{decimals}f}"
    published = ""
    if not pd.isna(cell["published_mean"]):
        own_sd = "" if pd.isna(cell["published_sd"]) else f" ± {cell['published_sd']:.{decimals}f}"
        published = f"{cell['published_mean']:.{decimals}f}{own_sd}"
    return {
        "value": "—" if missing else marked(draft.text(cell["mean"], column), (cell["row"], column), above),
        "sd": "" if missing or pd.isna(cell["sd"]) else sd,
        "range": "" if missing else brackets(draft, own, column),
        "published": published,
        "verdict": cell["verdict"],
        "note": noun.said(own.note),
    }
