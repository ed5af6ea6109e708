"""What a table of embeddings tells of batches and of biology, with nothing trained: before and after a correction."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from debatch.embedding_table import METADATA, OPTIONAL, feature_names, features_of, images_of, with_features
from debatch.evaluate.grit import grit
from debatch.evaluate.kbet import kbet_accepted
from debatch.evaluate.neighbors import nearest_neighbor_hits
from debatch.evaluate.retrieval import replicate_precision
from debatch.evaluate.separability import positive_control_retention, separability, weak_separability
from debatch.evaluate.vectors import unit

OF_A_WELL = [
    "experiment", "plate", "well", "cell_type", "well_type", "perturbation", "batch", "compound", "mechanism",
]  # fmt: skip
NEGATIVE, POSITIVE = "negative_control", "positive_control"


class Score(NamedTuple):
    """What a metric is.

    Attributes:
        side: `batch` or `biology`.
        better: whether `higher` or `lower` is.
    """

    side: str
    better: str


SCORES = {
    "kbet": Score("batch", "higher"),
    "kbet_controls": Score("batch", "higher"),
    "neighbor_same_batch": Score("batch", "lower"),
    "replicate_across_batches": Score("biology", "higher"),
    "replicate_map": Score("biology", "higher"),
    "grit": Score("biology", "higher"),
    "nsc": Score("biology", "higher"),
    "nscb": Score("biology", "higher"),
    "positive_control_retention": Score("biology", "higher"),
    "separability": Score("biology", "higher"),
    "weak_separability": Score("biology", "higher"),
}

Record = tuple[str, str, float, int]


def score_embeddings(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Batch and biology metrics of embeddings, each within cell types.

    `kbet`: acceptance of L2-normalised images, k the larger of 0.5 % of the images and 5 times the batches;
    `kbet_controls`: of negative controls alone, which every batch has alike. `neighbor_same_batch`: how often the
    nearest image of another perturbation (and compound) is of the same batch, and `neighbor_same_batch_chance`, how
    often one drawn at random would be. Of wells (mean of their images): `replicate_across_batches`, how often the
    nearest well of another batch has the same perturbation, negative controls left out; `replicate_map`, replicates of
    other batches before negative controls; `grit`, median over wells; `nsc` and `nscb`, mechanism of the nearest
    treatment of another compound (and batch), of mean profiles of treatments (and batches), those that could be right;
    `separability`, `weak_separability` and `positive_control_retention`: what is left of phenotypes.

    Args:
        before: embeddings as they were, with `Metadata_*` columns; the same as `after` where nothing was corrected.
        after: the same images, corrected.

    Returns:
        Tidy: metric, subset (`all`), group (`all`, `cell_type=…`, `batch=…`), value, n. NaN where a metric is not
        defined: too few images, no control, no replicate, no mechanism. `left_out`: images that are not finite; those
        that are all zero count, and find nothing.
    """
    finite = np.isfinite(features_of(after)).all(axis=1)
    kept = after[finite].reset_index(drop=True)
    before = before.set_index("Metadata_Image", drop=False).loc[kept["Metadata_Image"]].reset_index(drop=True)
    records = [*_image_scores(kept), *_well_scores(_mean_profiles(before, OF_A_WELL), _mean_profiles(kept, OF_A_WELL))]
    records.append(("left_out", "all", float((~finite).sum()), len(after)))
    frame = pd.DataFrame(records, columns=["metric", "group", "value", "n"])
    frame.insert(1, "subset", "all")
    return frame


