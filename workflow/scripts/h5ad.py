from pyarrow.parquet import read_schema

from debatch.report.h5ad import write_h5ad
from debatch.tabular import read_frame
from door import job

with job(snakemake) as log:
    table = read_frame(snakemake.input[0])
    kept = read_schema(snakemake.input[0]).metadata or {}
    # what the Parquet file says of itself, but for its own columns' types
    about = {key.decode(): value.decode() for key, value in kept.items() if key not in {b"pandas", b"ARROW:schema"}}
    write_h5ad(table, snakemake.output[0], {**about, "table": str(snakemake.input[0])})
    log.info("%d embeddings in %s", len(table), snakemake.output[0])
