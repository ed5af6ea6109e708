"""Metrics of batch effect and biology of embeddings, before and after a correction; nothing is trained."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from debatch.config.screen import CONTROLS, NEGATIVE_CONTROL, POSITIVE_CONTROL
from debatch.embedding_table import METADATA, OPTIONAL, feature_names, features_of, images_of, with_features
from debatch.evaluate.batch_effect.kbet import kbet_accepted
from debatch.evaluate.neighbors import nearest_neighbor_hits
from debatch.evaluate.replicates.grit import grit
from debatch.evaluate.replicates.retrieval import replicate_precision
from debatch.evaluate.replicates.separability import positive_control_retention, separability, weak_separability
from debatch.evaluate.tidy import ALL
from debatch.evaluate.uncertainty import UNKNOWN, Spread, crossed_spread
from debatch.evaluate.vectors import blocks, unit
from debatch.screen.order import hash_order, well_names

OF_A_WELL = [
    "experiment", "plate", "well", "cell_type", "well_type", "perturbation", "batch", "compound", "mechanism",
]  # fmt: skip
# Which way is better: `chance` is neither; below it a correction pushes wells of one batch apart.
SCORES = {
    "kbet": "higher",
    "kbet_controls": "higher",
    "neighbor_same_batch": "chance",
    "replicate_across_batches": "higher",
    "replicate_map": "higher",
    "grit": "higher",
    "nsc": "higher",
    "nscb": "higher",
    "separability": "higher",
    "weak_separability": "higher",
    "positive_control_retention": "higher",
}
FEWEST_CONTROL_NEIGHBORS = 5


@dataclass(frozen=True)
class Values:
    """A metric, a number a row.

    Attributes:
        values: (N,) NaN where it is not defined.
        units: (N,) compounds where they are known, else perturbations: what, beside batches, is drawn.
        kinds: (N,) cell types.
        batches: (N,) None where a row is of several.
        chance: (N,) what a random neighbour would give; None where that is not the question.
    """

    values: np.ndarray
    units: np.ndarray
    kinds: np.ndarray
    batches: np.ndarray | None = None
    chance: np.ndarray | None = None


def score_embeddings(
    before: pd.DataFrame, after: pd.DataFrame, held_out: Sequence[pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Batch and biology metrics of embeddings, each within cell types.

    Of images, one a well: `kbet`, acceptance of L2-normalised images, k the larger of 0.5 % of them and 5 times the
    batches. Of all images: `kbet_controls`, of negative controls alone, which every batch has alike, k half of a
    batch's; and `neighbor_same_batch`, how often a treated image's nearest treated one of another perturbation (and
    compound, and mechanism) is of the same batch. Of wells (mean of their images), negative controls asking nothing:
    `replicate_across_batches`, how often the nearest of another batch has the same perturbation; `replicate_map`,
    replicates of other batches before negative controls; `grit`. Of treatments' mean profiles: `nsc`,
    mechanism of the nearest one of another compound, and, by batch, `nscb`, of another compound and batch. What could
    only be wrong does not count. `separability`, `weak_separability`, `positive_control_retention`: what is left of
    phenotypes.

    Metrics against negative controls are of one half of each batch's control wells and then of the other, averaged, and
    those of positive controls likewise of one half of their wells and then of the other: a correction that was fitted
    on the very controls that it is scored by, or held against, would win or lose by that alone.

    Args:
        before: embeddings as they were, with `Metadata_*` columns; the same as `after` where nothing was corrected.
        after: the same images, corrected.
        held_out: two tables as `after`, fitted without the first and without the second half of control wells
            (`without_half`); None: the correction does not use controls; empty: it cannot do without them, and
            metrics against controls are not defined.

    Returns:
        Tidy: metric, subset (`all`), cell_type (empty: all), batch (empty: all), value, low, high, error, freedom, n.
        NaN where a metric is not defined: too few images, no control, no replicate, no mechanism. `<metric>_chance`: of
        a random neighbour. `<metric>_change`: after less before, of the same rows, with a 95 % interval, its standard
        error and degrees of freedom, over compounds (or perturbations) and batches, both drawn; where a row is of
        several batches, over compounds alone. `left_out`: images that are not finite; those that are all zero count,
        and find nothing.
    """
    finite = np.isfinite(features_of(after)).all(axis=1)
    kept = after[finite].reset_index(drop=True)
    halves = None if held_out is None else [_of_images(table, kept) for table in held_out]
    start = _of_images(before, kept)
    now = _values(kept, halves)
    then = now if start.equals(kept) else _values(start, None)
    records = [record for metric, values in now.items() for record in _records(metric, values, then[metric])]
    records += _phenotypes(start, kept, halves)
    records.append(_record("left_out", float((~finite).sum()), len(after)))
    columns = ["metric", "cell_type", "batch", "value", "low", "high", "error", "freedom", "n"]
    frame = pd.DataFrame(records, columns=columns)
    frame.insert(1, "subset", "all")
    return frame


