"""Do images lie among those of their own batch? k-BET and the nearest neighbour's batch, and what chance would give."""

import numpy as np
import pandas as pd

from debatch.config.screen import NEGATIVE_CONTROL
from debatch.embedding_table import features_of, images_of
from debatch.evaluate.batch_effect.kbet import kbet_accepted
from debatch.evaluate.batch_effect.permuted import permuted_batches
from debatch.evaluate.controls import Scored, control_halves
from debatch.evaluate.neighbors import nearest_neighbor_hits
from debatch.evaluate.values import Values, by_kind, exclusions, share_of_alike, units_of
from debatch.evaluate.vectors import unit
from debatch.screen.names.identifiers import well_ids
from debatch.screen.order import hash_order

FEWEST_CONTROL_NEIGHBORS = 5


def mixing(scored: Scored) -> dict[str, Values]:
    """Metrics of images' batches, each with its values under permuted batches.

    `kbet` of one image a well; `kbet_controls` of negative controls; `neighbor_same_batch` of treated images, whose
    neighbours of the same perturbation, compound or mechanism are barred; `neighbor_same_batch_controls` of negative
    controls, whose neighbours of the same well are; controls as `score_embeddings` says, by halves.
    """
    images, features = images_of(scored.table), features_of(scored.table)
    kinds, units = images["cell_type"].to_numpy(str), units_of(images)
    names = images["batch"].to_numpy(str)
    batches, movable = permuted_batches(images)
    negative = (images["well_type"] == NEGATIVE_CONTROL).to_numpy()
    treated = ~negative & images["perturbation"].notna().to_numpy()
    half = control_halves(images)
    own_well = pd.factorize(well_ids(images))[0][:, None]
    controls, near = np.full((2, *batches.shape), np.nan)
    near_chance = np.full(len(images), np.nan)
    for held in scored.halves:
        own = negative & (half == held.number)
        if own.any():
            controls[own] = by_kind(kinds, own, _controls_mixed, held.features, batches)[own]
            same, chance = _neighbors(kinds, own, held.features, batches, own_well)
            near[own], near_chance[own] = same[own], chance[own]
    found: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
        "kbet": (by_kind(kinds, _one_a_well(images), _mixed, features, batches), None),
        "kbet_controls": (controls, None),
        "neighbor_same_batch": _neighbors(kinds, treated, features, batches, _barred(images)),
        "neighbor_same_batch_controls": (near, near_chance),
    }
    of_columns = {metric: (values.reshape(len(kinds), -1), chance) for metric, (values, chance) in found.items()}
    return {
        metric: Values(values[:, 0], units, kinds, names, chance, values[:, 1:], movable)
        for metric, (values, chance) in of_columns.items()
    }


def image_mixing(table: pd.DataFrame) -> dict[str, Values]:
    """`kbet` and `neighbor_same_batch`, as `mixing` has them, without permutations."""
    images, features = images_of(table), features_of(table)
    kinds, names = images["cell_type"].to_numpy(str), images["batch"].to_numpy(str)
    treated = ((images["well_type"] != NEGATIVE_CONTROL) & images["perturbation"].notna()).to_numpy()
    mixed = by_kind(kinds, _one_a_well(images), _mixed, features, names[:, None]).reshape(len(images))
    same, chance = _neighbors(kinds, treated, features, names[:, None], _barred(images))
    units = units_of(images)
    return {
        "kbet": Values(mixed, units, kinds, names),
        "neighbor_same_batch": Values(same.reshape(len(images)), units, kinds, names, chance),
    }


def _barred(images: pd.DataFrame) -> np.ndarray:
    return exclusions(images, ["perturbation", "compound", "mechanism"])


def _neighbors(
    kinds: np.ndarray, chosen: np.ndarray, features: np.ndarray, batches: np.ndarray, barred: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 1 + R) whether the nearest neighbour is of the same batch, and (N,) how often a random one is."""
    same = by_kind(kinds, chosen, _same_batch, features, batches, barred)
    return same, by_kind(kinds, chosen, _same_batch_by_chance, batches[:, 0], barred)


def _one_a_well(images: pd.DataFrame) -> np.ndarray:
    """(N,) bool: the first image of each well, in hash order.

    Images of a well are of one batch, and alike for more reasons than that: with all of them, k-BET would reject what
    no batch effect has touched.
    """
    order = hash_order(images["image_id"])
    first = np.zeros(len(images), bool)
    first[order[~pd.Series(well_ids(images)[order]).duplicated().to_numpy()]] = True
    return first


def _mixed(features: np.ndarray, batches: np.ndarray) -> np.ndarray:
    return _kbet(features, batches, max(round(0.005 * len(features)), 5 * len(np.unique(batches[:, 0]))))


def _controls_mixed(features: np.ndarray, batches: np.ndarray) -> np.ndarray:
    own = pd.Series(batches[:, 0]).value_counts().median()
    k = max(FEWEST_CONTROL_NEIGHBORS, round(own / 2))
    # with no more controls in a batch than neighbours, a batch that stands apart could not be seen
    return _kbet(features, batches, k) if k < own and k <= len(batches) / 5 else np.full(batches.shape, np.nan)


def _kbet(features: np.ndarray, batches: np.ndarray, k: int) -> np.ndarray:
    """(n, 1 + R) whether each image's neighbours are mixed; NaN where there are too few to ask."""
    if len(features) <= k or _is_one(batches):
        return np.full(batches.shape, np.nan)
    return kbet_accepted(unit(features), batches, k)


def _same_batch(features: np.ndarray, batches: np.ndarray, barred: np.ndarray) -> np.ndarray:
    if _is_one(batches):  # there is no other to be of
        return np.full(batches.shape, np.nan)
    return nearest_neighbor_hits(features, batches, barred)


def _same_batch_by_chance(batches: np.ndarray, barred: np.ndarray) -> np.ndarray:
    return np.full(len(batches), np.nan) if _is_one(batches) else share_of_alike(batches, barred)


def _is_one(batches: np.ndarray) -> bool:
    return len(np.unique(batches)) < 2
