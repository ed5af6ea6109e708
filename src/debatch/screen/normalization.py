"""Normalization variants: mean and sd per image and channel, all from the exact moments."""

import logging

import numpy as np
import pandas as pd

from debatch.config.recipe import NORMALIZATIONS
from debatch.config.screen import CONTROLS
from debatch.errors import DataError

log = logging.getLogger(__name__)

_OF_CONTROLS = "_controls"
# whose images are pooled: all that share these, or the controls among them
_SHARED = {"self": ["image_id"], "plate": ["experiment", "plate"], "experiment": ["experiment"], "all": []}
GROUPS: dict[str, list[str]] = {name: _SHARED[name.removesuffix(_OF_CONTROLS)] for name in NORMALIZATIONS}


def normalization_statistics(
    index: pd.DataFrame, moments: np.ndarray, channels: list[str], variant: str
) -> pd.DataFrame:
    """Mean and sd that standardise each image under a variant.

    Pixels are pooled, not the images' sds. Controls are positive and negative control wells together. A channel that is
    constant gets sd 1, so that it becomes 0 and not infinite.

    Args:
        index: (N rows) the images.
        moments: (N, C, 3) uint64, in index order.
        channels: C names.
        variant: one of `GROUPS`.

    Returns:
        N rows: image_id, `mean_<channel>` and `sd_<channel>` in stored pixel values.

    Raises:
        DataError: a group has no control image under a `*_controls` variant.

    Source: RxRx1 paper, section 5.3.
    """
    group = _group_numbers(index, GROUPS[variant])
    reference = np.ones(len(index), dtype=bool)
    if variant.endswith(_OF_CONTROLS):
        reference = index["well_type"].isin(CONTROLS).to_numpy()
        _require_controls(index, group, reference, variant)
    pooled = _pooled(moments[reference], group[reference], group.max() + 1)
    count, total, squares = (pooled[..., moment] for moment in range(3))
    mean = total / count
    sd = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    constant = sd == 0
    if constant.any():
        where = np.flatnonzero(constant.any(axis=1)[group])
        log.warning(
            "normalization %r: a channel is constant in %d images, the first %s (%s); it becomes 0 there",
            variant,
            len(where),
            index["image_id"].iloc[where[0]],
            ", ".join(name for name, flat in zip(channels, constant[group[where[0]]], strict=True) if flat),
        )
    sd[constant] = 1.0
    columns: dict[str, np.ndarray] = {"image_id": index["image_id"].to_numpy()}
    for at, channel in enumerate(channels):
        columns[f"mean_{channel}"] = mean[group, at]
        columns[f"sd_{channel}"] = sd[group, at]
    return pd.DataFrame(columns)


def _pooled(moments: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Sums (groups, C, 3) float64 of moments (N, C, 3) uint64, exact to the last rounding.

    Halves of 32 bits are summed apart: the squares of a large 16-bit screen do not fit 64 bits.
    """
    halves = np.zeros((2, groups, *moments.shape[1:]), dtype=np.uint64)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    for half, values in zip(halves, (moments >> np.uint64(32), moments & np.uint64(0xFFFFFFFF)), strict=True):
        half[group[order][starts]] = np.add.reduceat(values[order], starts, axis=0)
    return halves[0].astype(np.float64) * 2.0**32 + halves[1].astype(np.float64)


def as_arrays(statistics: pd.DataFrame, image_ids: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Means and sds (N, C) float32 of some images, in their order."""
    rows = statistics.set_index("image_id").loc[image_ids]
    means = rows.filter(regex="^mean_").to_numpy(np.float32, copy=True)
    sds = rows.filter(regex="^sd_").to_numpy(np.float32, copy=True)
    return means, sds


def _group_numbers(index: pd.DataFrame, columns: list[str]) -> np.ndarray:
    if not columns:
        return np.zeros(len(index), dtype=np.int64)
    return index.groupby(columns, sort=False).ngroup().to_numpy()


def _require_controls(index: pd.DataFrame, group: np.ndarray, reference: np.ndarray, variant: str) -> None:
    without = sorted(set(group) - set(group[reference]))
    if without:
        first = index[group == without[0]].iloc[0]
        where = ", ".join(f"{column} {first[column]}" for column in GROUPS[variant])
        raise DataError(
            f"normalization {variant!r}: no control well in {where} (and {len(without) - 1} more); "
            f"use {variant.removesuffix('_controls')!r}, or mark controls in the metadata's well type column"
        )
