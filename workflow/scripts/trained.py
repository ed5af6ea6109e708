"""What every job reads that looks at images through a trained model."""

from pathlib import Path

from debatch.config.recipe import Recipe
from debatch.embed.trained import TrainedRun
from debatch.embed.trained import read_run as read
from debatch.files import Files


def read_run(snakemake) -> TrainedRun:
    """The run of a job's input."""
    recipe, files = Recipe(**snakemake.params.recipe), Files(*snakemake.params.results)
    tables = {name: getattr(snakemake.input, name) for name in ("index", "split", "normalization")}
    return read(Path(snakemake.input.model), recipe, files, tables, snakemake.threads, snakemake.resources.gpu)
