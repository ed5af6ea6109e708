"""Accuracy by how many images of a new batch or plate give the batch-norm statistics, and which."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from debatch.config import has_unseen_batches
from debatch.config.statistics import DOMAINS, POOL_IMAGES, POOLS, Statistics, parse_statistics
from debatch.report.cells import NOT_RUN, Cell, Draft, pooled
from debatch.report.results import Results

WITHOUT, ALL, AVAILABLE = "none", "all", "available"
DOMAIN_WORDS: dict[str, str] = {"batch": "of the batch", "plate": "of the plate"}
PLURALS: dict[str, str] = {"batch": "batches", "plate": "plates"}
POOL_WORDS: dict[str, str] = {"all": "all images", "treatments": "treatments alone", "controls": "controls alone"}
ENOUGH = 2
NAMED = 3


def draft(name: str, results: Results) -> Draft:
    """A row a method and where images are drawn from, a column a number of images; the baseline beside."""
    registry = results.registry
    spec, split = registry.tables[name], registry.splits(name)[0]
    numbers = [*spec.images, None]
    rows, cells = {}, {}
    for method in registry.rows(name):
        frames = results.by_seed("adaptation", name, method, split)
        if registry.recipes[method].inference == "train":
            rows[method] = registry.title(method)
            cells[method, WITHOUT] = pooled(under(frames, "train"), "accuracy", NOT_RUN)
            continue
        for domain in DOMAINS:
            for pool in POOLS:
                row = f"{method}.{Statistics(domain=domain, pool=pool).name}"
                rows[row] = f"{registry.title(method)}, {domain}: {POOL_WORDS[pool]}"
                for images in numbers:
                    statistics = Statistics(domain=domain, pool=pool, images=images).name
                    cells[row, images_column(images)] = accuracy_cell(frames, statistics)
                cells[row, AVAILABLE] = available_cell(frames, Statistics(domain=domain, pool=pool).name)
    columns = {WITHOUT: "No image"} | {images_column(n): f"{n} images" for n in spec.images}
    columns |= {ALL: "All", AVAILABLE: "How many all are"}
    notes = [
        f"accuracy per image over all classes, split {split}; the same test images in every cell, under batch-norm "
        "statistics from that many images of their own batch or plate, chosen by a hash of their names and never by "
        "label",
        scored_images(split),
        "no image: under the training set's statistics, which see nothing of the new batch",
        "an accuracy stands only where every batch or plate holds that many images: one on those that do would be of "
        "other test images; all: as many as each holds, in the last column their median over batches or plates, with "
        "the fewest and the most",
    ]
    formats = {AVAILABLE: ("images", 0)}
    return Draft(rows, columns, cells, formats=formats, ranges_of={AVAILABLE: "batches or plates"}, notes=notes)


def scored_images(split: str) -> str:
    """A note on whether the images that give statistics are scored too."""
    if has_unseen_batches(split):
        return "transductive, as in the paper: images that give statistics are among those that are scored"
    return "statistics come from training images of the batch or plate, none of which is scored"


def images_column(images: int | None) -> str:
    """The column of a number of images; None: all."""
    return ALL if images is None else f"n{images}"


def under(frames: Sequence[pd.DataFrame], statistics: str, subset: str = "all") -> list[pd.DataFrame]:
    """Metrics under one choice of test-time statistics, seed by seed, as other tables read metrics.

    Args:
        frames: of `adaptation`.
        statistics: its name.
        subset: of the images that are scored.
    """
    own = [frame[(frame["statistics"] == statistics) & (frame["subset"] == subset)] for frame in frames]
    scored = [frame[frame["metric"] != "statistics_images"].assign(subset="all") for frame in own]
    return [frame for frame in scored if len(frame)]


def statistics_images(frames: Sequence[pd.DataFrame], statistics: str) -> pd.Series:
    """How many images the statistics come from, by batch or plate; the same for all seeds."""
    for frame in frames:
        own = frame[(frame["statistics"] == statistics) & (frame["metric"] == "statistics_images")]
        return pd.Series(own["value"].to_numpy(), own["domain"].to_numpy())
    return pd.Series(dtype=float)


def accuracy_cell(frames: Sequence[pd.DataFrame], statistics: str, subset: str = "all") -> Cell:
    """Accuracy under some statistics; where a batch or plate holds too few images for them, a note of which."""
    there = statistics_images(frames, statistics)
    lacking = NOT_RUN if there.empty else _too_few(statistics, there)
    return pooled(under(frames, statistics, subset), "accuracy", lacking)


def available_cell(frames: Sequence[pd.DataFrame], statistics: str) -> Cell:
    """How many images batches or plates hold: their median, with the fewest and the most."""
    there = statistics_images(frames, statistics)
    if there.empty:
        return Cell(note=NOT_RUN)
    return Cell(float(np.median(there)), None, len(there), float(there.min()), float(there.max()))


def _too_few(statistics: str, there: pd.Series) -> str:
    chosen = parse_statistics(statistics)
    wanted = chosen.images or ENOUGH
    short = there[there < wanted]
    counts = f"{short.min():.0f}" if short.min() == short.max() else f"{short.min():.0f} to {short.max():.0f}"
    names = ", ".join(map(str, short.index[:NAMED])) + (", …" if len(short) > NAMED else "")
    where = f"{names} ({len(short)} of {len(there)} {PLURALS[chosen.domain]})"
    if len(short) == len(there):
        where = f"every {chosen.domain}"
    return f"only {counts} {POOL_IMAGES[chosen.pool]} in {where}" + (
        "" if short.min() >= ENOUGH else ", and two are needed"
    )