def _image_scores(table: pd.DataFrame) -> Iterator[Record]:
    images, features = images_of(table), features_of(table)
    batches, kinds = images["batch"].to_numpy(str), images["cell_type"].to_numpy(str)
    every = np.ones(len(images), bool)
    negative = (images["well_type"] == NEGATIVE).to_numpy()
    barred = _exclusions(images, ["perturbation", "compound"])

    def mixed(at: np.ndarray) -> np.ndarray:
        return _kbet(features[at], batches[at])

    def same_batch(at: np.ndarray) -> np.ndarray:
        if len(np.unique(batches[at])) < 2:  # there is no other to be of
            return np.full(len(at), np.nan)
        return nearest_neighbor_hits(features[at], batches[at], barred[at])

    def chance(at: np.ndarray) -> np.ndarray:
        if len(np.unique(batches[at])) < 2:
            return np.full(len(at), np.nan)
        return _chance(batches[at], barred[at, -1])

    yield from _pooled("kbet", _by_kind(kinds, every, mixed), batches)
    yield from _pooled("kbet_controls", _by_kind(kinds, negative, mixed), batches)
    yield from _pooled("neighbor_same_batch", _by_kind(kinds, every, same_batch), batches)
    yield from _pooled("neighbor_same_batch_chance", _by_kind(kinds, every, chance))


def _kbet(features: np.ndarray, batches: np.ndarray) -> np.ndarray:
    """(n,) whether each image's neighbours are mixed; NaN where there are too few to ask."""
    names = np.unique(batches)
    k = max(round(0.005 * len(features)), 5 * len(names))
    if len(features) <= k or len(names) < 2:
        return np.full(len(features), np.nan)
    return kbet_accepted(unit(features), batches, k)


def _chance(batches: np.ndarray, barred: np.ndarray) -> np.ndarray:
    """(n,) share of the images which an image's own group does not bar that are of its batch."""
    frame = pd.DataFrame({"barred": barred, "batch": batches})
    own, here, both = (
        frame.groupby(by)["batch"].transform("size").to_numpy() for by in ("barred", "batch", ["barred", "batch"])
    )
    left = len(frame) - own
    return np.divide(here - both, left, out=np.full(len(frame), np.nan), where=left > 0)


