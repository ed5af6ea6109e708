from debatch.files import Files
from debatch.screen.normalization import moments_of, normalization_statistics
from debatch.tabular import read_frame, write_frame
from door import job

with job(snakemake):
    index = read_frame(snakemake.input.index)
    moments, channels = moments_of(index, Files(*snakemake.params.place).stores(index["experiment"].unique()))
    statistics = normalization_statistics(index, moments, channels, snakemake.wildcards.variant)
    write_frame(statistics, snakemake.output[0])
