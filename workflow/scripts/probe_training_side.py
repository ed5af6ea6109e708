from script import job  # first: it finds the package

from threadpoolctl import threadpool_limits

from debatch.evaluate.embeddings import training_side_probes
from debatch.tabular import read_frame, write_frame

with job(snakemake), threadpool_limits(snakemake.threads):
    given = snakemake.input
    probes = training_side_probes(*(read_frame(path) for path in (given.training, given.validation, given.index)))
    write_frame(probes, snakemake.output[0])
