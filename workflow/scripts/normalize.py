from script import job  # first: it finds the package

from debatch.files import Files
from debatch.screen.normalization import moments_of, normalization_statistics
from debatch.tabular import read_frame, write_frame

with job(snakemake):
    index = read_frame(snakemake.input.index)
    moments, channels = moments_of(index, Files(*snakemake.params.results).stores(index["experiment"].unique()))
    statistics = normalization_statistics(index, moments, channels, snakemake.wildcards.variant)
    write_frame(statistics, snakemake.output[0])
