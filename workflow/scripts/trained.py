"""What every job reads that looks at images through a trained model."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch

from debatch.config import Recipe
from debatch.config.trained import read_weights_facts
from debatch.embed.new_screen import model_channels
from debatch.files import Files
from debatch.model.devices import choose_device
from debatch.model.inputs import ImageSet
from debatch.model.network import Network
from debatch.model.weights import load_network
from debatch.screen.store import ImageReader
from debatch.tabular import read_frame


class TrainedRun(NamedTuple):
    recipe: Recipe
    index: pd.DataFrame
    split: pd.DataFrame
    images: ImageSet
    network: Network
    batch_names: list[str]
    device: torch.device


def read_run(snakemake) -> TrainedRun:
    """Everything of a run that is trained, with all images of the screen at hand."""
    torch.set_num_threads(snakemake.threads)
    recipe = Recipe(**snakemake.params.recipe)
    index, split = read_frame(snakemake.input.index), read_frame(snakemake.input.split)
    device = choose_device(snakemake.resources.gpu)
    network, batch_names = load_network(Path(snakemake.input.model), recipe, device)
    files = Files(*snakemake.params.place)
    stores = files.stores(index["experiment"].unique())
    channels = (
        model_channels(read_weights_facts(Path(snakemake.input.model)).channels, stores) if recipe.channels else None
    )
    reader = ImageReader(stores, snakemake.threads)
    images = ImageSet(index, read_frame(snakemake.input.normalization), reader, device, channels)
    return TrainedRun(recipe, index, split, images, network, batch_names, device)
