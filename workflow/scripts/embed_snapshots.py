from pathlib import Path

import pandas as pd

from debatch.embed import snapshot_accuracy, statistics_groups
from debatch.errors import DataError
from debatch.files import Files
from debatch.tabular import write_frame
from door import job
from trained import read_run

with job(snakemake) as log:
    where, files = snakemake.wildcards, Files(*snakemake.params.place)
    run = read_run(snakemake)
    every, last = run.recipe.snapshot_every, run.recipe.epochs
    epochs = [*range(every, last, every), last] if every else [last]
    paths = [Path(files.snapshot(files.run(where.method, where.split, where.seed), epoch)) for epoch in epochs[:-1]]
    for path in paths:
        if not path.exists():
            raise DataError(
                f"{path} is not there: train this run again (`snakemake -R train`), or set snapshot_every: 0"
            )
    groups = statistics_groups(where.inference, run.index, run.split, run.recipe)
    rows = []
    for epoch, path in zip(epochs, [*paths, Path(snakemake.input.model)], strict=True):
        rows.append((epoch, *snapshot_accuracy(path, run.images, groups, run.recipe, run.device)))
        log.info("epoch %d: accuracy %.1f %% of %d test images", epoch, 100 * rows[-1][1], rows[-1][2])
    write_frame(pd.DataFrame(rows, columns=["epoch", "accuracy", "n"]), snakemake.output[0])