def without_half(table: pd.DataFrame, half: int) -> pd.DataFrame:
    """A table in which half of each batch's control wells are no controls, for a fit that they are not in."""
    held = _control_halves(images_of(table)) == half
    return table.assign(Metadata_WellType=table["Metadata_WellType"].mask(held, "held_out"))


def _control_halves(images: pd.DataFrame) -> np.ndarray:
    """(N,) 0 or 1 of the wells of a batch's controls in turn, by a hash of their names; -1 of all others.

    Negative ones by themselves, and positive ones by themselves.
    """
    halves = np.full(len(images), -1)
    for well_type in CONTROLS:
        rows = np.flatnonzero(images["well_type"] == well_type)
        names, batches = well_names(images.iloc[rows]), images["batch"].to_numpy(str)[rows]
        for batch in np.unique(batches):
            own = np.flatnonzero(batches == batch)
            wells = np.unique(names[own])
            turn = {wells[at]: number % 2 for number, at in enumerate(hash_order(pd.Series(wells)))}
            halves[rows[own]] = [turn[name] for name in names[own]]
    return halves


Record = tuple[str, str, str, float, float, float, float, float, int]


def _record(
    metric: str, value: float, n: int, cell_type: str = ALL, batch: str = ALL, sure: Spread = UNKNOWN
) -> Record:
    return metric, cell_type, batch, value, sure.low, sure.high, sure.error, sure.freedom, n


def _values(table: pd.DataFrame, halves: list[pd.DataFrame] | None) -> dict[str, Values]:
    return {**_of_every_image(table, halves), **_of_wells(table, halves), **_of_mechanisms(table)}


def _of_every_image(table: pd.DataFrame, halves: list[pd.DataFrame] | None) -> dict[str, Values]:
    images, features = images_of(table), features_of(table)
    batches, kinds, units = images["batch"].to_numpy(str), images["cell_type"].to_numpy(str), _units(images)
    treated = ((images["well_type"] != NEGATIVE_CONTROL) & images["perturbation"].notna()).to_numpy()
    barred = _exclusions(images, ["perturbation", "compound", "mechanism"])
    half = _control_halves(images)
    controls = np.full(len(images), np.nan)
    negative = (images["well_type"] == NEGATIVE_CONTROL).to_numpy()
    for number, held in enumerate(_halves(table, halves)):
        own = negative & (half == number)
        controls = np.where(own, _by_kind(kinds, own, _controls_mixed, features_of(held), batches), controls)
    same = _by_kind(kinds, treated, _same_batch, features, batches, barred)
    chance = _by_kind(kinds, treated, _same_batch_by_chance, batches, barred)
    return {
        "kbet": Values(_by_kind(kinds, _one_a_well(images), _mixed, features, batches), units, kinds, batches),
        "kbet_controls": Values(controls, units, kinds, batches),
        "neighbor_same_batch": Values(same, units, kinds, batches, chance),
    }


