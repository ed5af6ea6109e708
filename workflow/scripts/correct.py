from pydantic import TypeAdapter
from threadpoolctl import threadpool_limits

from debatch.config.corrections import Correction
from debatch.correct.apply import correct_table
from debatch.tabular import read_about, read_frame, write_frame
from door import job

with job(snakemake), threadpool_limits(snakemake.threads):
    correction = TypeAdapter(Correction).validate_python(snakemake.params.correction)
    corrected = correct_table(read_frame(snakemake.input[0]), correction)
    # the split that they are of goes on into every result
    about = {**read_about(snakemake.input[0]), "correction": snakemake.wildcards.correction}
    write_frame(corrected, snakemake.output[0], about)
