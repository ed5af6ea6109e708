"""Metrics of batch effect and biology of embeddings, before and after a correction; nothing is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from debatch.config.screen import NEGATIVE_CONTROL, POSITIVE_CONTROL
from debatch.embedding_table import features_of, images_of
from debatch.evaluate.batch_effect.mixing import mixing
from debatch.evaluate.controls import Scored, control_halves, of_images
from debatch.evaluate.mechanisms import mechanism_values
from debatch.evaluate.replicates.separability import positive_control_retention, weak_perturbations
from debatch.evaluate.replicates.wells import by_place, well_metrics
from debatch.evaluate.values import RECORD, Record, Values, record, records, units_of


def score_embeddings(
    before: pd.DataFrame, after: pd.DataFrame, held_out: Sequence[pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Batch and biology metrics of embeddings, each within cell types.

    Of images, one a well: `kbet`, acceptance of L2-normalised images, k the larger of 0.5 % of them and 5 times the
    batches. Of all images: `kbet_controls`, of negative controls alone, which every batch has alike, k half of a
    batch's; and `neighbor_same_batch`, how often a treated image's nearest treated one of another perturbation (and
    compound, and mechanism) is of the same batch; `neighbor_same_batch_controls`, how often a negative control's
    nearest one of another well is. Of wells (mean of their images), negative controls asking nothing:
    `replicate_across_batches`, how often the nearest of another batch has the same perturbation; `replicate_map`,
    replicates of other batches before negative controls; `grit`; each also `…_other_positions`, wells in the same place
    on their plate barred. `control_same_position`: how often a negative control's nearest one on another plate is in
    the same place. Of treatments' mean profiles: `nsc`, mechanism of the nearest one of another compound, and, by
    batch, `nscb`, of another compound and batch. What could only be wrong does not count. `separability`,
    `weak_separability`, `positive_control_retention`: what is left of phenotypes.

    Metrics against negative controls are of one half of each batch's control wells and then of the other, averaged, and
    those of positive controls likewise of one half of their wells and then of the other: a correction that was fitted
    on the very controls that it is scored by, or held against, would win or lose by that alone.

    Args:
        before: embeddings as they were, with `Metadata_*` columns; the same as `after` where nothing was corrected.
        after: the same images, corrected.
        held_out: two tables as `after`, fitted without the first and without the second half of control wells
            (`controls.without_half`); None: the correction does not use controls; empty: it cannot do without them, and
            metrics against controls are not defined.

    Returns:
        Tidy: metric, subset (`all`), cell_type (empty: all), batch (empty: all), value, low, high, error, freedom, n.
        NaN where a metric is not defined: too few images, no control, no replicate, no mechanism. Of all batches: a
        95 % interval, standard error and degrees of freedom, over compounds (or perturbations) and batches, both drawn;
        where a row is of several batches, over compounds alone; of negative controls over batches alone.
        `<metric>_change`: likewise, after less before, of the same rows. `<metric>_chance`: of a random neighbour.
        `<metric>_permuted`: mean, and the middle 95 %, under batches dealt anew among a perturbation's wells; NaN where
        most rows are of perturbations in one batch. `<metric>_position_only`: of the well's place alone. `left_out`:
        images that are not finite; those that are all zero count, and find nothing.
    """
    return score_against(Uncorrected(before), after, held_out)


@dataclass(frozen=True)
class Uncorrected:
    """Embeddings as they were, scored once for all corrections that are held against them."""

    table: pd.DataFrame

    @cached_property
    def scored(self) -> Scored:
        """What metrics are of, where every image is looked at."""
        return Scored.of(self.table, None)

    @cached_property
    def values(self) -> dict[str, Values]:
        """Every metric of all images."""
        return _values(self.scored, self.scored)


