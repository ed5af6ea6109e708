"""Numbers out of runs' tidy files: a metric by seed and by batch."""

import weakref
from collections.abc import Sequence

import numpy as np
import pandas as pd

from debatch.evaluate.tidy import ALL

FEWEST_STATISTICS_IMAGES = 8


class _Rows:
    """The rows of a tidy frame by metric, subset and cell type."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = weakref.ref(frame)
        self._places = frame.groupby(["metric", "subset", "cell_type"], sort=False).indices
        self._numbers = frame[["batch", "value", "n"]]
        self._found: dict[tuple[str, str, str], pd.DataFrame] = {}

    def of(self, metric: str, subset: str, cell_type: str) -> pd.DataFrame:
        if (metric, subset, cell_type) not in self._found:
            places = self._places.get((metric, subset, cell_type), np.array([], dtype=int))
            self._found[metric, subset, cell_type] = self._numbers.iloc[places].set_index("batch")
        return self._found[metric, subset, cell_type]


class _Frames:
    """Each frame's rows, for as long as it is there: tables ask hundreds of times."""

    def __init__(self) -> None:
        self._known: dict[int, _Rows] = {}

    def rows(self, frame: pd.DataFrame) -> _Rows:
        place = id(frame)
        if place not in self._known or self._known[place].frame() is not frame:
            self._known[place] = _Rows(frame)
            weakref.finalize(frame, self._known.pop, place, None)
        return self._known[place]


_FRAMES = _Frames()


def chosen(frame: pd.DataFrame, metric: str, subset: str = "all", cell_type: str = ALL) -> pd.DataFrame:
    """The values and counts of one metric, by batch; `ALL`: over all batches."""
    return _FRAMES.rows(frame).of(metric, subset, cell_type)


def by_seed(frames: Sequence[pd.DataFrame], metric: str, subset: str = "all", cell_type: str = ALL) -> list[float]:
    """A metric over all batches, a number a seed; a seed that lacks it, or where it is not defined, is left out."""
    found = (chosen(frame, metric, subset, cell_type)["value"].to_dict() for frame in frames)
    values = [float(values.get(ALL, np.nan)) for values in found]
    return [value for value in values if np.isfinite(value)]


def by_batch(frames: Sequence[pd.DataFrame], metric: str, subset: str = "all", cell_type: str = ALL) -> pd.DataFrame:
    """A metric by test batch: `value`, mean over seeds; `n`, images; `stratum`, the cell types that the batch holds."""
    rows = pd.concat([chosen(frame, metric, subset, cell_type) for frame in frames])
    means = rows[(rows.index != ALL) & np.isfinite(rows["value"])].groupby(level=0).mean()
    return means.assign(stratum=_strata(frames, means.index))


def _strata(frames: Sequence[pd.DataFrame], batches: pd.Index) -> pd.Series:
    """The cell types that each batch holds, as one name."""
    pairs = {pair for frame in frames for pair in zip(frame["batch"], frame["cell_type"], strict=True)}
    held: dict[str, list[str]] = {}
    for batch, cell_type in sorted(pairs):
        if cell_type != ALL:
            held.setdefault(batch, []).append(cell_type)
    return pd.Series(["+".join(held.get(batch, [])) for batch in batches], index=batches, dtype=str)


def few_statistics(frames: Sequence[pd.DataFrame], cell_type: str = ALL) -> str:
    """A warning where a batch's own statistics come from very few images; else empty."""
    batches = by_batch(frames, "statistics_images", cell_type=cell_type)
    few = batches[(batches["value"] > 0) & (batches["value"] < FEWEST_STATISTICS_IMAGES)]
    if few.empty:
        return ""
    names = ", ".join(few.index[:3]) + (", …" if len(few) > 3 else "")
    return f"warning: batch-norm statistics from only {few['value'].min():.0f} images ({names})"
