"""What all tables share: how a cell is computed from runs, and how cells are laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from debatch.config.tables import Table
from debatch.evaluate.metrics import METRICS, OF_PREDICTIONS
from debatch.evaluate.tidy import ALL
from debatch.evaluate.uncertainty import UNKNOWN, Scale, Spread, mean_spread
from debatch.registry import Registry, Run
from debatch.report.frames import by_batch, by_seed, few_statistics
from debatch.report.names import heading_of, is_papers_own
from debatch.report.nulls import NullChance, above_chance, alarms, marked, note_of, row_title
from debatch.report.published import MARGIN_POINTS, Estimate, Published, margin_of, verdict
from debatch.report.results import ByRun
from debatch.screen.nouns import stored_noun

COLUMNS = [
    "row", "column", "mean", "sd", "n", "low", "high", "unit", "published_mean", "published_sd", "verdict", "note",
]  # fmt: skip
NOT_RUN = "not run"
SEEDS = "training seeds"
RANGE = "low and high are of the worst and the best batch of each cell type: too few for an interval"


@dataclass(frozen=True)
class Origin:
    """What a cell was made from.

    Attributes:
        runs: those that share their weights are several views of one training; none: no model was asked.
        splits: that it looks at.
        words: what is special about it; empty where nothing is.
    """

    runs: tuple[Run, ...] = ()
    splits: tuple[str, ...] = ()
    words: str = ""

    @classmethod
    def of(cls, *frames: object, split: str = "", words: str = "") -> "Origin":
        """Of the runs that frames are of.

        Args:
            frames: as `Results.by_seed` gives them.
            split: that it looks at where there is no run.
            words: as above.
        """
        runs = tuple(dict.fromkeys(run for own in frames if isinstance(own, ByRun) for run in own.runs))
        splits = tuple(dict.fromkeys(run.split for run in runs))
        return cls(runs, splits or ((split,) if split else ()), words)


def record_origins(draft: "Draft") -> list[dict[str, Any]]:
    """What each cell is made from, as JSON takes it; cells of one origin stand together."""
    found: dict[Origin, list[tuple[str, str]]] = {}
    for place, cell in draft.cells.items():
        found.setdefault(cell.origin, []).append(place)
    return [{"cells": cells, **asdict(origin)} for origin, cells in found.items()]


def recorded_origin(record: Any, row: str, column: str) -> Origin | None:
    """What a cell was made from, by the JSON of its table; None where that does not say.

    Args:
        record: the content of `tables/<table>.json`.
        row: of the cell.
        column: of the cell.
    """
    for origin in record.get("made_from", []) if isinstance(record, dict) else []:
        if [row, column] in origin["cells"]:
            return Origin(tuple(Run(**run) for run in origin["runs"]), tuple(origin["splits"]), origin["words"])
    return None


@dataclass(frozen=True)
class Cell:
    """A number of a table: mean and sd over n seeds, and how sure it is; or words.

    Attributes:
        mean: over seeds, in the column's unit.
        sd: of seeds.
        n: seeds.
        low: of a 95 % interval, or of a range.
        high: likewise.
        note: what speaks for caution, or why there is no number.
        words: in place of a number.
        origin: what it was made from.
        is_range: whether low and high are of single batches, since there are too few for an interval.
        error: standard error, in the column's unit; NaN where there is no interval.
        freedom: its degrees of freedom.
        bounds_of: what low and high are of, where they are neither, as permutations.
        judged: what is held against a published number, where that is not the mean over seeds.
    """

    mean: float | None = None
    sd: float | None = None
    n: int = 0
    low: float | None = None
    high: float | None = None
    note: str = ""
    words: str = ""
    origin: Origin = Origin()
    is_range: bool = False
    error: float = np.nan
    freedom: float = np.nan
    bounds_of: str = ""
    judged: Estimate | None = None

    @property
    def notes(self) -> str:
        """The note, and what its brackets are where they are no interval."""
        bounds = f"low and high are {self.bounds_of}" if self.bounds_of else RANGE if self.is_range else ""
        return "; ".join(filter(None, [self.note, bounds if self.low is not None else ""]))


@dataclass
class Draft:
    """A table before it is written.

    Attributes:
        rows: key -> what a person reads.
        columns: likewise.
        cells: by row and column; a pair that is not there has no meaning.
        unit: of all cells.
        decimals: shown to people.
        formats: unit and decimals of columns that differ from these.
        signed: whether a plus sign is shown, as of differences.
        nulls: rows that can only score at chance.
        chances: cells of nulls -> what luck reaches there, where that is known.
        poor_nulls: nulls whose permutation left too much in place -> a sentence on it.
        ranges_of: columns whose n and range are of something else than seeds and test batches -> of what.
        contrasts: rows that are one published row less another -> the two.
        unchanged: rows of recipes that change nothing of the screen's own training.
        repeats: what sds are over.
        drawn: what intervals are over; empty: test batches.
        warnings: what must not be overlooked, beside nulls that are none.
        notes: what holds for the whole table.
    """

    rows: dict[str, str]
    columns: dict[str, str]
    cells: dict[tuple[str, str], Cell]
    unit: str = "%"
    decimals: int = 1
    formats: dict[str, tuple[str, int]] = field(default_factory=dict)
    signed: bool = False
    nulls: tuple[str, ...] = ()
    chances: dict[tuple[str, str], NullChance] = field(default_factory=dict)
    poor_nulls: dict[str, str] = field(default_factory=dict)
    ranges_of: dict[str, str] = field(default_factory=dict)
    contrasts: dict[str, tuple[str, str]] = field(default_factory=dict)
    unchanged: tuple[str, ...] = ()
    repeats: str = SEEDS
    drawn: str = ""
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self, value: float, column: str) -> str:
        """A number as this table shows it in a column."""
        return f"{value:{'+' if self.signed else ''}.{self.decimals_of(column)}f}"

    def unit_of(self, column: str) -> str:
        """The unit of a column's numbers; empty where they have none."""
        return self.formats.get(column, (self.unit, 0))[0]

    def decimals_of(self, column: str) -> int:
        """How many decimals of them are shown."""
        return self.formats.get(column, ("", self.decimals))[1]

    def seeds(self) -> int:
        """The most seeds that a cell was made from."""
        return max((cell.n for (_, column), cell in self.cells.items() if column not in self.ranges_of), default=0)

    def headings(self) -> list[str]:
        """The columns' headings, with units."""
        return [head + (f" ({self.unit_of(key)})" if self.unit_of(key) else "") for key, head in self.columns.items()]


