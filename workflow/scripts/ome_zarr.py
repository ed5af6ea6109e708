from script import job  # first: it finds the package

from pathlib import Path

from debatch.files import Files
from debatch.report.ome_zarr import part_of_plate, write_plates
from debatch.screen import open_screen
from debatch.tabular import read_frame, write_frame

with job(snakemake) as log:
    files = Files(*snakemake.params.results)
    chosen = snakemake.wildcards.chosen
    part = part_of_plate(read_frame(snakemake.input.index), chosen)
    plates = write_plates(open_screen(files.root, part), chosen, Path(files.ome_zarr(chosen)).parent)
    write_frame(plates, snakemake.output[0])
    log.info("%d plates below %s", len(plates), Path(files.ome_zarr(chosen)).parent.resolve())
