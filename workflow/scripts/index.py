from pathlib import Path

from debatch.config import Screen
from debatch.files import Files
from debatch.screen.index import build_index
from debatch.screen.metadata import read_catalogue
from debatch.screen.origin import metadata_tables
from debatch.tabular import write_frame
from door import job

with job(snakemake) as log:
    screen = Screen(**snakemake.params.screen)
    files = Files(*snakemake.params.place)
    tables = metadata_tables(screen, files)
    catalogue = read_catalogue(screen, tables, snakemake.params.experiments) if tables else None
    index = build_index([Path(path) for path in snakemake.input.rows], catalogue, screen.qc)
    about = {"metadata_sha256": snakemake.params.metadata_sha256 or ""}
    write_frame(index, snakemake.output[0], about)
    log.info(
        "%d images of %d classes in %d batches; %d are flagged",
        len(index),
        index["label"].nunique(),
        index["batch"].nunique(),
        (index["qc_flags"] != "").sum(),
    )
