import numpy as np

from debatch.files import Files
from debatch.screen.normalization import normalization_statistics
from debatch.screen.store import channel_names, read_moments
from debatch.tabular import read_frame, write_frame
from door import job

with job(snakemake):
    index = read_frame(snakemake.input.index)
    stores = Files(*snakemake.params.place).stores(index["experiment"].unique())
    moments = {experiment: read_moments(stores[experiment]) for experiment in index["experiment"].unique()}
    # the index lists experiments one after the other, each in store order
    stacked = np.concatenate([moments[e][rows["store_row"]] for e, rows in index.groupby("experiment", sort=False)])
    channels = channel_names(next(iter(stores.values())))
    statistics = normalization_statistics(index, stacked, channels, snakemake.wildcards.variant)
    write_frame(statistics, snakemake.output[0])
