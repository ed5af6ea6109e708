from script import job  # first: it finds the package

from debatch.evaluate.predictions import score_split
from debatch.tabular import read_frame, write_frame

with job(snakemake) as log:
    given = snakemake.input
    metrics = score_split(*(read_frame(path) for path in (given.predictions, given.index, given.split)))
    write_frame(metrics, snakemake.output[0])
    log.info("accuracy %.1f %% of %d test images", 100 * metrics.loc[0, "value"], metrics.loc[0, "n"])
