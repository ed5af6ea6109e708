from threadpoolctl import threadpool_limits

from debatch.evaluate.scores import score_embeddings
from debatch.tabular import read_frame, write_frame
from door import job

with job(snakemake) as log, threadpool_limits(snakemake.threads):
    scores = score_embeddings(read_frame(snakemake.input.before), read_frame(snakemake.input.after))
    write_frame(scores, snakemake.output[0])
    for row in scores[scores["group"] == "all"].itertuples():
        log.info("%s: %.4g", row.metric, row.value)
