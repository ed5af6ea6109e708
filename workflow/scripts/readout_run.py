from script import job  # first: it finds the package

from threadpoolctl import threadpool_limits

from debatch.evaluate.readouts import readout_scores
from debatch.evaluate.tidy import of_all
from debatch.tabular import read_frame, write_frame

with job(snakemake) as log, threadpool_limits(snakemake.threads):
    found = readout_scores(read_frame(snakemake.input.training), read_frame(snakemake.input.test))
    for row in of_all(found[found["subset"] == "all"]).itertuples():
        log.info("%s: %.4g", row.metric, row.value)
    write_frame(found, snakemake.output[0])