def score_against(
    before: Uncorrected, after: pd.DataFrame, held_out: Sequence[pd.DataFrame] | None = None
) -> pd.DataFrame:
    """`score_embeddings` of one of several corrections of the same embeddings."""
    finite = np.isfinite(features_of(after)).all(axis=1)
    kept = after[finite].reset_index(drop=True)
    start = of_images(before.table, kept)
    is_whole = start.equals(before.table)
    earlier = before.scored if is_whole else Scored.of(start, None)
    then = before.values if is_whole else _values(earlier, earlier)
    is_same = start.equals(kept) and held_out is None
    later = earlier if is_same else Scored.of(kept, held_out)
    now = then if is_same else _values(earlier, later)
    rows = [row for metric, values in now.items() for row in records(metric, values, then[metric])]
    rows.append(_retention(earlier, later))
    rows += [record(f"{metric}_position_only", *found) for metric, found in by_place(earlier).items()]
    rows.append(record("left_out", float((~finite).sum()), len(after)))
    frame = pd.DataFrame(rows, columns=RECORD)
    frame.insert(1, "subset", "all")
    return frame


def _values(earlier: Scored, scored: Scored) -> dict[str, Values]:
    """Every metric that has a number a row."""
    return {
        **mixing(scored),
        **well_metrics(scored),
        "nsc": mechanism_values(scored.table, ()),
        "nscb": mechanism_values(scored.table, ("batch",)),
        "weak_separability": _of_weak_ones(earlier, scored),
    }


def _of_weak_ones(earlier: Scored, scored: Scored) -> Values:
    """Separability of weak perturbations, a row each: mean over the halves of controls and of profiles."""
    before = _weak_before(earlier)
    after = before if scored is earlier else _weak_scores(earlier, scored).reindex(before.index)
    wells = images_of(earlier.wells)
    unit_of = dict(zip(wells["perturbation"].fillna(""), units_of(wells), strict=True))
    kinds, names = (before.index.get_level_values(level).to_numpy(str) for level in ("kind", "perturbation"))
    return Values(after.to_numpy(float), np.array([unit_of[name] for name in names], dtype=str), kinds)


@lru_cache(maxsize=1)
def _weak_before(earlier: Scored) -> pd.Series:
    """As they were: the same for all corrections."""
    return _weak_scores(earlier, earlier)


def _weak_scores(earlier: Scored, scored: Scored) -> pd.Series:
    """By cell type and perturbation."""
    wells, before = images_of(earlier.wells), features_of(earlier.wells)
    batches, kinds = wells["batch"].to_numpy(str), wells["cell_type"].to_numpy(str)
    perturbations, half = wells["perturbation"].fillna("").to_numpy(str), control_halves(wells)
    negative, positive = ((wells["well_type"] == name).to_numpy() for name in (NEGATIVE_CONTROL, POSITIVE_CONTROL))
    treatment = wells["perturbation"].notna().to_numpy() & ~negative & ~positive
    found = [pd.DataFrame({"kind": [], "perturbation": [], "separability": []})]
    for number, _, features in scored.halves:
        for kind in np.unique(kinds):
            own = np.flatnonzero((kinds == kind) & (treatment | (negative & (half == number))))
            columns = perturbations[own], batches[own], negative[own]
            found.append(weak_perturbations(before[own], features[own], *columns).assign(kind=kind))
    rows = pd.concat([frame for frame in found if len(frame)] or found, ignore_index=True)
    return rows.groupby(["kind", "perturbation"])["separability"].mean()


def _retention(earlier: Scored, scored: Scored) -> Record:
    """What is kept of positive controls, over cell types, each weighing as much as it was asked of."""
    wells, before = images_of(earlier.wells), features_of(earlier.wells)
    batches, kinds = wells["batch"].to_numpy(str), wells["cell_type"].to_numpy(str)
    perturbations, half = wells["perturbation"].fillna("").to_numpy(str), control_halves(wells)
    negative, positive = ((wells["well_type"] == name).to_numpy() for name in (NEGATIVE_CONTROL, POSITIVE_CONTROL))
    labelled = wells["perturbation"].notna().to_numpy()
    usable: list[tuple[float, int]] = []
    for number, _, features in scored.halves:
        for kind in np.unique(kinds):
            own = np.flatnonzero((kinds == kind) & (half == number) & ((labelled & positive) | negative))
            columns = perturbations[own], batches[own], negative[own], positive[own]
            kept, n = positive_control_retention(before[own], features[own], *columns), int(positive[own].sum())
            usable += [(kept, n)] if np.isfinite(kept) and n else []
    total = sum(n for _, n in usable)
    value = sum(value * n for value, n in usable) / total if total else np.nan
    return record("positive_control_retention", value, total // max(len(scored.halves), 1))
