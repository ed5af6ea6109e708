from datetime import UTC, datetime
from pathlib import Path

import torch

from debatch.config import Recipe, has_unseen_batches
from debatch.files import Files
from debatch.learn.checkpoint import remove_checkpoints
from debatch.learn.data import training_data
from debatch.learn.pauses import pauses_of_a_job
from debatch.learn.record import versions, write_record
from debatch.learn.train import Trainer, TrainingFiles
from debatch.model.devices import choose_device, describe_device
from debatch.model.inputs import ImageSet
from debatch.model.weights import model_facts, save_weights
from debatch.screen.splits import split_sha256
from debatch.screen.store import ImageReader, channel_names
from debatch.tabular import read_frame
from door import job

with job(snakemake):
    torch.set_num_threads(snakemake.threads)
    where, seed = snakemake.wildcards, int(snakemake.wildcards.seed)
    model = Path(snakemake.output[0])
    recipe = Recipe(**snakemake.params.recipe)
    split = read_frame(snakemake.input.split)
    data = training_data(read_frame(snakemake.input.index), split, recipe.shuffle_labels, seed)
    stores = {Path(marker).parent.stem: Path(marker).parent for marker in snakemake.input.stores}
    channels = channel_names(next(iter(stores.values())))
    device = choose_device(snakemake.resources.gpu)
    reader = ImageReader(stores, snakemake.threads)
    images = ImageSet(data.rows, read_frame(snakemake.input.normalization), reader, device)
    trainer = Trainer(recipe, data, images, len(channels), seed, f"{where.method}/{where.split}/seed{seed}")
    facts = model_facts(recipe, channels, data.classes, data.batch_names)

    def keep(epoch, network):
        save_weights(network, Path(Files(*snakemake.params.place).snapshot(str(model.parent), epoch)), facts)

    snapshot = keep if has_unseen_batches(where.split) else None
    files = TrainingFiles(model.with_name("history.csv"), model.with_name("checkpoint.pt"), snapshot)
    history = trainer.fit(files, pauses_of_a_job(snakemake.resources.runtime))
    record = {
        "screen": snakemake.params.place[1],
        "method": where.method,
        "split": where.split,
        "seed": seed,
        "recipe": recipe.model_dump(),
        "split_sha256": split_sha256(split),
        **versions(),
        "hardware": describe_device(device),
        "wall_seconds": round(float(history["seconds"].sum()), 1),
        "images_per_second": round(float(history["images_per_second"].median()), 1),
        "parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_record(model.with_name("recipe.json"), record)
    save_weights(trainer.network, model, facts)
    remove_checkpoints(files.checkpoint)