def _well_scores(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[Record]:
    wells, features, earlier = images_of(after), features_of(after), features_of(before)
    batches, kinds = wells["batch"].to_numpy(str), wells["cell_type"].to_numpy(str)
    labelled = wells["perturbation"].notna().to_numpy()
    perturbations = wells["perturbation"].fillna("").to_numpy(str)
    negative, positive = ((wells["well_type"] == name).to_numpy() for name in (NEGATIVE, POSITIVE))
    asked, known = labelled & ~negative, labelled | negative

    def across(at: np.ndarray) -> np.ndarray:
        hits = nearest_neighbor_hits(features[at], perturbations[at], batches[at])
        return np.where(_findable(perturbations[at], batches[at, None]), hits, np.nan)

    def precision(at: np.ndarray) -> np.ndarray:
        return replicate_precision(features[at], perturbations[at], batches[at], negative[at])

    def stands_out(at: np.ndarray) -> np.ndarray:
        # all negative controls are one group, whatever they are called
        groups = np.where(negative[at], "", perturbations[at])
        return np.where(negative[at], np.nan, grit(features[at], groups, negative[at]))

    yield from _pooled("replicate_across_batches", _by_kind(kinds, asked, across), batches)
    yield from _pooled("replicate_map", _by_kind(kinds, known, precision), batches)
    yield from _pooled("grit", _by_kind(kinds, known, stands_out), batches, np.median)
    yield from _mechanisms(after, asked)

    def separable(at: np.ndarray) -> tuple[float, int]:
        found = separability(features[at], perturbations[at], batches[at], negative[at])
        return float(found["separability"].mean()), len(found)

    def weak(at: np.ndarray) -> tuple[float, int]:
        value = weak_separability(earlier[at], features[at], perturbations[at], batches[at], negative[at])
        return value, len(np.unique(perturbations[at][~negative[at]]))

    def retained(at: np.ndarray) -> tuple[float, int]:
        columns = perturbations[at], batches[at], negative[at], positive[at]
        return positive_control_retention(earlier[at], features[at], *columns), int(positive[at].sum())

    yield _over_kinds("separability", kinds, known & ~positive, separable)
    yield _over_kinds("weak_separability", kinds, known & ~positive, weak)
    yield _over_kinds("positive_control_retention", kinds, known, retained)


def _mechanisms(wells: pd.DataFrame, asked: np.ndarray) -> Iterator[Record]:
    """NSC of treatments' mean profiles, NSCB of those by batch."""
    if OPTIONAL["mechanism"] not in wells:
        return
    chosen = wells[asked & wells[OPTIONAL["mechanism"]].notna().to_numpy()].reset_index(drop=True)
    for name, more in (("nsc", []), ("nscb", ["batch"])):
        means = _mean_profiles(chosen, ["cell_type", "mechanism", "compound", "perturbation", *more])
        images = images_of(means)
        hits = _mechanism_hits(images, features_of(means), _exclusions(images, ["perturbation", "compound", *more]))
        yield from _pooled(name, hits, images["batch"].to_numpy(str) if more else None)


def _mechanism_hits(images: pd.DataFrame, features: np.ndarray, exclude: np.ndarray) -> np.ndarray:
    mechanisms, kinds = images["mechanism"].to_numpy(str), images["cell_type"].to_numpy(str)

    def right(at: np.ndarray) -> np.ndarray:
        hits = nearest_neighbor_hits(features[at], mechanisms[at], exclude[at])
        return np.where(_findable(mechanisms[at], exclude[at]), hits, np.nan)

    return _by_kind(kinds, np.ones(len(images), bool), right)


def _findable(labels: np.ndarray, exclude: np.ndarray) -> np.ndarray:
    """(n,) whether any row that is not barred has the same label: what has none could only be wrong."""
    codes = np.unique(labels, return_inverse=True)[1]
    found = np.zeros(len(labels), bool)
    for code in range(codes.max(initial=-1) + 1):
        own = np.flatnonzero(codes == code)
        apart = (exclude[own, None] != exclude[None, own]).all(axis=2)
        found[own] = apart.any(axis=1)
    return found


def _mean_profiles(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean of the rows that share some columns, of those that the table has."""
    images = images_of(table)
    images = images[[column for column in by if column in images]].astype("object")
    codes = images.fillna("\0").groupby(list(images), sort=True).ngroup().to_numpy()
    first = np.unique(codes, return_index=True)[1]
    sums = np.zeros((len(first), len(feature_names(table))))
    np.add.at(sums, codes, features_of(table))
    metadata = images.iloc[first].reset_index(drop=True).rename(columns={**METADATA, **OPTIONAL})
    return with_features(metadata, sums / np.bincount(codes)[:, None], feature_names(table))


def _exclusions(images: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """(N, K) codes of the columns that there are; what is not known is shared with none."""
    codes = [pd.factorize(images[column])[0] for column in columns if column in images]
    return np.stack([np.where(code < 0, -1 - np.arange(len(code)), code) for code in codes], axis=1)


def _by_kind(kinds: np.ndarray, chosen: np.ndarray, ask: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """(N,) what is asked of the chosen rows of each cell type by itself; NaN of others."""
    values = np.full(len(kinds), np.nan)
    for kind in np.unique(kinds[chosen]):
        at = np.flatnonzero(chosen & (kinds == kind))
        values[at] = ask(at)
    return values


def _pooled(
    metric: str,
    values: np.ndarray,
    batches: np.ndarray | None = None,
    middle: Callable[[np.ndarray], np.floating] = np.mean,
) -> Iterator[Record]:
    """Over all rows that have a value, and by batch."""
    has = np.isfinite(values)
    yield metric, "all", float(middle(values[has])) if has.any() else np.nan, int(has.sum())
    for batch in np.unique(batches[has]) if batches is not None else ():
        own = values[has & (batches == batch)]
        yield metric, f"batch={batch}", float(middle(own)), len(own)


def _over_kinds(
    metric: str, kinds: np.ndarray, chosen: np.ndarray, ask: Callable[[np.ndarray], tuple[float, int]]
) -> Record:
    """Over cell types, each weighing as much as it was asked of."""
    found = [ask(np.flatnonzero(chosen & (kinds == kind))) for kind in np.unique(kinds[chosen])]
    usable = [(value, n) for value, n in found if np.isfinite(value) and n]
    total = sum(n for _, n in usable)
    return metric, "all", sum(value * n for value, n in usable) / total if total else np.nan, total
