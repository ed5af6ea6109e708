from threadpoolctl import threadpool_limits

from debatch.evaluate.embeddings import unseen_batch_probes, without_first_half
from debatch.tabular import read_frame, write_frame
from door import job

with job(snakemake), threadpool_limits(snakemake.threads):
    embeddings = read_frame(snakemake.input[0])
    if snakemake.wildcards.inference == "train":  # under `half` the other half is not there already
        embeddings = without_first_half(embeddings)
    write_frame(unseen_batch_probes(embeddings), snakemake.output[0])
