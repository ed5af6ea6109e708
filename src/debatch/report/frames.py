"""Numbers out of runs' tidy files: a metric by seed and by batch."""

import weakref
from collections.abc import Sequence

import numpy as np
import pandas as pd

from debatch.evaluate.tidy import ALL

FEWEST_STATISTICS_IMAGES = 8


class _Groups:
    """The rows of tidy frames by metric, subset and cell type: each table asks hundreds of times.

    A frame is looked at once, as long as it is there.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[pd.DataFrame], dict[tuple[str, str, str], pd.DataFrame]]] = {}

    def of(self, frame: pd.DataFrame) -> dict[tuple[str, str, str], pd.DataFrame]:
        known = self._known.get(id(frame))
        if known is None or known[0]() is not frame:
            columns = ["metric", "subset", "cell_type"]
            groups = {
                (str(key[0]), str(key[1]), str(key[2])): rows.set_index("batch")[["value", "n"]]
                for key, rows in frame.groupby(columns, sort=False)
            }
            place = id(frame)
            known = weakref.ref(frame, lambda _: self._known.pop(place, None)), groups
            self._known[place] = known
        return known[1]


_GROUPS = _Groups()
_NONE = pd.DataFrame({"value": [], "n": []}, index=pd.Index([], name="batch", dtype=str), dtype=float)


def chosen(frame: pd.DataFrame, metric: str, subset: str = "all", cell_type: str = ALL) -> pd.DataFrame:
    """The values and counts of one metric, by batch; `ALL`: over all batches."""
    return _GROUPS.of(frame).get((metric, subset, cell_type), _NONE)


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
