"""A training job as data: all that a run is made from, to be started by a workflow, by torchrun, or by hand.

`python -m debatch.jobs.job job.json` trains the run of a file that `TrainingJob.write` made.
"""

import json
import logging
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch

from debatch.config.recipe import Recipe
from debatch.config.splits import Split
from debatch.digests import sha256_of_file
from debatch.errors import DataError
from debatch.files import Files
from debatch.jobs.finished import keep_finished, take_finished
from debatch.jobs.record import record_of, write_record
from debatch.learn.data import training_data
from debatch.learn.identity import code_digest
from debatch.learn.train import Trainer, TrainingFiles
from debatch.model.inputs import ImageSet, channels_seen
from debatch.model.network import Network
from debatch.model.weights import model_facts, save_weights
from debatch.runtime.checkpoint import checkpoint_of, finished_of
from debatch.runtime.devices import describe_device
from debatch.runtime.pauses import Pauses
from debatch.runtime.ranks import ALONE, Ranks
from debatch.screen.index import of_parts
from debatch.screen.splits import split_sha256
from debatch.screen.store import ImageReader
from debatch.tabular import read_about, read_frame, write_text
from debatch.versions import versions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingJob:
    """What one run is trained from, and with.

    Attributes:
        results: the folder of all results and the screen's name, which `Files` is made of.
        index: path of the screen's images.
        split: path of the split.
        normalization: path of the statistics that standardise images.
        model: path of the weights to write; checkpoints, history, record and kept weights become its siblings.
        recipe: resolved.
        start: path of the trained weights that it starts with, where the recipe names a method for that.
        method: its name.
        split_name: of the split.
        seed: of the run.
        threads: CPU threads of the whole job.
        gpus: devices to train on; 0: the CPU.
        runtime_minutes: the job's time limit, to which a scheduler holds it.
    """

    results: tuple[str, str]
    index: str
    split: str
    normalization: str
    model: str
    recipe: dict[str, Any]
    method: str
    split_name: str
    seed: int
    threads: int
    gpus: int
    runtime_minutes: float
    start: str | None = None

    @property
    def name(self) -> str:
        """Of the run, in messages."""
        return f"{self.method}/{self.split_name}/seed{self.seed}"

    @property
    def folder(self) -> Path:
        """The run's."""
        return Path(self.model).parent

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(json.dumps(asdict(self), indent=2) + "\n", path)

    @classmethod
    def read(cls, path: Path) -> "TrainingJob":
        """The job of a file of `write`.

        Raises:
            DataError: it is not one.
        """
        try:
            fields = json.loads(path.read_text())
            return cls(**{**fields, "results": tuple(fields["results"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: cannot be read as a training job: {error}") from None


def train_run(job: TrainingJob, device: torch.device, pauses: Pauses, ranks: Ranks = ALONE) -> None:
    """One process's part of a run: train it to its end, and write its weights and record; only once.

    Args:
        job: what is trained.
        device: this process's.
        pauses: the job's clock.
        ranks: the processes that train it together.

    Raises:
        DataError: the images or the loss are not usable.
        OutOfTimeError: the time limit is near; the checkpoint is of its last step.
    """
    threads = max(1, job.threads // ranks.count)
    torch.set_num_threads(threads)
    recipe, model = Recipe(**job.recipe), Path(job.model)
    index, split = read_frame(job.index), read_frame(job.split)
    data = training_data(
        of_parts(index, recipe.parts), split, recipe.shuffle_labels, job.seed, recipe.learn_from, recipe.label
    )
    files = Files(*job.results)
    stores = files.stores(data.rows["experiment"].unique())
    reader, statistics = ImageReader(stores, threads), read_frame(job.normalization)
    images = ImageSet(data.rows, statistics, reader, device, channels_seen(recipe, data.rows, reader))
    channels, sets = list(images.channels), images.channel_sets if recipe.names_channels else []
    made_from = {"pixels_sha256": read_about(job.index).get("pixels_sha256"), "channels": sets or channels}
    started = recipe.model_copy(update={"weights": job.start}) if job.start else recipe
    trainer = Trainer(started, data, images, job.seed, job.name, ranks, made_from)
    code = code_digest(recipe.objective.kind, recipe.stem.kind)
    made_by = {"identity": trainer.identity, "precision": trainer.precision, "code": code}
    split_digest = split_sha256(split)
    if ranks.from_first(lambda: take_finished(model, made_by, split_digest, recipe.precision)):
        log.info(
            "%s: trained already, with the same settings, data and code: its weights are used again; remove %s to "
            "train anew", job.name, finished_of(model),
        )  # fmt: skip
        return
    facts = model_facts(recipe, channels, data.classes, data.batch_names, channel_sets=sets)

    def keep(epoch: int, network: Network) -> None:
        save_weights(network, Path(files.snapshot(str(job.folder), epoch)), facts)

    snapshot = keep if Split.named(job.split_name).keeps_snapshots else None
    trainer.fit(TrainingFiles(model.with_name("history.csv"), checkpoint_of(model), snapshot), pauses)
    if ranks.first:
        # the weights last: they are what says that the run is done
        write_record(record_of(model), _record(job, trainer, split_digest))
        whole = model_facts(recipe, channels, data.classes, data.batch_names, made_by, sets)
        save_weights(trainer.network, model, whole)
        keep_finished(model)


def _record(job: TrainingJob, trainer: Trainer, split_digest: str) -> dict[str, Any]:
    seconds, rates = ([row[column] for row in trainer.history] for column in ("seconds", "images_per_second"))
    return {
        "screen": job.results[1],
        "method": job.method,
        "split": job.split_name,
        "seed": job.seed,
        "recipe": Recipe(**job.recipe).model_dump(),
        **({"start_sha256": sha256_of_file(job.start)} if job.start else {}),
        "precision": trainer.precision,
        "split_sha256": split_digest,
        **versions(),
        "hardware": describe_device(trainer.device),
        "devices": trainer.ranks.count,
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "starts": trainer.starts,
        "wall_seconds": round(sum(seconds), 1),
        "images_per_second": round(median(rates), 1) if rates else None,
        "optimizer_steps": trainer.steps,
        "parameters": sum(parameter.numel() for parameter in trainer.objective.parameters()),
        "started": trainer.starts[0]["started"],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    from debatch.jobs.launch import main

    sys.exit(main(Path(sys.argv[1])))