def pooled(
    frames: Sequence[pd.DataFrame],
    metric: str,
    lacking: str,
    subset: str = "all",
    cell_type: str = ALL,
    origin: Origin | None = None,
) -> Cell:
    """A metric: mean and sd over seeds, interval over batches, in the metric's unit.

    Args:
        frames: tidy metrics, seed by seed.
        metric: its name there.
        lacking: the note where there is no such number.
        subset: of images.
        cell_type: whose images alone.
        origin: where it comes from; None: the frames say.
    """
    origin = origin or Origin.of(frames)
    values = by_seed(frames, metric, subset, cell_type)
    if not values:
        return Cell(note=lacking, origin=origin)
    batches = by_batch(frames, metric, subset, cell_type)
    spread = batch_mean(batches, values, "share" if METRICS[metric].is_share else "plain")
    note = few_statistics(frames, cell_type) if metric in OF_PREDICTIONS else ""
    return scaled_cell(metric, values, spread, note, origin)


def batch_mean(batches: pd.DataFrame, values: Sequence[float], scale: Scale) -> Spread:
    """How sure a mean over batches is.

    Args:
        batches: as `by_batch` gives them.
        values: the mean of each seed.
        scale: as in `mean_spread`.
    """
    if batches.empty:
        return UNKNOWN
    value, stratum, n = (batches[name].to_numpy() for name in ("value", "stratum", "n"))
    return mean_spread(value, stratum, n, values, scale, float(np.mean(values)))


def scaled_cell(metric: str, values: Sequence[float], spread: Spread, note: str, origin: Origin) -> Cell:
    """Values of a metric, seed by seed, as a cell in the metric's unit."""
    return spread_cell(METRICS[metric].factor, values, spread, note, origin)


def spread_cell(factor: float, values: Sequence[float], spread: Spread, note: str, origin: Origin) -> Cell:
    """A mean over seeds and how sure it is, times a factor."""
    sd = factor * float(np.std(values, ddof=1)) if len(values) > 1 else None
    low, high = (factor * bound if np.isfinite(bound) else None for bound in (spread.low, spread.high))
    return Cell(
        factor * float(np.mean(values)),
        sd,
        len(values),
        low,
        high,
        note,
        origin=origin,
        is_range=not spread.is_interval,
        error=factor * spread.error,
        freedom=spread.freedom,
    )


