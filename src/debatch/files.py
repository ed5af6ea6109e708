"""Every path under the results folder, said once.

A part of a path may be a value or a wildcard like `{experiment}`: the workflow asks with wildcards, scripts with
values.
"""


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

    def predictions(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """A run's predictions under one choice of test-time statistics."""
        return f"{self.run(method, split, seed)}/predictions/{inference}.parquet"

    def metrics(self, method: str, split: str, seed: str | int, inference: str) -> str:
        """A run's metrics, tidy."""
        return f"{self.run(method, split, seed)}/metrics/{inference}.csv"

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
