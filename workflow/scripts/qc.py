from debatch.files import Files
from debatch.report.qc import draw_qc
from debatch.report.style import save_figure
from debatch.screen.store import ImageReader, channel_names
from debatch.tabular import read_frame
from door import job

with job(snakemake):
    files = Files(*snakemake.params.place)
    index = read_frame(snakemake.input.index)
    stores = files.stores(index["experiment"].unique())
    reader = ImageReader(stores, snakemake.threads)
    figure, numbers = draw_qc(
        index,
        lambda row: reader.read(row.to_frame().T)[0],
        channel_names(next(iter(stores.values()))),
        snakemake.params.title,
    )
    save_figure(figure, files, "qc", numbers)
