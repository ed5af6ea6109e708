from debatch.embed import embed_images, training_groups
from debatch.screen.splits import split_sha256
from debatch.tabular import write_frame
from door import job
from trained import read_run

with job(snakemake):
    run = read_run(snakemake)
    groups = training_groups(snakemake.wildcards.inference, run.index, run.split, run.recipe)
    embedded = embed_images(run.network, run.images, groups, run.recipe, run.batch_names)
    about = {"inference": snakemake.wildcards.inference, "split_sha256": split_sha256(run.split)}
    write_frame(embedded.embeddings, snakemake.output[0], about)
