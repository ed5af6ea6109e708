"""Do wells lie among their replicates? Also with those in the same place barred, and by place alone."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from debatch.config.screen import NEGATIVE_CONTROL
from debatch.embedding_table import features_of, images_of
from debatch.evaluate.controls import Scored, control_halves
from debatch.evaluate.neighbors import nearest_neighbor_hits
from debatch.evaluate.replicates.grit import grit
from debatch.evaluate.replicates.retrieval import replicate_precision
from debatch.evaluate.replicates.separability import separability
from debatch.evaluate.values import Values, by_kind, share_of_alike, units_of
from debatch.screen.names.identifiers import plate_ids

# a metric's name with those of the same place barred
ELSEWHERE = "{}_other_positions"


class _Wells(NamedTuple):
    """The wells of a table: their profiles, and what they are known by; each (N, …)."""

    features: np.ndarray
    units: np.ndarray
    kinds: np.ndarray
    batches: np.ndarray
    perturbations: np.ndarray
    plates: np.ndarray
    places: np.ndarray
    negative: np.ndarray
    asked: np.ndarray
    half: np.ndarray


def well_metrics(scored: Scored) -> dict[str, Values]:
    """Metrics of wells (mean of their images), negative controls asking nothing.

    `replicate_across_batches`, `replicate_map`, `grit`, the same `…_other_positions`, `separability`, and
    `control_same_position`: whether a negative control's nearest one on another plate is in the same place.
    """
    wells = _wells(scored)
    found = {
        "replicate_across_batches": _nearest_replicate(wells, wells.batches[:, None]),
        ELSEWHERE.format("replicate_across_batches"): _nearest_replicate(
            wells, np.stack([wells.batches, wells.places], axis=1)
        ),
        "control_same_position": _controls_in_place(wells),
    }
    against: dict[str, list[np.ndarray]] = {}
    for held in scored.halves:
        for metric, values in _against_controls(wells, held.profiles, held.number).items():
            against.setdefault(metric, []).append(values)
    for metric in _METRICS:
        averaged = np.where(wells.asked, _mean_of(against.get(metric, []), len(wells.kinds)), np.nan)
        # a perturbation's score is of all its batches together: no batch has one of its own
        batches = None if metric == "separability" else wells.batches
        found[metric] = Values(averaged, wells.units, wells.kinds, batches)
    return found


def grit_of_wells(scored: Scored) -> Values:
    """`grit` alone, as `well_metrics` has it."""
    wells = _wells(scored)
    one_group = np.where(wells.negative, "", wells.perturbations)
    found = []
    for held in scored.halves:
        reference = wells.negative & (wells.half == held.number)
        chosen = (wells.asked & np.isin(wells.half, (-1, held.number))) | reference
        found.append(by_kind(wells.kinds, chosen, grit, held.profiles, one_group, reference))
    averaged = np.where(wells.asked, _mean_of(found, len(wells.kinds)), np.nan)
    return Values(averaged, wells.units, wells.kinds, wells.batches)


def by_place(scored: Scored) -> dict[str, tuple[float, int]]:
    """What knowing no more of a well than its place on the plate would score; metric -> mean, wells.

    Of `replicate_across_batches`: a random well of another batch in the same place, or a random one of another batch
    where none is. Of `replicate_map`: those in the same place first, all others after them.
    """
    wells = _wells(scored)
    codes = pd.factorize(wells.places)[0]
    nearest = by_kind(wells.kinds, wells.asked, _replicates_in_place, wells.perturbations, wells.batches, codes)
    chosen = wells.asked | wells.negative
    ranked = by_kind(
        wells.kinds,
        chosen,
        replicate_precision,
        np.eye(codes.max(initial=0) + 1)[codes],
        wells.perturbations,
        wells.batches,
        wells.negative,
    )
    possible = np.isfinite(_nearest_replicate(wells, wells.batches[:, None]).values)
    found = {"replicate_across_batches": nearest[possible], "replicate_map": ranked[wells.asked]}
    return {
        metric: (float(np.nanmean(values)) if np.isfinite(values).any() else np.nan, int(np.isfinite(values).sum()))
        for metric, values in found.items()
    }


def _wells(scored: Scored) -> _Wells:
    images = images_of(scored.wells)
    negative = (images["well_type"] == NEGATIVE_CONTROL).to_numpy()
    return _Wells(
        features_of(scored.wells),
        units_of(images),
        images["cell_type"].to_numpy(str),
        images["batch"].to_numpy(str),
        images["perturbation"].fillna("").to_numpy(str),
        plate_ids(images).to_numpy(str),
        images["well"].to_numpy(str),
        negative,
        images["perturbation"].notna().to_numpy() & ~negative,
        control_halves(images),
    )


_METRICS = (
    "replicate_map", ELSEWHERE.format("replicate_map"), "grit", ELSEWHERE.format("grit"), "separability",
)  # fmt: skip


def _nearest_replicate(wells: _Wells, barred: np.ndarray) -> Values:
    """Whether the nearest well that is not barred is a replicate, of wells that could find one."""
    own = wells.kinds, wells.asked
    found = by_kind(*own, nearest_neighbor_hits, wells.features, wells.perturbations, barred)
    chance = by_kind(*own, share_of_alike, wells.perturbations, barred)
    return Values(np.where(chance > 0, found, np.nan), wells.units, wells.kinds, wells.batches, chance)


def _controls_in_place(wells: _Wells) -> Values:
    own = wells.kinds, wells.negative
    barred = wells.plates[:, None]
    found = by_kind(*own, nearest_neighbor_hits, wells.features, wells.places, barred)
    chance = by_kind(*own, share_of_alike, wells.places, barred)
    # where all are in one place, or in as many places as there are plates, there is nothing to find
    possible = (chance > 0) & (chance < 1)
    return Values(np.where(possible, found, np.nan), wells.units, wells.kinds, wells.batches, chance)


def _against_controls(wells: _Wells, features: np.ndarray, number: int) -> dict[str, np.ndarray]:
    """Metrics against one half of the controls, by profiles that were fitted without it."""
    reference = wells.negative & (wells.half == number)
    # of controls those that this table was fitted without
    chosen = (wells.asked & np.isin(wells.half, (-1, number))) | reference
    one_group = np.where(wells.negative, "", wells.perturbations)  # whatever negative controls are called
    of_map = features, wells.perturbations, wells.batches, reference
    of_grit = features, one_group, reference
    precision = by_kind(wells.kinds, chosen, replicate_precision, *of_map, wells.places).reshape(len(chosen), -1)
    values = (
        precision[:, 0],
        precision[:, -1],
        by_kind(wells.kinds, chosen, grit, *of_grit),
        by_kind(wells.kinds, chosen, grit, *of_grit, wells.places),
        by_kind(wells.kinds, chosen, _separability_of_rows, *of_map),
    )
    return dict(zip(_METRICS, values, strict=True))


def _separability_of_rows(
    features: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, controls: np.ndarray
) -> np.ndarray:
    scores = separability(features, perturbations, batches, controls).set_index("perturbation")["separability"]
    return pd.Series(perturbations).map(scores).to_numpy(float)


def _replicates_in_place(perturbations: np.ndarray, batches: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n,) share of replicates among the wells of other batches in the same place; of all of those where none is."""
    frame = pd.DataFrame({"perturbation": perturbations, "batch": batches, "place": places, "well": 1})

    def of_other_batches(*by: str) -> np.ndarray:
        every = frame.groupby(list(by))["well"].transform("size") if by else len(frame)
        return np.asarray(every - frame.groupby([*by, "batch"])["well"].transform("size"), dtype=float)

    in_place = of_other_batches("place")
    replicates = np.where(in_place > 0, of_other_batches("place", "perturbation"), of_other_batches("perturbation"))
    candidates = np.where(in_place > 0, in_place, of_other_batches())
    return np.divide(replicates, candidates, out=np.full(len(frame), np.nan), where=candidates > 0)


def _mean_of(parts: list[np.ndarray], rows: int) -> np.ndarray:
    """(rows,) mean over the parts that have a value."""
    if not parts:
        return np.full(rows, np.nan)
    stacked = np.stack(parts)
    count = np.isfinite(stacked).sum(axis=0)
    return np.divide(np.nansum(stacked, axis=0), count, out=np.full(rows, np.nan), where=count > 0)
