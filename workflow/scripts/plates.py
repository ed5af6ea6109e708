from script import job  # first: it finds the package

from debatch.config.figures import FigureStyle
from debatch.config.screen import PlateFormat
from debatch.files import Files
from debatch.report.plates import MEASURES, draw_plates, plate_table
from debatch.report.style import save_figure
from debatch.tabular import read_frame

with job(snakemake):
    style, simulated = FigureStyle(**snakemake.params.drawn["style"]), snakemake.params.drawn["simulated"]
    stated = PlateFormat(**snakemake.params.plate_format)
    files = Files(*snakemake.params.results)
    table = plate_table(read_frame(snakemake.input.index))
    for measure in MEASURES:
        figure = draw_plates(table, measure, snakemake.params.title, stated)
        numbers = table.drop(columns=[other for other in MEASURES if other != measure])
        save_figure(figure, files, f"plates_{measure}", numbers, style, simulated=simulated)
