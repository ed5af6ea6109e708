from script import job  # first: it finds the package

from pathlib import Path

from debatch.files import Files
from debatch.report.explorer.thumbnails import write_thumbnails
from debatch.screen.store import ImageReader
from debatch.tabular import read_frame

with job(snakemake) as log:
    files = Files(*snakemake.params.results)
    index = read_frame(snakemake.input.index)
    reader = ImageReader(files.stores(index["experiment"].unique()), snakemake.threads)
    path = Path(snakemake.output[0])
    count = write_thumbnails(index, snakemake.wildcards.experiment, reader, snakemake.params.size, path)
    log.info("%d small pictures below %s", count, path.parent.resolve())
