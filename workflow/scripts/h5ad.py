from script import job  # first: it finds the package

from debatch.report.h5ad import write_h5ad
from debatch.tabular import read_about, read_frame

with job(snakemake) as log:
    table = read_frame(snakemake.input[0])
    about = {**read_about(snakemake.input[0]), "table": str(snakemake.input[0])}
    write_h5ad(table, snakemake.output[0], about)
    log.info("%d embeddings in %s", len(table), snakemake.output[0])
