from pathlib import Path

import torch

from debatch.config import Recipe
from debatch.embed import embed_images, statistics_groups
from debatch.model.inputs import ImageSet
from debatch.model.weights import choose_device, load_network
from debatch.screen.splits import split_sha256
from debatch.screen.store import ImageReader
from debatch.tabular import read_frame, write_frame
from door import job

with job(snakemake):
    torch.set_num_threads(snakemake.threads)
    recipe = Recipe(**snakemake.params.recipe)
    index, split = read_frame(snakemake.input.index), read_frame(snakemake.input.split)
    device = choose_device(snakemake.resources.gpu)
    network, batch_names = load_network(Path(snakemake.input.model), recipe, device)
    stores = {Path(marker).parent.stem: Path(marker).parent for marker in snakemake.input.stores}
    reader = ImageReader(stores, snakemake.threads)
    images = ImageSet(index, read_frame(snakemake.input.normalization), reader, device)
    groups = statistics_groups(snakemake.wildcards.inference, index, split, recipe)
    embedded = embed_images(network, images, groups, recipe, batch_names)
    about = {"inference": snakemake.wildcards.inference, "split_sha256": split_sha256(split)}
    write_frame(embedded.embeddings, snakemake.output.embeddings, about)
    write_frame(embedded.predictions, snakemake.output.predictions, about)
