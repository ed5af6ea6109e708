"""Normalization variants: mean and sd per image and channel, all from the exact moments."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from debatch.config.recipe import NORMALIZATIONS
from debatch.config.screen import CONTROLS
from debatch.errors import DataError
from debatch.screen.store import channel_names, read_moments

log = logging.getLogger(__name__)

_OF_CONTROLS = "_controls"
# whose images are pooled: all that share these, or the controls among them; values of two parts need not mean the same
_SHARED = {"self": ["image_id"], "plate": ["experiment", "plate"], "experiment": ["experiment"], "all": ["part"]}
GROUPS: dict[str, list[str]] = {name: _SHARED[name.removesuffix(_OF_CONTROLS)] for name in NORMALIZATIONS}


def normalization_statistics(
    index: pd.DataFrame, moments: np.ndarray, channels: list[str], variant: str
) -> pd.DataFrame:
    """Mean and sd that standardise each image under a variant.

    Pixels are pooled, not the images' sds. Controls are positive and negative control wells together. A channel that is
    constant gets sd 1, so that it becomes 0 and not infinite.

    Args:
        index: (N rows) the images.
        moments: (N, C, 3) uint64, in index order; zeros where an image lacks a channel.
        channels: C names, of all parts.
        variant: one of `GROUPS`.

    Returns:
        N rows: image_id, `mean_<channel>` and `sd_<channel>` in stored pixel values; NaN where an image lacks the
        channel.

    Raises:
        DataError: a group has no control image under a `*_controls` variant.

    Source: RxRx1 paper, section 5.7.
    """
    group = _group_numbers(index, GROUPS[variant])
    reference = np.ones(len(index), dtype=bool)
    if variant.endswith(_OF_CONTROLS):
        reference = index["well_type"].isin(CONTROLS).to_numpy()
        _require_controls(index, group, reference, variant)
    pooled = _pooled(moments[reference], group[reference], group.max() + 1)
    count, total, squares = (pooled[..., moment] for moment in range(3))
    count = np.where(count > 0, count, np.nan)  # of a channel that the group lacks
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


def as_arrays(
    statistics: pd.DataFrame, image_ids: pd.Series, channels: list[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Means and sds (N, C) float32 of some images, in their order.

    Args:
        statistics: as `normalization_statistics` gives them.
        image_ids: of N images.
        channels: C names; None: all of the statistics.

    Raises:
        DataError: an image lacks a channel.
    """
    rows = statistics.set_index("image_id").loc[image_ids]
    names = channels or statistics_channels(statistics)
    for name in names:
        lacking = rows[f"mean_{name}"].isna().to_numpy() if f"mean_{name}" in rows else np.ones(len(rows), bool)
        if lacking.any():
            first = image_ids.iloc[int(lacking.argmax())]
            raise DataError(
                f"the image {first} has no channel {name!r}; name channels that all images of a run have as "
                "`channels`, or `parts` that have them"
            )
    means = rows[[f"mean_{name}" for name in names]].to_numpy(np.float32, copy=True)
    sds = rows[[f"sd_{name}" for name in names]].to_numpy(np.float32, copy=True)
    return means, sds


def statistics_channels(statistics: pd.DataFrame) -> list[str]:
    """The channels of statistics, in order."""
    return [column.removeprefix("mean_") for column in statistics.columns if column.startswith("mean_")]


def moments_of(index: pd.DataFrame, stores: dict[str, Path]) -> tuple[np.ndarray, list[str]]:
    """The moments of all images, and the names of their channels.

    Args:
        index: (N rows) experiments one after the other, each in store order.
        stores: of the experiments.

    Returns:
        (N, C, 3) uint64, zeros where an image lacks a channel; the C channels of all stores.
    """
    channels = {experiment: channel_names(store) for experiment, store in stores.items()}
    names = list(dict.fromkeys(name for own in channels.values() for name in own))
    moments = np.zeros((len(index), len(names), 3), np.uint64)
    start = 0
    for experiment, rows in index.groupby("experiment", sort=False):
        own = [names.index(name) for name in channels[str(experiment)]]
        moments[start : start + len(rows), own] = read_moments(stores[str(experiment)])[rows["store_row"]]
        start += len(rows)
    return moments, names


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
