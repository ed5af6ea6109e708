"""From a file of embeddings to metrics: `Metadata_*` columns and one column a feature, whoever made them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from debatch.config.screen import NEGATIVE_CONTROL
from debatch.embedding_table import features_of, images_of, prediction_table, with_direction
from debatch.errors import DataError
from debatch.evaluate.batch_effect.linear import linear_probe_log_probabilities
from debatch.evaluate.batch_effect.permuted import mostly, permuted_batches
from debatch.evaluate.batch_effect.probe import probe_seen_batches, probe_unseen_batches
from debatch.evaluate.batch_effect.probe_companions import with_companions
from debatch.evaluate.replicates.cosine import (
    BINS,
    KINDS,
    MEASURES,
    cosine_similarity_distributions,
    kolmogorov_smirnov,
    wasserstein,
)
from debatch.evaluate.replicates.permuted_cosine import DRAWS as PERMUTATIONS
from debatch.evaluate.replicates.permuted_cosine import permuted_distances
from debatch.evaluate.uncertainty import UNKNOWN, Spread
from debatch.screen.names.identifiers import well_ids
from debatch.screen.order import well_quarters
from debatch.screen.subsets import images_in, scored_images


def cosine_metrics(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Distances between the distributions of cosine similarities within and across batches, and those themselves.

    Images whose perturbation is unknown are left out. `…_permuted`: under batches dealt anew among a perturbation's
    wells; mean, and in place of an interval the smallest and largest, n of them. `ks_controls`, `wasserstein_controls`:
    of negative controls alone.

    Returns:
        Tidy: metric (`ks_same_perturbation`, …), subset (`all` pairs, or of `other_wells`), value, low, high (95 %
        interval over batches, or a range), error and freedom (of the interval; NaN of a range), n (pairs across
        batches); and `left_out`, embeddings without a direction. And the
        histograms: cosine (middle of the bin), then pairs of each kind, `other_wells_` before those without one well's.
    """
    frame = frame[frame["Metadata_Perturbation"].notna()]
    images = images_of(frame)
    perturbations, batches, cell_types = (
        images[column].to_numpy(str) for column in ("perturbation", "batch", "cell_type")
    )
    found = cosine_similarity_distributions(features_of(frame), perturbations, batches, cell_types, well_ids(images))
    records: list[tuple[object, ...]] = []
    columns = {"cosine": (np.arange(BINS) + 0.5) * 2 / BINS - 1}
    for subset, one_well in (("all", True), ("other_wells", False)):
        histograms = found.histograms(one_well)
        columns |= {kind if one_well else f"{subset}_{kind}": histograms[kind] for kind in KINDS}
        for measure, distance in zip(MEASURES, (kolmogorov_smirnov, wasserstein), strict=True):
            for perturbation in ("same", "different"):
                within, across = histograms[f"{perturbation}_within"], histograms[f"{perturbation}_across"]
                sure = found.spread(measure, perturbation, one_well)
                name = f"{measure}_{perturbation}_perturbation"
                records.append((name, subset, distance(within, across), *_bounds(sure), int(across.sum())))
    records += _without_batch_effect(frame, images) + _of_controls(frame, images)
    records.append(("left_out", "all", found.left_out, *_bounds(UNKNOWN), len(frame)))
    return (
        pd.DataFrame(records, columns=["metric", "subset", "value", "low", "high", "error", "freedom", "n"]),
        pd.DataFrame(columns),
    )


def _without_batch_effect(frame: pd.DataFrame, images: pd.DataFrame) -> list[tuple[object, ...]]:
    """Every distance under permuted batches: mean, smallest and largest."""
    dealt, movable = permuted_batches(images, PERMUTATIONS)
    if not len(images) or not mostly(movable):
        return []
    columns = (images[column].to_numpy(str) for column in ("perturbation", "cell_type"))
    perturbations, cell_types = columns
    found = permuted_distances(features_of(frame), perturbations, dealt[:, 1:], cell_types, well_ids(images))
    records: list[tuple[object, ...]] = []
    for (measure, perturbation, one_well), values in found.items():
        name = f"{measure}_{perturbation}_perturbation_permuted"
        bounds = values.mean(), values.min(), values.max(), np.nan, np.nan
        records.append((name, "all" if one_well else "other_wells", *bounds, len(values)))
    return records


