from debatch.embed import embed_images, statistics_groups
from debatch.screen.splits import split_sha256
from debatch.tabular import write_frame
from door import job
from trained import read_run

with job(snakemake):
    run = read_run(snakemake)
    groups = statistics_groups(snakemake.wildcards.inference, run.index, run.split, run.recipe)
    embedded = embed_images(run.network, run.images, groups, run.recipe, run.batch_names)
    about = {"inference": snakemake.wildcards.inference, "split_sha256": split_sha256(run.split)}
    write_frame(embedded.embeddings, snakemake.output.embeddings, about)
    write_frame(embedded.predictions, snakemake.output.predictions, about)
