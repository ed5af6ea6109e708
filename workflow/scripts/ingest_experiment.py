from script import job  # first: it finds the package

from pathlib import Path

from debatch.config import Screen
from debatch.files import Files
from debatch.screen.ingest.experiment import ingest_experiment, pixels_digest
from debatch.screen.metadata import read_catalogue
from debatch.screen.origin import metadata_tables, raw_source
from debatch.tabular import write_frame

with job(snakemake):
    screen = Screen(**snakemake.params.screen)
    files = Files(*snakemake.params.results)
    experiment = snakemake.wildcards.experiment
    tables = metadata_tables(screen, files)
    catalogue = read_catalogue(screen, tables, [experiment]) if tables else None
    store = Path(files.store(experiment))
    rows = ingest_experiment(
        screen,
        raw_source(screen, files),
        experiment,
        catalogue,
        store=store,
        problems_file=Path(snakemake.log.problems),
        threads=snakemake.threads,
        part=snakemake.params.part,
    )
    write_frame(rows, snakemake.output.rows, {"pixels_sha256": pixels_digest(store)})
