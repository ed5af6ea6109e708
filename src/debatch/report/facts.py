"""What the report says in words, computed from the results."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from debatch.config import Registry, Run
from debatch.evaluate.label_shift import label_shift
from debatch.files import Files
from debatch.report.captions import HEADINGS
from debatch.screen.splits import balance, split_sha256
from debatch.tabular import read_frame

LARGE_SHIFT = 0.25
FEW_BATCHES = 5


@dataclass(frozen=True)
class Headline:
    """The result in two sentences, and how sure it is."""

    finding: str
    certainty: list[str]


def headline(registry: Registry, table: pd.DataFrame, test_batches: int) -> Headline:
    """Which method does best on unseen batches, against the baseline, and what speaks for caution."""
    cells = table[table["column"] == "accuracy_batch_separated"].set_index("row")
    cells = cells[cells["mean"].notna()]
    if cells.empty:
        return Headline("No run on unseen batches has been made.", [])
    best = str(cells["mean"].idxmax())
    top = cells.T[best]
    finding = f"{registry.title(best)} recognises {top['mean']:.1f} % of images from batches it never saw"
    cautions = []
    others = cells.drop(index=best)
    for method, cell in others.iterrows():
        finding += (
            f"; {registry.title(str(method))} {cell['mean']:.1f} % ({top['mean'] - cell['mean']:.1f} points less)"
        )
        if cell["high"] >= top["low"]:
            cautions.append(
                f"The test batches of {registry.title(best)} ({_range(top)}) and {registry.title(str(method))} "
                f"({_range(cell)}) overlap: on a single new batch the order may be the other one."
            )
    if best == "baseline" and "adabn" in others.index:
        cautions.insert(0, "AdaBN loses to the baseline here; see the section on the test batches' classes.")
    seeds = int(cells["n"].min())
    cautions.append(f"{_count(seeds, 'training seed')} a method" + ("; one seed has no spread." if seeds == 1 else "."))
    if test_batches < FEW_BATCHES:
        cautions.append(
            f"Only {_count(test_batches, 'test batch', 'test batches')}: the range from the worst to the best of them "
            "is given, since too few for an interval."
        )
    return Headline(finding + ".", cautions)


def screen_facts(registry: Registry, index: pd.DataFrame) -> list[tuple[str, str]]:
    """The screen in numbers: label and value."""
    screen = registry.screen
    origin = "drawn by a computer (simulated)" if screen.simulate else str(screen.source.root if screen.source else "")
    return [
        ("images", f"{len(index):,}"),
        ("wells", f"{len(index.drop_duplicates(['experiment', 'plate', 'well'])):,}"),
        ("plates", f"{len(index.drop_duplicates(['experiment', 'plate'])):,}"),
        ("experiments", f"{index['experiment'].nunique():,}"),
        ("batches", f"{index['batch'].nunique():,}"),
        ("cell types", ", ".join(sorted(index["cell_type"].unique()))),
        ("classes", f"{index['label'].nunique():,}"),
        ("images without a label", f"{int(index['label'].isna().sum()):,}"),
        ("origin", origin),
    ]


def read_problems(registry: Registry, files: Files) -> pd.DataFrame:
    """Everything that was wrong at ingestion."""
    paths = [Path(files.problems(experiment)) for experiment in registry.experiments]
    found = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths if path.exists()]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def split_facts(registry: Registry, files: Files, index: pd.DataFrame) -> list[dict[str, Any]]:
    """Each split's balance, a row a subset."""
    rows = []
    for name in registry.screen.splits.names:
        split = read_frame(files.split(name))
        digest = split_sha256(split)[:12]
        for row in balance(split, index).to_dict("records"):
            spans = {f"per_{key}": span(row[f"{key}_min"], row[f"{key}_max"]) for key in ("class", "batch")}
            rows.append({"split": name, "sha256": digest, **spans, **{str(key): value for key, value in row.items()}})
    return rows


@dataclass(frozen=True)
class Shift:
    """What the class mix of the test batches means for adaptive batch norm."""

    text: str
    rows: list[dict[str, Any]]


def shift_facts(registry: Registry, files: Files, index: pd.DataFrame, table: pd.DataFrame) -> Shift:
    """Explain, from measured numbers, whether a batch's own statistics carry its classes."""
    split = read_frame(files.split("separated"))
    sides = index.merge(split, on="image_id")
    sides = sides[sides["label"].notna()]
    train, test = sides[sides["subset"] == "train"], sides[sides["subset"] == "test"]
    shift = label_shift(test["label"].to_numpy(int), test["batch"].to_numpy(str), train["label"].to_numpy(int))
    mean, classes = float(shift["total_variation"].mean()), int(index["label"].nunique())
    fewest, most = shift["classes"].min(), shift["classes"].max()
    held = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    if mean <= LARGE_SHIFT:
        text = (
            f"Every test batch holds {held} of the {classes} classes in nearly the training set's mix (total variation "
            f"{mean:.2f} on average, where 0 is the same mix and 1 no class in common). That is the condition that "
            "adaptive batch normalization rests on: what differs between batches is then the batch and not its classes."
        )
    else:
        text = (
            f"Each test batch holds only {held} of the {classes} classes: its class mix is far from the training set's "
            f"(total variation {mean:.2f} on average, where 0 is the same mix and 1 no class in common). A batch's own "
            "statistics then carry its classes too, and normalizing by them removes the very difference that is to be "
            "told. AdaBN is expected to lose here. " + _shift_outcome(registry, table)
        )
    return Shift(text, [dict(zip(shift.columns, row, strict=True)) for row in shift.itertuples(index=False)])


