from script import job  # first: it finds the package

import pandas as pd

from debatch.config import SimulationConfig
from debatch.screen.simulate.experiment import plate_layouts
from debatch.tabular import write_frame

with job(snakemake):
    layouts = [plate_layouts(SimulationConfig(**simulation)) for simulation in snakemake.params.simulations]
    write_frame(pd.concat(layouts, ignore_index=True), snakemake.output[0])
