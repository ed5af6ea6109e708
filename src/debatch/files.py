"""Every path under the results folder, said once.

A part of a path may be a value or a wildcard like `{experiment}`: the workflow asks with wildcards, scripts with
values.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, get_args

from debatch.errors import DataError

# Of the files below the results folder, as their index says: raised where what an older debatch wrote cannot be read.
FORMAT = 5
# of embeddings: as they are, no correction
UNCORRECTED = "none"

Kind = Literal[
    "view", "training", "epochs", "adaptation", "metrics", "cosine", "scores", "probe", "training_side_probe",
    "corrected", "corrected_cosine", "corrected_scores", "readouts", "tasks",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)


class RunPlace(Protocol):
    """What of a run its files are named for."""

    @property
    def weights(self) -> str:
        """The method that was trained, or the name of profiles."""

    @property
    def split(self) -> str:
        """The split that it was trained on, or that profiles are looked at by."""

    @property
    def seed(self) -> int:
        """Its seed."""

    @property
    def external(self) -> bool:
        """Whether it is of profiles made elsewhere."""

    @property
    def inference(self) -> str:
        """The test-time statistics."""

    @property
    def view(self) -> str:
        """The test-time statistics, and the correction after a dot."""


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

    def stores(self, experiments: Iterable[str]) -> dict[str, Path]:
        """The stores of experiments, by name.

        Jobs that read images take the index as input, not thousands of stores: that these are there is seen here.

        Raises:
            DataError: one is not there.
        """
        names = [str(experiment) for experiment in experiments]
        gone = [name for name in names if not Path(self.store_marker(name)).exists()]
        if gone:
            others = f", and {len(gone) - 1} more" if len(gone) > 1 else ""
            raise DataError(
                f"{self.store(gone[0])} is not there{others}, which the index lists; `snakemake ingest` makes it again"
            )
        return {name: Path(self.store(name)) for name in names}

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
        """Scores of guesses that use no image, on a split."""
        return f"{self.root}/splits/{split}.nulls.csv"

    # runs: their files are siblings in one folder
    def run(self, method: str, split: str, seed: str | int) -> str:
        """A run's folder."""
        return f"{self.root}/runs/{method}/{split}/seed{seed}"

    def external(self, name: str) -> str:
        """The folder of embeddings that no run of this screen made."""
        return f"{self.root}/runs/external/{name}"

    def any_run(self, run: str) -> str:
        """The folder of either, by its path below `runs`."""
        return f"{self.root}/runs/{run}"

    def folder(self, run: RunPlace) -> str:
        """The folder of a registry's run."""
        return self.external(run.weights) if run.external else self.run(run.weights, run.split, run.seed)

    def model(self, folder: str) -> str:
        """A run's trained weights: the one declared output of training."""
        return f"{folder}/model.safetensors"

    def embeddings(self, folder: str, view: str) -> str:
        """A run's embeddings under one choice of test-time statistics and at most one correction, parted by a dot."""
        return f"{folder}/embeddings/{view}.parquet"

    def h5ad(self, folder: str, view: str) -> str:
        """The same as AnnData."""
        return f"{folder}/embeddings/{view}.h5ad"

    def projections(self, folder: str) -> str:
        """All that the explorer shows of a run's embeddings, as points on a plane."""
        return f"{folder}/projections.parquet"

    def training_embeddings(self, folder: str, inference: str) -> str:
        """The same of the split's training images: only made where a probe is fitted on them."""
        return f"{folder}/embeddings/{inference}.training.parquet"

    def predictions(self, folder: str, inference: str) -> str:
        """A run's predictions under one choice of test-time statistics; of profiles, by a split's linear probe."""
        return f"{folder}/predictions/{inference}.parquet"

    def metrics(self, folder: str, inference: str) -> str:
        """A run's metrics, tidy."""
        return f"{folder}/metrics/{inference}.csv"

    def scores(self, folder: str, view: str) -> str:
        """Metrics of batch effect and biology of embeddings, which need no training."""
        return f"{folder}/metrics/{view}.scores.csv"

    def cosine(self, folder: str, view: str) -> str:
        """Distances between a run's distributions of cosine similarities."""
        return f"{folder}/metrics/{view}.cosine.csv"

    def cosine_histograms(self, folder: str, view: str) -> str:
        """Those distributions."""
        return f"{folder}/metrics/{view}.cosine.parquet"

    def probe(self, folder: str, inference: str) -> str:
        """How well probes predict the batch from a run's embeddings."""
        return f"{folder}/metrics/{inference}.probe.csv"

    def readouts(self, folder: str, inference: str) -> str:
        """What classifiers make of a run's embeddings, and how batches mix in them, on either side of its split."""
        return f"{folder}/metrics/{inference}.readouts.csv"

    def tasks(self, folder: str, inference: str) -> str:
        """How a run's embeddings do in the named tasks of its split."""
        return f"{folder}/metrics/{inference}.tasks.csv"

    def training_side_probe(self, folder: str, inference: str) -> str:
        """The same of training and validation batches together."""
        return f"{folder}/metrics/{inference}.training_side_probe.csv"

    def snapshot(self, folder: str, epoch: str | int) -> str:
        """A run's weights after an epoch, by three digits or `{epoch}`; not declared, as checkpoints are not."""
        name = epoch if isinstance(epoch, str) else f"{epoch:03d}"
        return f"{folder}/snapshots/epoch{name}.safetensors"

    def epochs(self, folder: str, inference: str) -> str:
        """A run's test accuracy after some of its epochs."""
        return f"{folder}/metrics/{inference}.epochs.csv"

    def adaptation(self, folder: str) -> str:
        """A run's test accuracy under many choices of test-time statistics."""
        return f"{folder}/metrics/adaptation.csv"

    # what a person reads
    def table(self, table: str, suffix: str) -> str:
        """A table as `csv` or `md`, and the runs it was made from as `json`."""
        return f"{self.root}/tables/{table}.{suffix}"

    def figure(self, figure: str, suffix: str) -> str:
        """A figure as `svg`, `png` or `pdf`, and the numbers behind it as `csv`."""
        return f"{self.root}/figures/{figure}.{suffix}"

    def ome_zarr(self, chosen: str) -> str:
        """The list of the plates that were written as OME-Zarr, in the folder beside them."""
        return f"{self.root}/ome_zarr/{chosen}/plates.csv"

    def report(self) -> str:
        """All of it on one page."""
        return f"{self.root}/report.html"

    def page(self, name: str) -> str:
        """The same of all that a paper shows."""
        return f"{self.root}/{name}.html"

    def explorer(self) -> str:
        """The page on which wells, images and embeddings are looked at; what it loads lies beside it."""
        return f"{self.root}/explorer/index.html"

    def thumbnails(self, experiment: str) -> str:
        """Where the explorer's small pictures of an experiment are, in the folder beside it."""
        return f"{self.root}/explorer/images/{experiment}.js"

    def log(self, *parts: str) -> str:
        """A job's log, outside the results, so that those can be shipped."""
        return "/".join([self._logs(), *parts]) + ".log"

    def benchmark(self, *parts: str) -> str:
        """What Snakemake measured of a job, until it is gathered with the others."""
        return "/".join([self.benchmarks(), *parts]) + ".jsonl"

    def benchmarks(self) -> str:
        """The folder of these."""
        return f"{self._logs()}/benchmarks"

    def times(self) -> str:
        """What the screen's jobs took, a line each."""
        return f"{self._logs()}/times.jsonl"

    def _logs(self) -> str:
        return f"logs/{self.root.split('/')[-1]}"


