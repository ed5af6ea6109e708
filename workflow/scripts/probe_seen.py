from threadpoolctl import threadpool_limits

from debatch.evaluate.embeddings import seen_batch_probes
from debatch.tabular import read_frame, write_frame
from door import job

with job(snakemake), threadpool_limits(snakemake.threads):
    probes = seen_batch_probes(read_frame(snakemake.input.train), read_frame(snakemake.input.test))
    write_frame(probes, snakemake.output[0])
