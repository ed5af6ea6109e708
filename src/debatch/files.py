"""Every path under the results folder, said once.

A part of a path may be a value or a wildcard like `{experiment}`: the workflow asks with wildcards, scripts with
values.
"""

from collections.abc import Iterable
from typing import Protocol


class RunPlace(Protocol):
    """What of a run its files are named for."""

    @property
    def weights(self) -> str:
        """The method that was trained."""

    @property
    def split(self) -> str:
        """The split that it was trained on."""

    @property
    def seed(self) -> int:
        """Its seed."""

    @property
    def inference(self) -> str:
        """The test-time statistics."""


class Files:
    """The files of one screen."""

    def __init__(self, results: str, screen: str) -> None:
        self.root = f"{results}/{screen}"

    # raw images of a simulated screen
    def raw_root(self) -> str:
        """Folder of a simulated screen's raw images."""
        return f"{self.root}/raw"

    def raw_metadata(self) -> str:
        """A simulated screen's well catalogue."""
        return f"{self.root}/raw/metadata.csv"

    def raw_manifest(self, experiment: str) -> str:
        """The list of a simulated experiment's files; there once they all are."""
        return f"{self.root}/raw/{experiment}.files.csv"

    # the screen
    def store(self, experiment: str) -> str:
        """An experiment's zarr store."""
        return f"{self.root}/images/{experiment}.zarr"

    def store_marker(self, experiment: str) -> str:
        """The file that says a store is whole: the store is renamed into place, so it is there or it is not."""
        return f"{self.store(experiment)}/zarr.json"

    def ingested(self, experiment: str) -> str:
        """The index rows of one experiment."""
        return f"{self.root}/ingest/{experiment}.parquet"

    def problems(self, experiment: str) -> str:
        """What was wrong in an experiment's source, and what was done about it."""
        return f"{self.root}/ingest/{experiment}.problems.csv"

    def index(self) -> str:
        """The index: a row an image."""
        return f"{self.root}/images.parquet"

    def normalization(self, variant: str) -> str:
        """Mean and sd per image and channel."""
        return f"{self.root}/normalization/{variant}.parquet"

    def split(self, split: str) -> str:
        """Which images train and which test."""
        return f"{self.root}/splits/{split}.parquet"

    def nulls(self, split: str) -> str:
        """What guesses that look at no image score on a split."""
        return f"{self.root}/splits/{split}.nulls.csv"

    # runs
    def run(self, method: str, split: str, seed: str | int) -> str:
        """A run's folder."""
        return f"{self.root}/runs/{method}/{split}/seed{seed}"

    def model(self, method: str, split: str, seed: str | int) -> str:
        """A run's trained weights: the one declared output of training."""
        return f"{self.run(method, split, seed)}/model.safetensors"

    def embeddings(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """A run's embeddings under one choice of test-time statistics."""
        return f"{self.run(method, split, seed)}/embeddings/{inference}.parquet"

    def training_embeddings(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """The same of the split's training images: only made where a probe is fitted on them."""
        return f"{self.run(method, split, seed)}/embeddings/{inference}.training.parquet"

    def predictions(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """A run's predictions under one choice of test-time statistics."""
        return f"{self.run(method, split, seed)}/predictions/{inference}.parquet"

    def metrics(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """A run's metrics, tidy."""
        return f"{self.run(method, split, seed)}/metrics/{inference}.csv"

    def cosine(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """Distances between a run's distributions of cosine similarities."""
        return f"{self.run(method, split, seed)}/metrics/{inference}.cosine.csv"

    def cosine_histograms(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """Those distributions."""
        return f"{self.run(method, split, seed)}/metrics/{inference}.cosine.parquet"

    def probe(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """How well the batch is told from a run's embeddings."""
        return f"{self.run(method, split, seed)}/metrics/{inference}.probe.csv"

    def snapshot(self, method: str, split: str, seed: str | int, epoch: str | int) -> str:
        """A run's weights after an epoch, by three digits or `{epoch}`; not declared, as checkpoints are not."""
        name = epoch if isinstance(epoch, str) else f"{epoch:03d}"
        return f"{self.run(method, split, seed)}/snapshots/epoch{name}.safetensors"

    def epochs(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """A run's test accuracy after some of its epochs."""
        return f"{self.run(method, split, seed)}/metrics/{inference}.epochs.csv"

    # what a person reads
    def table(self, table: str, suffix: str) -> str:
        """A table as `csv` or `md`, and the runs it was made from as `json`."""
        return f"{self.root}/tables/{table}.{suffix}"

    def figure(self, figure: str, suffix: str) -> str:
        """A figure as `svg` or `png`, and the numbers behind it as `csv`."""
        return f"{self.root}/figures/{figure}.{suffix}"

    def ome_zarr(self, chosen: str) -> str:
        """The list of the plates that were written as OME-Zarr, in the folder beside them."""
        return f"{self.root}/ome_zarr/{chosen}/plates.csv"

    def report(self) -> str:
        """All of it on one page."""
        return f"{self.root}/report.html"

    def log(self, *parts: str) -> str:
        """A job's log, outside the results, so that those can be shipped."""
        return "/".join([f"logs/{self.root.split('/')[-1]}", *parts]) + ".log"


def result_files(files: Files, need: str, runs: Iterable[RunPlace]) -> list[str]:
    """The files that a table or figure needs of its runs, in their order; those of a split once.

    Args:
        files: of the screen.
        need: `metrics`, `cosine`, `probe`, `embeddings`, `epochs` or `nulls`.
        runs: the runs.
    """
    if need == "nulls":
        return [files.nulls(split) for split in dict.fromkeys(run.split for run in runs)]
    return [path for run in runs for path in run_files(files, need, run)]


def run_files(files: Files, need: str, run: RunPlace) -> list[str]:
    """The files of one need that belong to one run."""
    place = run.weights, run.split, run.seed, run.inference
    match need:
        case "cosine":
            return [files.cosine(*place), files.cosine_histograms(*place)]
        case "metrics":
            return [files.metrics(*place)]
        case "probe":
            return [files.probe(*place)]
        case "embeddings":
            return [files.embeddings(*place)]
        case "epochs":
            return [files.epochs(*place)]
    raise AssertionError(need)
