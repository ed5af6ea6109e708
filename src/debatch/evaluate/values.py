"""Metrics that have a number a row: of images, of wells or of mean profiles, each cell type by itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from debatch.config.screen import NEGATIVE_CONTROL
from debatch.embedding_table import METADATA, OPTIONAL, feature_names, features_of, images_of, with_features
from debatch.evaluate.batch_effect.permuted import mostly
from debatch.evaluate.metrics import METRICS
from debatch.evaluate.tidy import ALL
from debatch.evaluate.uncertainty import NOT_DRAWN, UNKNOWN, Scale, Spread, crossed_spread
from debatch.evaluate.vectors import blocks

OF_A_WELL = [
    "experiment", "plate", "well", "cell_type", "well_type", "perturbation", "batch", "compound", "mechanism",
]  # fmt: skip
RECORD = ["metric", "cell_type", "batch", "value", "low", "high", "error", "freedom", "n"]
Record = tuple[str, str, str, float, float, float, float, float, int]
# of the draws of a null
_MIDDLE = (0.025, 0.975)


@dataclass(frozen=True)
class Values:
    """A metric, a number a row.

    Attributes:
        values: (N,) NaN where it is not defined.
        units: (N,) what, beside batches, is drawn, as `units_of` has it.
        kinds: (N,) cell types.
        batches: (N,) None where a row is of several.
        chance: (N,) what a random neighbour would give; None where that is not the question.
        permuted: (N, R) the same under R permutations of batches; None where that is not the question.
        movable: (N,) bool: rows that a permutation could give another batch; None likewise.
    """

    values: np.ndarray
    units: np.ndarray
    kinds: np.ndarray
    batches: np.ndarray | None = None
    chance: np.ndarray | None = None
    permuted: np.ndarray | None = None
    movable: np.ndarray | None = None


def record(metric: str, value: float, n: int, cell_type: str = ALL, batch: str = ALL, sure: Spread = UNKNOWN) -> Record:
    """A row of a table of scores, in the order of `RECORD`."""
    return metric, cell_type, batch, value, sure.low, sure.high, sure.error, sure.freedom, n


def records(metric: str, now: Values, then: Values) -> Iterator[Record]:
    """Over all rows that have a value, by batch, what chance and permuted batches give, and what changed.

    Args:
        metric: its name.
        now: its values.
        then: those of the same rows before a correction.
    """
    has = np.isfinite(now.values)
    count = int(has.sum())
    scale: Scale = "share" if METRICS[metric].is_share else "plain"
    own = None if now.batches is None else now.batches[has]
    sure = crossed_spread(now.values[has], now.units[has], own, now.kinds[has], scale)
    yield record(metric, float(np.mean(now.values[has])) if count else np.nan, count, sure=sure)
    for batch in np.unique(now.batches[has]) if now.batches is not None else ():
        of_batch = has & (now.batches == batch)
        for kind in (ALL, *np.unique(now.kinds[of_batch])):
            of_kind = now.values[of_batch & ((now.kinds == kind) | (kind == ALL))]
            yield record(metric, float(np.mean(of_kind)), len(of_kind), str(kind), str(batch))
    if now.chance is not None:
        yield record(f"{metric}_chance", float(now.chance[has].mean()) if count else np.nan, count)
    if now.permuted is not None and now.movable is not None:
        yield _under_permutation(metric, now.permuted[has], now.movable[has])
    both = has & np.isfinite(then.values)
    changes = now.values[both] - then.values[both]
    batches = None if now.batches is None else now.batches[both]
    sure = crossed_spread(changes, now.units[both], batches, now.kinds[both])
    yield record(f"{metric}_change", float(changes.mean()) if len(changes) else np.nan, len(changes), sure=sure)


def _under_permutation(metric: str, permuted: np.ndarray, movable: np.ndarray) -> Record:
    if not mostly(movable):
        return record(f"{metric}_permuted", np.nan, int(movable.sum()))
    draws = permuted.mean(axis=0)
    low, high = np.quantile(draws, _MIDDLE)
    return record(
        f"{metric}_permuted", float(draws.mean()), len(movable), sure=Spread(float(low), float(high), is_interval=True)
    )


def by_kind(kinds: np.ndarray, chosen: np.ndarray, ask: Callable[..., np.ndarray], *columns: np.ndarray) -> np.ndarray:
    """What is asked of the chosen rows of the columns, each cell type by itself; NaN of other rows.

    Args:
        kinds: (N,) cell types.
        chosen: (N,) bool.
        ask: of n rows of each column -> (n,) or (n, R).
        columns: (N, …) each.

    Returns:
        (N,) or (N, R).
    """
    found = []
    for kind in np.unique(kinds[chosen]):
        at = np.flatnonzero(chosen & (kinds == kind))
        found.append((at, ask(*(column[at] for column in columns))))
    width = found[0][1].shape[1:] if found else ()
    values = np.full((len(kinds), *width), np.nan)
    for at, own in found:
        values[at] = own
    return values


def share_of_alike(labels: np.ndarray, exclude: np.ndarray) -> np.ndarray:
    """(n,) share of the rows that are not barred, itself never one, which have the same label; NaN where all are.

    Args:
        labels: (n,).
        exclude: (n, K): rows that share any of these are barred.
    """
    codes = np.unique(labels, return_inverse=True)[1]
    shares = np.full(len(codes), np.nan)
    for block in blocks(len(codes)):
        allowed = np.ones((block.stop - block.start, len(codes)), bool)
        allowed[np.arange(len(allowed)), np.arange(block.start, block.stop)] = False
        for column in exclude.T:
            allowed &= column[block, None] != column[None]
        left = allowed.sum(axis=1)
        alike = (allowed & (codes[block, None] == codes[None])).sum(axis=1)
        shares[block] = np.divide(alike, left, out=np.full(len(left), np.nan), where=left > 0)
    return shares


def mean_profiles(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean of the rows that share some columns, of those that the table has."""
    images = images_of(table)
    images = images[[column for column in by if column in images]].astype("object")
    codes = images.fillna("\0").groupby(list(images), sort=True).ngroup().to_numpy()
    first = np.unique(codes, return_index=True)[1]
    sums = np.zeros((len(first), len(feature_names(table))))
    np.add.at(sums, codes, features_of(table))
    metadata = images.iloc[first].reset_index(drop=True).rename(columns={**METADATA, **OPTIONAL})
    return with_features(metadata, sums / np.bincount(codes, minlength=len(first))[:, None], feature_names(table))


def units_of(images: pd.DataFrame) -> np.ndarray:
    """(N,) the compound of each row where it is known, else the perturbation; none is drawn of negative controls."""
    names = images["perturbation"].fillna(NOT_DRAWN)
    units = images["compound"].fillna(names) if "compound" in images else names
    if "well_type" in images:
        units = units.mask(images["well_type"] == NEGATIVE_CONTROL, NOT_DRAWN)
    return units.to_numpy(str)


def exclusions(images: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """(N, K) codes of the columns that there are; what is not known is shared with none."""
    codes = [pd.factorize(images[column])[0] for column in columns if column in images]
    return np.stack([np.where(code < 0, -1 - np.arange(len(code)), code) for code in codes], axis=1)
