from script import job  # first: it finds the package

from pathlib import Path

from debatch.config import Screen
from debatch.files import Files
from debatch.screen.flags import too_few_words
from debatch.screen.index import build_index, index_facts
from debatch.screen.ingest.attributes import refuse_other_processing
from debatch.screen.metadata import read_catalogue
from debatch.screen.names.spelling import doubtful_names
from debatch.screen.nouns import stored_noun
from debatch.screen.origin import metadata_tables
from debatch.tabular import write_frame

with job(snakemake) as log:
    screen = Screen(**snakemake.params.screen)
    files = Files(*snakemake.params.results)
    tables = metadata_tables(screen, files)
    catalogue = read_catalogue(screen, tables, snakemake.params.experiments) if tables else None
    refuse_other_processing(screen, files.stores(snakemake.params.experiments))
    ingested = [Path(path) for path in snakemake.input.rows]
    index = build_index(ingested, catalogue, screen.qc)
    for sentence in doubtful_names(index, screen.missing):
        log.warning("%s", sentence)
    write_frame(index, snakemake.output[0], index_facts(ingested, snakemake.params.metadata_sha256))
    log.info(
        "%d images of %d classes in %d batches; %d are flagged",
        len(index),
        index["label"].nunique(),
        index["batch"].nunique(),
        (index["qc_flags"] != "").sum(),
    )
    if few := too_few_words(index["experiment"], stored_noun(screen)):
        log.info("%s", few)
