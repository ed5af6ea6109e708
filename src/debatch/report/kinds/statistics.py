"""What tables and figures share that look at a method under many test-time statistics."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.base import Section
from debatch.config.splits import Split
from debatch.config.statistics import DOMAINS, POOL_IMAGES, POOLS, Statistics, parse_statistics
from debatch.registry.kinds import ManyStatistics
from debatch.report.cells import NOT_RUN, Cell, Origin, pooled
from debatch.report.kinds.tables.differences import paired
from debatch.report.results import ByRun

ALL = "all"
# of some classes of a batch: under their own statistics, under the whole batch's, and the difference
ALONE, WHOLE, COST = "alone", "whole", "difference"
DOMAIN_WORDS: dict[str, str] = {"batch": "of the batch", "plate": "of the plate"}
POOL_WORDS: dict[str, str] = {"all": "all images", "treatments": "treatments alone", "controls": "controls alone"}
_PLURALS: dict[str, str] = {"batch": "batches", "plate": "plates"}
_ENOUGH = 2
_NAMED = 3


class ByImages(Section):
    """Keys of kinds that take statistics from some number of images."""

    images: list[Annotated[int, Field(ge=2)]] = Field(
        default=[8, 16, 32, 128],
        min_length=1,
        description="From how many images of a batch or plate statistics are taken; all of them stands beside.",
    )


class ByClasses(Section):
    """Keys of kinds that leave a batch with some of its classes."""

    classes: list[Annotated[int, Field(ge=1, le=99)]] = Field(
        default=[50, 25, 10],
        min_length=1,
        description="Percent of its classes that a batch is left with, at least two.",
    )


def many_statistics(inference: str, images: Sequence[int], classes: Sequence[int]) -> ManyStatistics:
    """Under which test-time statistics a method is looked at.

    Args:
        inference: the method's own: one that takes them from training images (`train`) stands beside the others as
            what there is without adaptation.
        images: numbers of images of a batch or plate; none: all of the batch alone.
        classes: percents of a batch's classes.
    """
    if inference == "train":
        return ManyStatistics(["train"], [*classes])
    names = ["batch"]
    if images:
        names = [
            Statistics(domain=domain, pool=pool, images=number).name
            for domain in DOMAINS
            for pool in POOLS
            for number in (*images, None)
        ]
    return ManyStatistics([*names, *(Statistics(classes=percent).name for percent in classes)], [*classes])


def scored_images(split: str) -> str:
    """A note on whether the images that give statistics are scored too."""
    if Split.named(split).has_unseen_batches:
        return "transductive: images that give statistics are among those that are scored"
    return "statistics come from training images of the batch or plate, none of which is scored"


def under(frames: ByRun, statistics: str, subset: str = ALL) -> ByRun:
    """Metrics under one choice of test-time statistics, as other tables read metrics.

    Args:
        frames: of `adaptation`.
        statistics: its name.
        subset: of the images that are scored.
    """

    def chosen(frame: pd.DataFrame) -> pd.DataFrame:
        own = (frame["statistics"] == statistics) & (frame["subset"] == subset)
        return frame[own & (frame["metric"] != "statistics_images")].assign(subset=ALL)

    return frames.each(chosen)


def cell_under(frames: ByRun, statistics: str, metric: str, subset: str = ALL) -> Cell:
    """A metric under some statistics; where a batch or plate holds too few images for them, a note of which."""
    there = _statistics_images(frames, statistics)
    lacking = NOT_RUN if there.empty else _too_few(statistics, there)
    return pooled(under(frames, statistics, subset), metric, lacking, origin=_origin(frames, statistics))


def available_cell(frames: ByRun, statistics: str) -> Cell:
    """How many images batches or plates hold: their median, with the fewest and the most."""
    there, origin = _statistics_images(frames, statistics), counted(frames)
    if there.empty:
        return Cell(note=NOT_RUN, origin=origin)
    return Cell(float(np.median(there)), None, len(there), float(there.min()), float(there.max()), origin=origin)


def shift_cells(frames: ByRun, subset: str, metric: str) -> dict[str, Cell]:
    """A metric of a subset of classes under their own statistics, under the whole batch's, and the difference."""
    whole = pooled(under(frames, "batch", subset), metric, NOT_RUN, origin=_origin(frames, "batch"))
    if subset == ALL:
        return {ALONE: Cell(words="the same", origin=whole.origin), WHOLE: whole, COST: Cell(words="none")}
    alone = cell_under(frames, subset, metric, subset)
    difference = Cell(note=alone.note, origin=alone.origin)
    if alone.mean is not None:
        difference = paired(under(frames, subset, subset), under(frames, "batch", subset), metric)
    return {ALONE: alone, WHOLE: whole, COST: difference}


def counted(frames: ByRun) -> Origin:
    """Of what no model is asked for."""
    splits = tuple(dict.fromkeys(run.split for run in frames.runs))
    return Origin(splits=splits, words="counted from the split and the index, without a model")


def _origin(frames: ByRun, statistics: str) -> Origin:
    return Origin.of(
        frames, words=f"from metrics/adaptation.csv of its runs, under the test-time statistics `{statistics}`"
    )


def _statistics_images(frames: Sequence[pd.DataFrame], statistics: str) -> pd.Series:
    """How many images the statistics come from, by batch or plate; the same for all seeds."""
    for frame in frames:
        own = frame[(frame["statistics"] == statistics) & (frame["metric"] == "statistics_images")]
        return pd.Series(own["value"].to_numpy(), own["domain"].to_numpy())
    return pd.Series(dtype=float)


def _too_few(statistics: str, there: pd.Series) -> str:
    chosen = parse_statistics(statistics)
    wanted = chosen.images or _ENOUGH
    short = there[there < wanted]
    counts = f"{short.min():.0f}" if short.min() == short.max() else f"{short.min():.0f} to {short.max():.0f}"
    names = ", ".join(map(str, short.index[:_NAMED])) + (", …" if len(short) > _NAMED else "")
    where = f"{names} ({len(short)} of {len(there)} {_PLURALS[chosen.domain]})"
    if len(short) == len(there):
        where = f"every {chosen.domain}"
    return f"only {counts} {POOL_IMAGES[chosen.pool]} in {where}" + (
        "" if short.min() >= _ENOUGH else ", and two are needed"
    )
