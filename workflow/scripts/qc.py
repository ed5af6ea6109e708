from script import job  # first: it finds the package

from debatch.config.figures import FigureStyle
from debatch.files import Files
from debatch.report.qc import draw_qc
from debatch.report.style import save_figure
from debatch.screen.store import ImageReader, channel_names
from debatch.tabular import read_frame

with job(snakemake):
    style, simulated = FigureStyle(**snakemake.params.drawn["style"]), snakemake.params.drawn["simulated"]
    files = Files(*snakemake.params.results)
    index = read_frame(snakemake.input.index)
    stores = files.stores(index["experiment"].unique())
    reader = ImageReader(stores, snakemake.threads)
    # one experiment speaks for its part
    firsts = index.drop_duplicates("part").set_index("part")["experiment"]
    channels = {part: channel_names(stores[experiment]) for part, experiment in firsts.items()}
    figure, numbers = draw_qc(index, lambda row: reader.read(row.to_frame().T)[0], channels, snakemake.params.title)
    save_figure(figure, files, "qc", numbers, style, simulated=simulated)