def _one_a_well(images: pd.DataFrame) -> np.ndarray:
    """(N,) bool: the first image of each well, in hash order.

    Images of a well are of one batch, and alike for more reasons than that: with all of them, k-BET would reject what
    no batch effect has touched.
    """
    order = hash_order(images["image_id"])
    first = np.zeros(len(images), bool)
    first[order[~pd.Series(well_names(images)[order]).duplicated().to_numpy()]] = True
    return first


def _mixed(features: np.ndarray, batches: np.ndarray) -> np.ndarray:
    return _kbet(features, batches, max(round(0.005 * len(features)), 5 * len(np.unique(batches))))


def _controls_mixed(features: np.ndarray, batches: np.ndarray) -> np.ndarray:
    own = pd.Series(batches).value_counts().median()
    k = max(FEWEST_CONTROL_NEIGHBORS, round(own / 2))
    # with no more controls in a batch than neighbours, a batch that stands apart could not be seen
    return _kbet(features, batches, k) if k < own and k <= len(batches) / 5 else np.full(len(batches), np.nan)


def _kbet(features: np.ndarray, batches: np.ndarray, k: int) -> np.ndarray:
    """(n,) whether each image's neighbours are mixed; NaN where there are too few to ask."""
    if len(features) <= k or len(np.unique(batches)) < 2:
        return np.full(len(features), np.nan)
    return kbet_accepted(unit(features), batches, k)


def _same_batch(features: np.ndarray, batches: np.ndarray, barred: np.ndarray) -> np.ndarray:
    if len(np.unique(batches)) < 2:  # there is no other to be of
        return np.full(len(batches), np.nan)
    return nearest_neighbor_hits(features, batches, barred)


def _same_batch_by_chance(batches: np.ndarray, barred: np.ndarray) -> np.ndarray:
    if len(np.unique(batches)) < 2:
        return np.full(len(batches), np.nan)
    return _share_of_alike(batches, barred)


def _of_wells(table: pd.DataFrame, halves: list[pd.DataFrame] | None) -> dict[str, Values]:
    wells = _mean_profiles(table, OF_A_WELL)
    images, features = images_of(wells), features_of(wells)
    batches, kinds, units = images["batch"].to_numpy(str), images["cell_type"].to_numpy(str), _units(images)
    perturbations = images["perturbation"].fillna("").to_numpy(str)
    negative = (images["well_type"] == NEGATIVE_CONTROL).to_numpy()
    asked = images["perturbation"].notna().to_numpy() & ~negative
    one_group = np.where(negative, "", perturbations)  # whatever negative controls are called
    found = _by_kind(kinds, asked, nearest_neighbor_hits, features, perturbations, batches)
    chance = _by_kind(kinds, asked, _share_of_alike, perturbations, batches[:, None])
    against: dict[str, list[np.ndarray]] = {"replicate_map": [], "grit": [], "separability": []}
    half = _control_halves(images)
    for number, held in enumerate(_halves(table, halves)):
        values, reference = features_of(_mean_profiles(held, OF_A_WELL)), negative & (half == number)
        # of controls those that this table was fitted without
        chosen, columns = (asked & np.isin(half, (-1, number))) | reference, (values, perturbations, batches, reference)
        against["replicate_map"].append(_by_kind(kinds, chosen, replicate_precision, *columns))
        against["grit"].append(_by_kind(kinds, chosen, grit, values, one_group, reference))
        against["separability"].append(_by_kind(kinds, chosen, _separability_of_rows, *columns))
    averaged = {metric: np.where(asked, _mean_of(parts, len(wells)), np.nan) for metric, parts in against.items()}
    return {
        "replicate_across_batches": Values(np.where(chance > 0, found, np.nan), units, kinds, batches, chance),
        "replicate_map": Values(averaged["replicate_map"], units, kinds, batches),
        "grit": Values(averaged["grit"], units, kinds, batches),
        # a perturbation's score is of all its batches together: no batch has one of its own
        "separability": Values(averaged["separability"], units, kinds),
    }


