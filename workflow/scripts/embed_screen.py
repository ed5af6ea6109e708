from script import job  # first: it finds the package

from pathlib import Path

import torch

from debatch.config import Recipe
from debatch.config.trained import read_trained_model
from debatch.digests import sha256_of_file
from debatch.embed.new_screen import embed_screen, model_images
from debatch.files import Files
from debatch.model.weights import load_network
from debatch.runtime.devices import choose_device
from debatch.screen.store import ImageReader
from debatch.tabular import read_frame, write_frame

with job(snakemake) as log:
    torch.set_num_threads(snakemake.threads)
    recipe, weights = Recipe(**snakemake.params.recipe), Path(snakemake.input.model)
    index, statistics = read_frame(snakemake.input.index), read_frame(snakemake.input.normalization)
    reader = ImageReader(Files(*snakemake.params.results).stores(index["experiment"].unique()), snakemake.threads)
    model, device = read_trained_model(weights.parent), choose_device(snakemake.resources.gpu)
    network, _ = load_network(weights, recipe, device)
    table = embed_screen(network, model_images(index, statistics, model, reader, device), recipe)
    about = {"inference": recipe.inference, "model": model.name, "weights_sha256": sha256_of_file(weights)}
    write_frame(table, snakemake.output[0], about)
    log.info("%d images embedded under the statistics %r", len(table), recipe.inference)
