"""Table 1: accuracy on unseen and on seen batches, what is kept of it, and how well a head still tells the batch."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from debatch.config import Registry, Run
from debatch.evaluate.uncertainty import pooled_interval, ratio_interval
from debatch.report.published import Published, verdict

PAPER, TABLE = "rxrx1", "table1"
COLUMNS = [
    "row",
    "column",
    "mean",
    "sd",
    "n",
    "low",
    "high",
    "unit",
    "published_mean",
    "published_sd",
    "verdict",
    "note",
]
Cell = dict[str, float | int | str | None]


def make_table1(registry: Registry, metrics: Mapping[Run, pd.DataFrame], published: Published) -> pd.DataFrame:
    """Table 1 of the RxRx1 paper for the registry's methods.

    Args:
        registry: which methods, splits and seeds.
        metrics: of each run, as `score_predictions` makes them.
        published: the paper's numbers.

    Returns:
        A row a cell (`COLUMNS`), in %. mean and sd are over n seeds; sd is empty for one seed and for the ratio of
        means. low and high say how the test batches differ: a 95 % bootstrap over them from 5 batches on, else the
        smallest and largest. A cell without runs is empty, with a note.
    """
    cells = []
    for method in registry.tables[TABLE].methods:
        separated = _frames(metrics, method, "separated")
        stratified = _frames(metrics, method, "stratified")
        lacking = "" if stratified else "the screen has no stratified split"
        rows: list[tuple[str, Cell]] = [
            ("accuracy_batch_separated", _pooled(separated, "accuracy", "the screen has no separated split")),
            ("accuracy_batch_stratified", _pooled(stratified, "accuracy", lacking)),
            ("batch_generalization", _generalization(separated, stratified, lacking)),
            ("batch_classification_accuracy", _pooled(stratified, "batch_accuracy", lacking)),
        ]
        for column, cell in rows:
            mean, sd = published.cell(PAPER, TABLE, method, column)
            comparable = registry.screen.published == PAPER
            judged = verdict(_number(cell["mean"]), _number(cell["sd"]), mean, sd, comparable)
            cells.append(
                {
                    "row": method,
                    "column": column,
                    **cell,
                    "unit": "%",
                    "published_mean": mean,
                    "published_sd": sd,
                    "verdict": judged,
                }
            )
    return pd.DataFrame(cells)[COLUMNS]


def table_markdown(table: pd.DataFrame, registry: Registry, headings: Mapping[str, str]) -> str:
    """The table as people read it: a row a method, a column a measure."""
    spec = registry.tables[TABLE]
    kind = "simulated screen" if registry.screen.simulate else "screen"
    lines = [f"**Table 1. {spec.title}** ({kind} `{registry.name}`)", ""]
    lines.append("| method | " + " | ".join(f"{heading} (%)" for heading in headings.values()) + " |")
    lines.append("|---" + "|---:" * len(headings) + "|")
    for method in spec.methods:
        own = table[table["row"] == method].set_index("column")
        lines.append(
            f"| {registry.title(method)} | " + " | ".join(_readable(own.T[column]) for column in headings) + " |"
        )
    notes = [f"mean ± sd over seeds (n = {int(table['n'].max())}); in brackets how much the test batches differ"]
    notes += sorted({str(note) for note in table["note"] if isinstance(note, str) and note})
    if registry.screen.simulate:
        notes.append("every number comes from simulated images")
    lines += ["", *(f"- {note}" for note in notes), ""]
    return "\n".join(lines)


def _readable(cell: pd.Series) -> str:
    if pd.isna(cell["mean"]):
        return "—"
    text = f"{cell['mean']:.1f}" + ("" if pd.isna(cell["sd"]) else f" ± {cell['sd']:.1f}")
    if not pd.isna(cell["low"]):
        text += f" [{cell['low']:.1f}–{cell['high']:.1f}]"
    return text


def _frames(metrics: Mapping[Run, pd.DataFrame], method: str, split: str) -> list[pd.DataFrame]:
    chosen = sorted(run for run in metrics if (run.method, run.split) == (method, split))
    return [metrics[run] for run in chosen]


def _values(frames: list[pd.DataFrame], metric: str) -> list[float]:
    """A metric over all test images, a number a seed."""
    chosen = (_of(frame, metric) for frame in frames)
    return [float(rows.loc[rows["group"] == "all", "value"].iloc[0]) for rows in chosen if len(rows)]


def _of(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    return frame[(frame["metric"] == metric) & (frame["subset"] == "all")]


def _by_batch(frames: list[pd.DataFrame], metric: str) -> pd.DataFrame:
    """A metric by test batch: mean over seeds, and images."""
    rows = pd.concat([_of(frame, metric) for frame in frames])
    rows = rows[rows["group"].str.startswith("batch=")]
    return rows.groupby("group")[["value", "n"]].mean()


def _pooled(frames: list[pd.DataFrame], metric: str, lacking: str) -> Cell:
    values = _values(frames, metric)
    if not values:
        return _empty(lacking or "no batch of the test set was trained on")
    batches = _by_batch(frames, metric)
    low, high = pooled_interval(batches["value"].tolist(), batches["n"].tolist())
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {
        "mean": 100 * float(np.mean(values)),
        "sd": None if sd is None else 100 * sd,
        "n": len(values),
        "low": 100 * low,
        "high": 100 * high,
        "note": "",
    }


def _generalization(separated: list[pd.DataFrame], stratified: list[pd.DataFrame], lacking: str) -> Cell:
    """Separated over stratified accuracy, a ratio of means (RxRx1 paper, section 3.2.2)."""
    above, below = _values(separated, "accuracy"), _values(stratified, "accuracy")
    if not above or not below:
        return _empty(lacking or "the screen has no separated split")
    batches, batches_below = _by_batch(separated, "accuracy"), _by_batch(stratified, "accuracy")
    low, high = ratio_interval(
        batches["value"].tolist(),
        batches["n"].tolist(),
        batches_below["value"].tolist(),
        batches_below["n"].tolist(),
    )
    return {
        "mean": 100 * float(np.mean(above) / np.mean(below)),
        "sd": None,
        "n": min(len(above), len(below)),
        "low": 100 * low,
        "high": 100 * high,
        "note": "",
    }


def _empty(note: str) -> Cell:
    return {"mean": None, "sd": None, "n": 0, "low": None, "high": None, "note": note}


def _number(value: float | int | str | None) -> float | None:
    return None if value is None else float(value)
