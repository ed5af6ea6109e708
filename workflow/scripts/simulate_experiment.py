from pathlib import Path

from door import job

from debatch.config import SimulationConfig
from debatch.screen.simulate import write_experiment
from debatch.tabular import write_frame

with job(snakemake) as log:
    config = SimulationConfig(**snakemake.params.simulation)
    files = write_experiment(config, snakemake.wildcards.experiment, Path(snakemake.params.root))
    write_frame(files, snakemake.output[0])
    log.info("%s: %d simulated images of one channel", snakemake.wildcards.experiment, len(files))
