"""A trained run with the images of its screen at hand: what every look at it needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from debatch.config.recipe import Recipe
from debatch.config.trained import read_weights_facts
from debatch.files import Files
from debatch.model.inputs import ImageSet, channels_seen
from debatch.model.network import Network
from debatch.model.weights import load_network
from debatch.runtime.devices import choose_device
from debatch.screen.index import of_parts
from debatch.screen.store import ImageReader
from debatch.tabular import read_frame


@dataclass(frozen=True)
class TrainedRun:
    """A run's weights, loaded.

    Attributes:
        model: path of the weights.
        recipe: that they were trained by.
        index: the screen's images, of the parts that the run is of.
        split: image_id, subset.
        images: all of the index.
        network: in inference mode.
        batch_names: the training batches, in the batch head's order.
        device: where it computes.
    """

    model: Path
    recipe: Recipe
    index: pd.DataFrame
    split: pd.DataFrame
    images: ImageSet
    network: Network
    batch_names: list[str]
    device: torch.device


def read_run(model: Path, recipe: Recipe, files: Files, tables: dict[str, Any], threads: int, gpus: int) -> TrainedRun:
    """Everything of a run that is trained.

    Args:
        model: path of its weights.
        recipe: that they were trained by.
        files: of the screen, for its stores.
        tables: paths of `index`, `split` and `normalization`.
        threads: CPU threads of the job.
        gpus: devices that it asked for.

    Raises:
        DataError: weights or stores are broken or gone.
    """
    torch.set_num_threads(threads)
    index, split = of_parts(read_frame(tables["index"]), recipe.parts), read_frame(tables["split"])
    device = choose_device(gpus)
    network, batch_names = load_network(model, recipe, device)
    stores = files.stores(index["experiment"].unique())
    reader = ImageReader(stores, threads)
    if recipe.names_channels:
        channels = channels_seen(recipe, index, reader)
    else:
        channels = read_weights_facts(model).channels if recipe.channels else None
    images = ImageSet(index, read_frame(tables["normalization"]), reader, device, channels)
    return TrainedRun(model, recipe, index, split, images, network, batch_names, device)
