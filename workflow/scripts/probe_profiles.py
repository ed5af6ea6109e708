from script import job  # first: it finds the package

from threadpoolctl import threadpool_limits

from debatch.config.splits import Split
from debatch.evaluate.embeddings import seen_batch_probes, unseen_batch_probes
from debatch.screen.subsets import images_in, scored_images
from debatch.tabular import read_frame, write_frame

with job(snakemake), threadpool_limits(snakemake.threads):
    index, split = read_frame(snakemake.input.index), read_frame(snakemake.input.split)
    table = read_frame(snakemake.input.embeddings)
    train, test = (
        table[table["Metadata_Image"].isin(ids)] for ids in (images_in(split, "train"), scored_images(split))
    )
    if Split.named(snakemake.wildcards.split).has_unseen_batches:
        tested = index[index["image_id"].isin(set(test["Metadata_Image"]))]
        probes = unseen_batch_probes(test, tested)
    else:
        probes = seen_batch_probes(train, test)
    write_frame(probes, snakemake.output[0])