class Product(NamedTuple):
    """One thing that is made of a run.

    Attributes:
        kind: what.
        statistics: the test-time statistics that it is looked at under; empty for `adaptation`, which is of many.
        correction: of its embeddings, where there is one.
    """

    kind: Kind
    statistics: str = ""
    correction: str = UNCORRECTED


def product_files(files: Files, folder: str, product: Product) -> list[str]:
    """The files of something that is made of a run, in the order in which they are made.

    Args:
        files: of the screen.
        folder: the run's.
        product: what.
    """
    own, corrected = product.statistics, f"{product.statistics}.{product.correction}"
    match product.kind:
        case "view":
            return [files.embeddings(folder, own), files.predictions(folder, own)]
        case "training":
            return [files.training_embeddings(folder, own)]
        case "epochs":
            return [files.epochs(folder, own)]
        case "adaptation":
            return [files.adaptation(folder)]
        case "metrics":
            return [files.metrics(folder, own)]
        case "cosine":
            return [files.cosine(folder, own), files.cosine_histograms(folder, own)]
        case "scores":
            return [files.scores(folder, own)]
        case "probe":
            return [files.probe(folder, own)]
        case "training_side_probe":
            return [files.training_side_probe(folder, own)]
        case "readouts":
            return [files.readouts(folder, own)]
        case "tasks":
            return [files.tasks(folder, own)]
        case "corrected":
            return [files.embeddings(folder, corrected)]
        case "corrected_cosine":
            return [files.cosine(folder, corrected), files.cosine_histograms(folder, corrected)]
        case "corrected_scores":
            return [files.scores(folder, corrected)]
    raise AssertionError(product.kind)


def result_files(files: Files, need: str, runs: Iterable[RunPlace]) -> list[str]:
    """The files that a table or figure needs of its runs, in their order, each once.

    Args:
        files: of the screen.
        need: `metrics`, `cosine`, `probe`, `training_side_probe`, `readouts`, `tasks`, `embeddings`, `training`,
            `scores`, `epochs`, `adaptation` or `nulls`.
        runs: the runs.
    """
    if need == "nulls":
        return [files.nulls(split) for split in dict.fromkeys(run.split for run in runs)]
    return list(dict.fromkeys(path for run in runs for path in run_files(files, need, run)))


def run_files(files: Files, need: str, run: RunPlace) -> list[str]:
    """The files of one need that belong to one run."""
    folder = files.folder(run)
    # profiles are the same on every split: what is computed from them on a split is named for it
    name = run.split if run.external else run.inference
    match need:
        case "cosine":
            return [files.cosine(folder, run.view), files.cosine_histograms(folder, run.view)]
        case "metrics":
            return [files.metrics(folder, name)]
        case "probe":
            return [files.probe(folder, name)]
        case "training_side_probe":
            return [files.training_side_probe(folder, run.inference)]
        case "readouts":
            return [files.readouts(folder, run.inference)]
        case "tasks":
            return [files.tasks(folder, run.inference)]
        case "training":
            return [files.training_embeddings(folder, run.inference)]
        case "embeddings":
            return [files.embeddings(folder, run.view)]
        case "scores":
            return [files.scores(folder, run.view)]
        case "epochs":
            return [files.epochs(folder, run.inference)]
        case "adaptation":
            return [files.adaptation(folder)]
    raise AssertionError(need)
