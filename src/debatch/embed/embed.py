"""Embeddings and predictions of a split's test images under one choice of test-time statistics."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from debatch.config.recipe import Recipe
from debatch.embed.statistics import StatisticsGroup
from debatch.embedding_table import embedding_table, prediction_table
from debatch.model.inputs import ImageSet
from debatch.model.network import Network, Outputs
from debatch.model.population import set_population_statistics
from debatch.model.weights import load_network
from debatch.screen.classes import classes_of
from debatch.screen.nouns import noun_of_rows
from debatch.screen.order import hash_order

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embedded:
    """What a model says of some images, a row an image, in index order.

    Attributes:
        embeddings: `Metadata_*` columns, then one float32 column a feature.
        predictions: as `prediction_table` makes them.
    """

    embeddings: pd.DataFrame
    predictions: pd.DataFrame


def embed_images(
    network: Network, images: ImageSet, groups: list[StatisticsGroup], recipe: Recipe, batch_names: list[str]
) -> Embedded:
    """Embed images, each under its group's population statistics.

    Computed in float32 whatever the training's precision, so that a loader's size does not show in the last digits.

    Args:
        network: trained.
        images: all images of the index.
        groups: which to embed, and under whose statistics.
        recipe: the run's.
        batch_names: the training batches, in the batch head's order.
    """
    # what an empty list of groups comes to: a batch may have too few wells to be looked at by halves
    width, classes = network.width, network.class_head.out_features
    positions, batch_predicted, statistics = ([np.zeros(0, np.int64)] for _ in range(3))
    embeddings, log_probabilities = [np.zeros((0, width), np.float32)], [np.zeros((0, classes))]
    for part, outputs, used in outputs_by_group(network, images, groups, recipe):
        positions.append(part)
        embeddings.append(outputs.embedding.cpu().numpy())
        log_probabilities.append(torch.log_softmax(outputs.class_logits.double(), 1).cpu().numpy())
        batch_predicted.append(outputs.batch_logits.argmax(1).cpu().numpy())
        statistics.append(np.full(len(part), used))
    order = np.argsort(np.concatenate(positions), kind="stable")
    positions_in_order = np.concatenate(positions)[order]
    rows = images.rows.iloc[positions_in_order].reset_index(drop=True)
    classes_in_order = classes_of(images.rows, recipe.label).iloc[positions_in_order].to_numpy()
    return Embedded(
        embedding_table(rows, np.concatenate(embeddings)[order]),
        prediction_table(
            rows.assign(label=pd.array(classes_in_order, "Int64")),
            np.concatenate(log_probabilities)[order],
            batch_predicted=np.array(batch_names, dtype=object)[np.concatenate(batch_predicted)[order]],
            statistics=np.concatenate(statistics)[order],
        ),
    )


def outputs_by_group(
    network: Network, images: ImageSet, groups: list[StatisticsGroup], recipe: Recipe
) -> Iterator[tuple[np.ndarray, Outputs, int]]:
    """What a network gives images, each under its group's population statistics.

    Args:
        network: trained; the last group's statistics stay in it.
        images: all images of the index.
        groups: which to look at, and under whose statistics.
        recipe: the run's.

    Yields:
        A few images at a time: (n,) their positions in the index, the outputs, and from how many images of the screen
        the statistics are; 0: the network's own.
    """
    network.eval()
    for group in groups:
        used = 0
        if len(group.reference):
            reference = group.reference[hash_order(images.rows["image_id"].iloc[group.reference])]
            stream = images.groups(images.cut(reference, recipe.group))
            shown = ((part.standardized(recipe.pixels), part.channels) for part in stream)
            used = set_population_statistics(network, shown)
            if used < recipe.group:
                few = noun_of_rows(images.rows).count(used)
                log.warning("%s: statistics from only %s (a training group has %d)", group.name, few, recipe.group)
        for part in images.groups(images.cut(group.images, recipe.group)):
            with torch.inference_mode():
                outputs = network.heads(network.embed(part.standardized(recipe.pixels), part.channels))
            yield part.positions, outputs, used


def snapshot_predictions(
    path: Path, images: ImageSet, groups: list[StatisticsGroup], recipe: Recipe, device: torch.device
) -> pd.DataFrame:
    """Predictions, as in `Embedded`, of weights that a run kept on its way.

    Args:
        path: of the weights.
        images: all images of the index.
        groups: which to predict, and under whose statistics.
        recipe: the run's.
        device: where it is computed.
    """
    network, batch_names = load_network(path, recipe, device)
    return embed_images(network, images, groups, recipe, batch_names).predictions
