from threadpoolctl import threadpool_limits

from debatch.evaluate.embeddings import cosine_metrics
from debatch.tabular import read_frame, write_frame
from door import job

with job(snakemake) as log, threadpool_limits(snakemake.threads):
    numbers, histograms = cosine_metrics(read_frame(snakemake.input[0]))
    write_frame(histograms, snakemake.output.histograms)
    write_frame(numbers, snakemake.output.numbers)
    for row in numbers[numbers["subset"] == "all"].itertuples():
        log.info("%s: %.4g", row.metric, row.value)
