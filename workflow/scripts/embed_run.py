from script import job  # first: it finds the package

from functools import partial

from debatch.embed.products import make_product
from debatch.evaluate.predictions import score_all
from debatch.files import Product
from debatch.tabular import write_frame
from trained import read_run

with job(snakemake) as log:
    run = read_run(snakemake)
    for told, paths in snakemake.params.products:
        product = Product(*told)
        # each is written before the next is made: the embeddings of a large screen fill much of the memory
        for path, (frame, about) in zip(
            paths, make_product(run, product, partial(score_all, index=run.index)), strict=True
        ):
            write_frame(frame, path, about)
        log.info("%s %s: done", product.kind, product.statistics)
