"""How far cosine similarities across batches are from those within (Table S3 of the RxRx1 paper)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from debatch.config.tables import Table
from debatch.evaluate.metrics import METRICS
from debatch.evaluate.replicates.permuted_cosine import DRAWS
from debatch.evaluate.uncertainty import UNKNOWN, Spread, seeds_spread
from debatch.registry.run import ALL_IMAGES
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin, spread_cell
from debatch.report.kinds.base import TableKind
from debatch.report.nulls import NULL
from debatch.report.results import ByRun, Results

MEASURES = (
    "ks_same_perturbation",
    "ks_different_perturbation",
    "ks_controls",
    "wasserstein_same_perturbation",
    "wasserstein_different_perturbation",
    "wasserstein_controls",
)
PERMUTED = "_permuted"
OTHER_WELLS = "_other_wells"


class CosineTable(Table):
    """Distances between distributions of cosine similarities."""

    kind: Literal["cosine"] = Field(
        "cosine", description="How far similarities of embeddings across batches are from those within."
    )


class Cosine(TableKind[CosineTable]):
    """A row a method, and below it the same without pairs of two images of one well."""

    spec = CosineTable
    needs = ("cosine",)
    whole_screen = True

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        split = registry.splits(name)[0]
        rows, cells = {}, {}
        own = {method: results.by_seed("cosine", name, method, split) for method in registry.rows(name)}
        pairs = [("", "all", "")]
        found = [frame for frames in own.values() for frame in frames]
        if not registry.externals or any(map(_has_images_of_one_well, found)):  # profiles are often one a well
            pairs.append((OTHER_WELLS, "other_wells", ", pairs of two wells"))
        for method, frames in own.items():
            for suffix, subset, title in pairs:
                rows[method + suffix] = registry.title(method) + title
                for measure in MEASURES:
                    cells[method + suffix, measure] = _cell(frames, measure, subset)
        nulls = []
        for method, frames in own.items():
            for suffix, subset, title in pairs:
                found_null = {measure: _permuted(frames, measure, subset) for measure in MEASURES}
                known = {measure: cell for measure, cell in found_null.items() if cell.mean is not None}
                if known:
                    row = method + PERMUTED + suffix
                    rows[row] = f"{registry.title(method)}, batches permuted{title} {NULL}"
                    cells |= {(row, measure): cell for measure, cell in known.items()}
                    nulls.append(row)
        notes = [
            f"{_of_what(split)}, every pair (within a cell type, where there are several): the nearer to 0, the less "
            "similarity tells of the batch; pairs are pooled over cell types, so that types with more batches weigh "
            "more across",
        ]
        if nulls:
            notes.append(
                "batches permuted: what no batch effect would give the same embeddings: the batches of each "
                f"perturbation's wells are dealt anew among those wells, {DRAWS} times; in brackets the smallest and "
                "the largest"
            )
        notes += [
            "negative controls: pairs of these alone, which every batch has alike",
            "where a range begins at its number: single batches have fewer pairs, and fewer pairs are farther apart by "
            "chance",
        ]
        if len(pairs) > 1:
            notes.append(
                "sites of one well are alike for more reasons than their perturbation: the rows below leave their "
                "pairs out, and with them perturbations of one well a batch, which have no other pair within one"
            )
        columns = {measure: METRICS[measure].title for measure in MEASURES}
        return Draft(rows, columns, cells, unit="", decimals=3, nulls=tuple(nulls), notes=notes)


def _permuted(frames: ByRun, measure: str, subset: str) -> Cell:
    """A distance under permuted batches: mean, smallest and largest, each the mean over seeds."""
    rows = [frame[(frame["metric"] == f"{measure}{PERMUTED}") & (frame["subset"] == subset)] for frame in frames]
    found = pd.concat(rows).dropna(subset="value") if rows else pd.DataFrame()
    if found.empty:
        return Cell()
    mean, low, high = found[["value", "low", "high"]].mean().tolist()
    origin = Origin.of(frames, words="a null, of these embeddings")
    return Cell(
        mean,
        None,
        len(found),
        low,
        high,
        origin=origin,
        bounds_of=f"the smallest and the largest of {DRAWS} permutations",
    )


def _has_images_of_one_well(frame: pd.DataFrame) -> bool:
    """Whether leaving out pairs of one well changes anything."""
    distances = frame[frame["metric"].isin(MEASURES)].set_index("metric")
    every, others = (distances[distances["subset"] == subset]["value"] for subset in ("all", "other_wells"))
    return not every.sort_index().equals(others.sort_index())


def _of_what(split: str) -> str:
    return "all profiles" if split == ALL_IMAGES else f"split {split}, test images"


def _cell(frames: Sequence[pd.DataFrame], measure: str, subset: str) -> Cell:
    found = [frame[(frame["metric"] == measure) & (frame["subset"] == subset)].iloc[0] for frame in frames]
    chosen = [row for row in found if np.isfinite(row["value"])]
    values = [float(row["value"]) for row in chosen]
    origin = Origin.of(frames)
    if not values:
        return Cell(note="no pair of this kind" if frames else NOT_RUN, origin=origin)
    left_out = max(int(frame.loc[frame["metric"] == "left_out", "value"].iloc[0]) for frame in frames)
    note = f"{left_out} embeddings without a direction (all zero) left out" if left_out else ""
    return spread_cell(1.0, values, _spread(chosen, values, measure), note, origin)


def _spread(rows: Sequence[pd.Series], values: list[float], measure: str) -> Spread:
    low, high, errors, freedoms = ([float(row[name]) for row in rows] for name in ("low", "high", "error", "freedom"))
    if np.isfinite(errors).all():
        return seeds_spread(values, errors, freedoms, "share" if METRICS[measure].is_share else "plain")
    if not np.isfinite([*low, *high]).all():
        return UNKNOWN
    mean = float(np.mean(values))
    return Spread(min(float(np.mean(low)), mean), max(float(np.mean(high)), mean), is_interval=False)


KIND = Cosine()
