"""A training job from files on disk."""

from pathlib import Path

import pytest
from helpers.images import make_images
from helpers.tiny_trainer import DEALT_RECIPES, LARGER, split_of

from debatch.config.images import Store
from debatch.files import Files
from debatch.jobs.job import TrainingJob
from debatch.screen.ingest.measure import measure
from debatch.screen.normalization import normalization_statistics
from debatch.screen.store import StoreWriter
from debatch.tabular import write_frame

CHANNELS = ["DNA", "ER", "Actin"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A screen's results folder with stores, index, split and normalization, and no run."""
    folder = tmp_path_factory.mktemp("results")
    files, images = Files(str(folder), "tiny"), make_images(LARGER)
    for experiment, rows in LARGER.groupby("experiment"):
        own, path = images[rows.index], Path(files.store(experiment))
        with StoreWriter(path, own.shape, Store(), {"channels": CHANNELS}) as writer:
            writer.append(own, measure(own).moments)
    write_frame(LARGER, files.index(), {"pixels_sha256": "12"})
    write_frame(split_of(LARGER), files.split("separated"))
    statistics = normalization_statistics(LARGER, measure(images).moments, CHANNELS, "self")
    write_frame(statistics, files.normalization("self"))
    return folder


@pytest.fixture
def job(results, tmp_path):
    """A run in a folder of its own."""
    files = Files(str(results), "tiny")
    return TrainingJob(
        results=(str(results), "tiny"),
        index=files.index(),
        split=files.split("separated"),
        normalization=files.normalization("self"),
        model=str(tmp_path / "run/model.safetensors"),
        recipe=DEALT_RECIPES["adaptive"].model_dump(),
        method="adabn",
        split_name="separated",
        seed=3,
        threads=1,
        gpus=0,
        runtime_minutes=60,
    )