def tidy(draft: Draft, name: str, registry: Registry, published: Published) -> pd.DataFrame:
    """A row a cell (`COLUMNS`), with the paper's number and the verdict."""
    spec, above, noun = registry.tables[name], above_chance(draft), stored_noun(registry.screen)
    rows = []
    for (row, column), cell in draft.cells.items():
        comparable, unit = is_papers_own(name, registry), draft.unit_of(column)
        # what an unchanged recipe is differs from screen to screen
        own = row in draft.unchanged and not comparable
        theirs = Estimate() if own else _published(published, spec, name, draft.contrasts.get(row, (row,)), column)
        ours = cell.judged or Estimate(cell.mean, cell.sd, cell.n)
        margin = MARGIN_POINTS if row in draft.contrasts else margin_of(theirs.mean or 0.0, unit == "%")
        judged = "" if cell.words else verdict(ours, theirs, comparable, margin)
        if cell.mean is None and cell.note not in {"", NOT_RUN}:
            judged = "not defined"  # it was run, or there is nothing to run: the note says which
        values = [
            cell.mean,
            cell.sd,
            cell.n,
            cell.low,
            cell.high,
            unit,
            theirs.mean,
            theirs.sd,
            judged,
            noun.said("; ".join(filter(None, [*note_of(draft, (row, column), above), cell.words or cell.notes]))),
        ]
        rows.append([row, column, *values])
    return pd.DataFrame(rows, columns=COLUMNS)


def _published(published: Published, spec: Table, name: str, rows: tuple[str, ...], column: str) -> Estimate:
    """A published number; of two rows the first less the second."""
    columns = spec.published_columns.get(column, column)
    table = spec.published_table or name
    first, *less = (published.cell(spec.paper, table, spec.published_row(row), columns) for row in rows)
    return first.less(less[0]) if less else first


def laid_out(name: str, draft: Draft, registry: Registry) -> str:
    """A table as Markdown, laid out as the paper's."""
    kind = "simulated screen" if registry.screen.simulated else "screen"
    label = f", {registry.screen.label}" if registry.screen.label else ""
    lines = [f"**{heading_of(name, registry)}** ({kind} `{registry.name}`{label})", ""]
    lines.append("| | " + " | ".join(draft.headings()) + " |")
    lines.append("|---" + "|---:" * len(draft.columns) + "|")
    above = above_chance(draft)
    for row in draft.rows:
        cells = [_readable(draft, (row, column), above) for column in draft.columns]
        lines.append(f"| {row_title(draft, row, above)} | " + " | ".join(cells) + " |")
    notes = [*alarms(draft, above), *uncertainty_notes(draft, profiles=bool(registry.externals)), *draft.notes]
    notes += sorted({cell.note for cell in draft.cells.values() if cell.note})
    if registry.screen.simulated:
        notes.append("every number comes from simulated images")
    text = "\n".join([*lines[1:], "", *(f"- {note}" for note in notes), ""])
    return f"{lines[0]}\n{stored_noun(registry.screen).said(text)}"


def uncertainty_notes(draft: Draft, *, profiles: bool) -> list[str]:
    """What stands behind a number's ± and brackets.

    Args:
        draft: the table.
        profiles: whether it is of profiles, of which there are no seeds.
    """
    seeds = draft.seeds()
    bounded = [(column, own) for (_, column), own in draft.cells.items() if own.low is not None and not own.bounds_of]
    shown = [own for column, own in bounded if column not in draft.ranges_of]
    spread = (
        f"mean ± standard deviation over {seeds} {draft.repeats}" if seeds > 1 else "one training seed, so no spread"
    )
    notes = [spread] if seeds and not profiles else []
    if any(not cell.is_range for cell in shown):
        of_seeds = seeds > 1 and draft.repeats == SEEDS
        with_seeds = " and training seeds" if of_seeds and not profiles else ""
        alone = "" if profiles or of_seeds else "; one training seed says nothing of other seeds"
        drawn = f"what other {'batches' if profiles else 'test batches'}{with_seeds} of the same cell types would give"
        over = f"over {draft.drawn}{with_seeds and f';{with_seeds} everywhere'}" if draft.drawn else drawn
        notes.append(f"in brackets a 95 % interval{':' if over == drawn else ''} {over}{alone}")
    if any(cell.is_range for cell in shown):
        notes.append(
            "in round brackets, where batches are too few for an interval (under four, or one of a cell type): what "
            "the worst and the best batch of each cell type give"
        )
    return notes


def brackets(draft: Draft, cell: Cell, column: str) -> str:
    """An interval in square brackets, a range in round ones with what it is of; empty where there is neither."""
    if cell.low is None or cell.high is None:
        return ""
    text = f"{draft.text(cell.low, column)} to {draft.text(cell.high, column)}"
    if column in draft.ranges_of:
        return f"({draft.ranges_of[column]}: {text})"
    return f"({text})" if cell.is_range or cell.bounds_of else f"[{text}]"


def _readable(draft: Draft, place: tuple[str, str], above: Mapping[tuple[str, str], NullChance]) -> str:
    cell, column = draft.cells.get(place, Cell()), place[1]
    if cell.mean is None:
        return cell.words or "—"
    text = marked(draft.text(cell.mean, column), place, above) + (
        "" if cell.sd is None else f" ± {cell.sd:.{draft.decimals_of(column)}f}"
    )
    return " ".join(filter(None, [text, brackets(draft, cell, column)]))