def _separability_of_rows(
    features: np.ndarray, perturbations: np.ndarray, batches: np.ndarray, controls: np.ndarray
) -> np.ndarray:
    scores = separability(features, perturbations, batches, controls).set_index("perturbation")["separability"]
    return pd.Series(perturbations).map(scores).to_numpy(float)


def _of_mechanisms(table: pd.DataFrame) -> dict[str, Values]:
    """NSC of treatments' mean profiles, NSCB of those by batch."""
    images = images_of(table)
    if "mechanism" not in images:
        nothing = Values(np.full(1, np.nan), np.array([""]), np.array([""]))
        return {"nsc": nothing, "nscb": nothing}
    known = images["mechanism"].notna() & images["perturbation"].notna() & (images["well_type"] != NEGATIVE_CONTROL)
    wells = _mean_profiles(table[known.to_numpy()].reset_index(drop=True), OF_A_WELL)
    found = {}
    for name, more in (("nsc", []), ("nscb", ["batch"])):
        means = _mean_profiles(wells, ["cell_type", "mechanism", "compound", "perturbation", *more])
        own = images_of(means)
        exclude = _exclusions(own, ["perturbation", "compound", *more])
        mechanisms, kinds, every = (
            own["mechanism"].to_numpy(str),
            own["cell_type"].to_numpy(str),
            np.ones(len(own), bool),
        )
        hits = _by_kind(kinds, every, nearest_neighbor_hits, features_of(means), mechanisms, exclude)
        chance = _by_kind(kinds, every, _share_of_alike, mechanisms, exclude)
        batches = own["batch"].to_numpy(str) if more else None
        found[name] = Values(np.where(chance > 0, hits, np.nan), _units(own), kinds, batches, chance)
    return found


