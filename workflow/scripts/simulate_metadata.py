from debatch.config import SimulationConfig
from debatch.screen.simulate.experiment import plate_layouts
from debatch.tabular import write_frame
from door import job

with job(snakemake):
    write_frame(plate_layouts(SimulationConfig(**snakemake.params.simulation)), snakemake.output[0])
