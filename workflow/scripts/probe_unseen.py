from threadpoolctl import threadpool_limits

from debatch.evaluate.embeddings import unseen_batch_probes
from debatch.screen.splits import scored_subset
from debatch.tabular import read_frame, write_frame
from door import job

with job(snakemake), threadpool_limits(snakemake.threads):
    index, split = read_frame(snakemake.input.index), read_frame(snakemake.input.split)
    tested = index[index["image_id"].isin(set(split.loc[split["subset"] == scored_subset(split), "image_id"]))]
    write_frame(unseen_batch_probes(read_frame(snakemake.input.embeddings), tested), snakemake.output[0])