def _phenotypes(before: pd.DataFrame, after: pd.DataFrame, halves: list[pd.DataFrame] | None) -> Iterator[Record]:
    """Metrics that need both tables at once, over cell types, each weighing as much as it was asked of."""
    wells = images_of(_mean_profiles(after, OF_A_WELL))
    earlier = features_of(_mean_profiles(before, OF_A_WELL))
    later = [features_of(_mean_profiles(held, OF_A_WELL)) for held in _halves(after, halves)]
    batches, kinds = wells["batch"].to_numpy(str), wells["cell_type"].to_numpy(str)
    perturbations = wells["perturbation"].fillna("").to_numpy(str)
    negative, positive = ((wells["well_type"] == name).to_numpy() for name in (NEGATIVE_CONTROL, POSITIVE_CONTROL))
    labelled, half = wells["perturbation"].notna().to_numpy(), _control_halves(wells)
    found: dict[str, list[tuple[float, int]]] = {"weak_separability": [], "positive_control_retention": []}
    for kind in np.unique(kinds):
        for number, features in enumerate(later):
            held = half == number
            treated = np.flatnonzero((kinds == kind) & ((labelled & ~negative & ~positive) | (negative & held)))
            strong = np.flatnonzero((kinds == kind) & held & ((labelled & positive) | negative))
            columns = perturbations[treated], batches[treated], negative[treated]
            sizes = pd.Series(perturbations[treated][~negative[treated]]).value_counts()
            weak = weak_separability(earlier[treated], features[treated], *columns)
            found["weak_separability"].append((weak, int((sizes >= 4).sum())))
            both = perturbations[strong], batches[strong], negative[strong], positive[strong]
            kept = positive_control_retention(earlier[strong], features[strong], *both)
            found["positive_control_retention"].append((kept, int(positive[strong].sum())))
    for metric, parts in found.items():
        usable = [(value, n) for value, n in parts if np.isfinite(value) and n]
        total = sum(n for _, n in usable)
        value = sum(value * n for value, n in usable) / total if total else np.nan
        yield _record(metric, value, total // max(len(later), 1))


def _halves(table: pd.DataFrame, halves: list[pd.DataFrame] | None) -> list[pd.DataFrame]:
    """The tables against whose first and second half of controls metrics are; none where they are not defined."""
    return [table, table] if halves is None else halves


def _of_images(table: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table for some images, in their order, with their metadata (a held-out control is one again)."""
    table = table.set_index("Metadata_Image").loc[images["Metadata_Image"]].reset_index()
    metadata = images.loc[:, images.columns.str.startswith("Metadata_")]
    return with_features(metadata, features_of(table), feature_names(table))


def _mean_of(parts: list[np.ndarray], rows: int) -> np.ndarray:
    """(rows,) mean over the parts that have a value."""
    if not parts:
        return np.full(rows, np.nan)
    stacked = np.stack(parts)
    count = np.isfinite(stacked).sum(axis=0)
    return np.divide(np.nansum(stacked, axis=0), count, out=np.full(rows, np.nan), where=count > 0)


def _share_of_alike(labels: np.ndarray, exclude: np.ndarray) -> np.ndarray:
    """(n,) share of the rows that are not barred, itself never one, which have the same label; NaN where all are."""
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


def _mean_profiles(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean of the rows that share some columns, of those that the table has."""
    images = images_of(table)
    images = images[[column for column in by if column in images]].astype("object")
    codes = images.fillna("\0").groupby(list(images), sort=True).ngroup().to_numpy()
    first = np.unique(codes, return_index=True)[1]
    sums = np.zeros((len(first), len(feature_names(table))))
    np.add.at(sums, codes, features_of(table))
    metadata = images.iloc[first].reset_index(drop=True).rename(columns={**METADATA, **OPTIONAL})
    return with_features(metadata, sums / np.bincount(codes, minlength=len(first))[:, None], feature_names(table))


def _units(images: pd.DataFrame) -> np.ndarray:
    names = images["perturbation"].fillna("")
    return (images["compound"].fillna(names) if "compound" in images else names).to_numpy(str)


def _exclusions(images: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """(N, K) codes of the columns that there are; what is not known is shared with none."""
    codes = [pd.factorize(images[column])[0] for column in columns if column in images]
    return np.stack([np.where(code < 0, -1 - np.arange(len(code)), code) for code in codes], axis=1)


def _by_kind(kinds: np.ndarray, chosen: np.ndarray, ask: Callable[..., np.ndarray], *columns: np.ndarray) -> np.ndarray:
    """(N,) what is asked of the chosen rows of the columns, each cell type by itself; NaN of other rows."""
    values = np.full(len(kinds), np.nan)
    for kind in np.unique(kinds[chosen]):
        at = np.flatnonzero(chosen & (kinds == kind))
        values[at] = ask(*(column[at] for column in columns))
    return values


def _records(metric: str, now: Values, then: Values) -> Iterator[Record]:
    """Over all rows that have a value, by batch, what chance gives, and what changed."""
    has = np.isfinite(now.values)
    count = int(has.sum())
    yield _record(metric, float(np.mean(now.values[has])) if count else np.nan, count)
    for batch in np.unique(now.batches[has]) if now.batches is not None else ():
        of_batch = has & (now.batches == batch)
        for kind in (ALL, *np.unique(now.kinds[of_batch])):
            own = now.values[of_batch & ((now.kinds == kind) | (kind == ALL))]
            yield _record(metric, float(np.mean(own)), len(own), str(kind), str(batch))
    if now.chance is not None:
        yield _record(f"{metric}_chance", float(now.chance[has].mean()) if count else np.nan, count)
    both = has & np.isfinite(then.values)
    changes = now.values[both] - then.values[both]
    batches = None if now.batches is None else now.batches[both]
    sure = crossed_spread(changes, now.units[both], batches, now.kinds[both])
    yield _record(f"{metric}_change", float(changes.mean()) if len(changes) else np.nan, len(changes), sure=sure)
