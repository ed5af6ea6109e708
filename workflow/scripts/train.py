from script import job  # first: it finds the package

from debatch.jobs.job import TrainingJob
from debatch.jobs.launch import run_training

with job(snakemake):
    run_training(
        TrainingJob(
            results=tuple(snakemake.params.results),
            index=snakemake.input.index,
            split=snakemake.input.split,
            normalization=snakemake.input.normalization,
            model=snakemake.output[0],
            recipe=snakemake.params.recipe,
            method=snakemake.wildcards.method,
            split_name=snakemake.wildcards.split,
            seed=int(snakemake.wildcards.seed),
            threads=snakemake.threads,
            gpus=snakemake.resources.gpu,
            runtime_minutes=snakemake.resources.runtime,
            start=next(iter(snakemake.input.start), None),
        )
    )
