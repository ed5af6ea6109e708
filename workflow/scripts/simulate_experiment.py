from script import job  # first: it finds the package

from pathlib import Path

from debatch.config import SimulationConfig
from debatch.files import Files
from debatch.screen.simulate.experiment import write_experiment
from debatch.tabular import write_frame

with job(snakemake) as log:
    config = SimulationConfig(**snakemake.params.simulation)
    files = write_experiment(config, snakemake.wildcards.experiment, Path(Files(*snakemake.params.results).raw_root()))
    write_frame(files, snakemake.output[0])
    log.info("%s: %d simulated images of one channel", snakemake.wildcards.experiment, len(files))
