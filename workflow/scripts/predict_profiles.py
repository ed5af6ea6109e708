from script import job  # first: it finds the package

from threadpoolctl import threadpool_limits

from debatch.evaluate.embeddings import probe_predictions
from debatch.tabular import read_frame, write_frame

with job(snakemake), threadpool_limits(snakemake.threads):
    split = read_frame(snakemake.input.split)
    predictions = probe_predictions(read_frame(snakemake.input.embeddings), read_frame(snakemake.input.index), split)
    write_frame(predictions, snakemake.output[0])