def companion_rows(registry: Registry, metrics: dict[Run, pd.DataFrame]) -> list[dict[str, str]]:
    """Accuracy in its other forms, averaged over seeds, a row a method and split."""
    rows = []
    for method, split in dict.fromkeys((run.method, run.split) for run in metrics):
        frames = [frame for run, frame in metrics.items() if (run.method, run.split) == (method, split)]
        both = pd.concat(frames)
        row = {"method": registry.title(method), "split": split}
        for heading, metric, subset in (
            ("per image", "accuracy", "all"),
            ("per well", "accuracy_well", "all"),
            ("per class (macro)", "accuracy_macro", "all"),
            ("treatments only", "accuracy", "treatments"),
        ):
            row[heading] = _percent(both, metric, subset, "all")
        for group in sorted(g for g in both["group"].unique() if g.startswith("cell_type=")):
            row[group.removeprefix("cell_type=")] = _percent(both, "accuracy", "all", group)
        rows.append(row)
    return rows


def limits(registry: Registry, test_batches: int, trained: bool) -> list[str]:
    """What the page does not show, in plain words."""
    lines = []
    if registry.screen.simulate:
        lines.append(
            "The images are simulated. They show that the workflow recovers a truth that was planted; they say nothing "
            "about how large any effect is in a real screen."
        )
    if test_batches:
        lines.append(
            f"One draw of each split: another choice of the {test_batches} test batches would move the numbers."
        )
    if not trained:
        return [*lines, "No method was trained: the page shows the images and nothing that was learnt from them."]
    lines += [
        "Only the methods in the tables were run; gradient reversal was not.",
        "The batch accuracy is that of the head trained beside the network. A low one does not prove that the batch is "
        "gone from the embedding: a probe fitted afterwards may still find it, and was not run.",
    ]
    if registry.screen.published is None:
        lines.append("Published numbers stand beside ours for orientation only: another screen, or another scale.")
    return lines


def table_cells(table: pd.DataFrame, methods: list[str]) -> list[dict[str, Any]]:
    """Table 1 as rows of cells for the page."""
    rows = []
    for method in methods:
        own = table[table["row"] == method].set_index("column")
        cells = []
        for column in HEADINGS:
            cell = own.loc[column]
            missing = bool(pd.isna(cell["mean"]))
            cells.append(
                {
                    "value": "—" if missing else f"{cell['mean']:.1f}",
                    "sd": "" if missing or pd.isna(cell["sd"]) else f"± {cell['sd']:.1f}",
                    "range": "" if missing or pd.isna(cell["low"]) else f"{_range(cell)}",
                    "published": "" if pd.isna(cell["published_mean"]) else _published(cell),
                    "verdict": cell["verdict"],
                    "note": "" if pd.isna(cell["note"]) else cell["note"],
                }
            )
        rows.append({"method": method, "cells": cells})
    return rows


def _published(cell: pd.Series) -> str:
    sd = "" if pd.isna(cell["published_sd"]) else f" ± {cell['published_sd']:.1f}"
    return f"{cell['published_mean']:.1f}{sd}"


def _shift_outcome(registry: Registry, table: pd.DataFrame) -> str:
    cells = table[table["column"] == "accuracy_batch_separated"].set_index("row")["mean"]
    if not {"baseline", "adabn"} <= set(cells.dropna().index):
        return ""
    did = "It did" if cells["adabn"] < cells["baseline"] else "It did not"
    return f"{did}: AdaBN {cells['adabn']:.1f} % against the baseline's {cells['baseline']:.1f} %."


def _percent(frame: pd.DataFrame, metric: str, subset: str, group: str) -> str:
    chosen = frame[(frame["metric"] == metric) & (frame["subset"] == subset) & (frame["group"] == group)]
    return f"{100 * chosen['value'].mean():.1f}" if len(chosen) else "—"


def _range(cell: pd.Series) -> str:
    return f"{cell['low']:.1f}–{cell['high']:.1f}"


def span(low: int, high: int) -> str:
    """Two counts as one, where they are the same."""
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _count(n: int, noun: str, plural: str | None = None) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {plural or noun + 's'}"
