from script import job  # first: it finds the package

from threadpoolctl import threadpool_limits

from debatch.config.splits import Splits
from debatch.evaluate.tasks import task_scores
from debatch.tabular import read_frame, write_frame

with job(snakemake) as log, threadpool_limits(snakemake.threads):
    given = snakemake.input
    frames = (read_frame(path) for path in (given.training, given.scored, given.index, given.split))
    found = task_scores(*frames, Splits(tasks=snakemake.params.tasks))
    for row in found[found["metric"].isin(["task_f1", "ood_f1"])].itertuples():
        log.info("%s %s %s: %.3f", row.metric, row.part, row.task, row.value)
    write_frame(found, snakemake.output[0])
