from debatch.files import Files
from debatch.report.style import save_figure
from debatch.report.umap import draw_umap
from debatch.tabular import read_frame
from door import job

with job(snakemake):
    params = snakemake.params
    embeddings = {
        title: read_frame(path) for title, path in zip(params.titles, snakemake.input.embeddings, strict=True)
    }
    title = params.figure["title"] + (" (simulated screen)" if params.simulated else "")
    figure, numbers = draw_umap(embeddings, title, params.figure["cell_type"])
    save_figure(figure, Files(*params.place), "figure6", numbers)