def _of_controls(frame: pd.DataFrame, images: pd.DataFrame) -> list[tuple[object, ...]]:
    """The distances of negative controls alone, whatever these are called."""
    chosen = (images["well_type"] == NEGATIVE_CONTROL).to_numpy()
    own = images[chosen]
    columns = (own[column].to_numpy(str) for column in ("batch", "cell_type"))
    batches, cell_types = columns
    found = cosine_similarity_distributions(
        features_of(frame)[chosen], np.zeros(len(own)), batches, cell_types, well_ids(own)
    )
    records: list[tuple[object, ...]] = []
    for subset, one_well in (("all", True), ("other_wells", False)):
        histograms = found.histograms(one_well)
        within, across = histograms["same_within"], histograms["same_across"]
        for measure, distance in zip(MEASURES, (kolmogorov_smirnov, wasserstein), strict=True):
            sure = found.spread(measure, "same", one_well)
            records.append((f"{measure}_controls", subset, distance(within, across), *_bounds(sure), int(across.sum())))
    return records


def _bounds(sure: Spread) -> tuple[float, float, float, float]:
    return sure.low, sure.high, sure.error, sure.freedom


def seen_batch_probes(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """`probe_seen_batches` of two files of embeddings, without those that have no direction, and its companions."""
    train, test = with_direction(train), with_direction(test)
    both = pd.concat([images_of(train), images_of(test)], ignore_index=True)
    features = np.concatenate([features_of(train), features_of(test)])

    def score(images: pd.DataFrame, places: np.ndarray, probes: Sequence[str]) -> pd.DataFrame:
        fitted = places < len(train)
        sides = ((features[places[side]], images[side]) for side in (fitted, ~fitted))
        return probe_seen_batches(*next(sides), *next(sides), probes)

    return with_companions(score, both)


def unseen_batch_probes(frame: pd.DataFrame, tested: pd.DataFrame) -> pd.DataFrame:
    """`probe_unseen_batches` of a file of embeddings, without those that have no direction, and its companions.

    A batch's wells are in four quarters: the second and the fourth are the two sides; under a batch's own statistics
    those of a side come from the quarter before it. Under other statistics the same images are probed.

    Args:
        frame: the embeddings, under `half` or under statistics that are not of their batch.
        tested: index rows of all images that the split tests on.
    """
    quarters = pd.Series(well_quarters(well_ids(tested), tested["batch"].to_numpy(str)), tested["image_id"])
    frame = with_direction(frame)
    quarter = frame["Metadata_Image"].map(quarters).to_numpy()
    probed = np.isin(quarter, (1, 3))
    return _by_sides(frame[probed], quarter[probed] == 1)


def _by_sides(frame: pd.DataFrame, side: np.ndarray) -> pd.DataFrame:
    features = features_of(frame)

    def score(images: pd.DataFrame, places: np.ndarray, probes: Sequence[str]) -> pd.DataFrame:
        return probe_unseen_batches(features[places], images, side[places], probes)

    return with_companions(score, images_of(frame).reset_index(drop=True))


def training_side_probes(training: pd.DataFrame, validation: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """`probe_unseen_batches` of training and validation batches together, without embeddings that have no direction.

    A validation batch is the only one of its cell type, so that within a cell type there is nothing to tell it from but
    the batches that were trained on. The two sides are halves of each batch's wells.

    Args:
        training: the embeddings of training images, under statistics that are not of their batch.
        validation: those of validation images, under the same.
        index: of the screen.

    Raises:
        DataError: an image is in both.
    """
    frame = with_direction(pd.concat([training, validation], ignore_index=True))
    if frame["Metadata_Image"].duplicated().any():
        raise DataError("an image is among the training images and among the validation images")
    known = index[index["image_id"].isin(set(training["Metadata_Image"]) | set(validation["Metadata_Image"]))]
    quarters = pd.Series(well_quarters(well_ids(known), known["batch"].to_numpy(str)), known["image_id"])
    side = frame["Metadata_Image"].map(quarters).to_numpy() % 2 == 1
    return _by_sides(frame, side)


def probe_predictions(table: pd.DataFrame, index: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """What a linear classifier says of a split's test images, fitted on its training images: embeddings as a network's.

    Args:
        table: embeddings that no run made.
        index: of the screen.
        split: image_id, subset.

    Returns:
        As `embed_images` gives predictions of a trained network; batch_predicted is empty: there is no batch head.

    Raises:
        DataError: no training or no test image has an embedding and a label.
    """
    table = with_direction(table)
    own = index.set_index("image_id").reindex(table["Metadata_Image"])
    labels = own["label"]
    train = own.index.isin(images_in(split, "train")) & labels.notna().to_numpy()
    test = own.index.isin(scored_images(split))
    if not train.any() or not test.any():
        raise DataError("the split has no training image, or no test image, that has an embedding and a label")
    features = features_of(table)
    classes, log_probabilities = linear_probe_log_probabilities(
        features[train], labels[train].to_numpy(np.int64), features[test]
    )
    return prediction_table(own[test].reset_index(names="image_id"), log_probabilities, classes)
