from script import job  # first: it finds the package

from pathlib import Path

from debatch.config.screen import PlateFormat
from debatch.files import Files
from debatch.report.ome_zarr import part_of_plate, write_plates
from debatch.report.plate_format import plate_shape
from debatch.screen import open_screen
from debatch.tabular import read_frame, write_frame

with job(snakemake) as log:
    files = Files(*snakemake.params.results)
    chosen = snakemake.wildcards.chosen
    stated = PlateFormat(**snakemake.params.plate_format)
    index = read_frame(snakemake.input.index)
    screen = open_screen(files.root, part_of_plate(index, chosen))
    plates = write_plates(screen, chosen, Path(files.ome_zarr(chosen)).parent, plate_shape(index["well"], stated))
    write_frame(plates, snakemake.output[0])
    log.info("%d plates below %s", len(plates), Path(files.ome_zarr(chosen)).parent.resolve())
