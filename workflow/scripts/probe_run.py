from script import job  # first: it finds the package

from threadpoolctl import threadpool_limits

from debatch.evaluate.embeddings import seen_batch_probes, unseen_batch_probes
from debatch.screen.subsets import scored_images
from debatch.tabular import read_frame, write_frame

with job(snakemake), threadpool_limits(snakemake.threads):
    embeddings = read_frame(snakemake.input.embeddings)
    if snakemake.input.training:
        probes = seen_batch_probes(read_frame(snakemake.input.training), embeddings)
    else:
        index, split = read_frame(snakemake.input.index), read_frame(snakemake.input.split)
        probes = unseen_batch_probes(embeddings, index[index["image_id"].isin(scored_images(split))])
    write_frame(probes, snakemake.output[0])
