from pydantic import TypeAdapter
from threadpoolctl import threadpool_limits

from debatch.config.corrections import Correction
from debatch.correct.apply import correct_table
from debatch.errors import DataError
from debatch.evaluate.scores import score_embeddings, without_half
from debatch.tabular import read_frame, write_frame
from door import job


def fitted_without(table, correction, log):
    """The table corrected without one half of its negative controls, and without the other."""
    try:
        return [correct_table(without_half(table, half), correction) for half in (0, 1)]
    except DataError as error:
        log.warning("too few controls to hold half of them out, so that nothing is held against them: %s", error)
        return []


with job(snakemake) as log, threadpool_limits(snakemake.threads):
    before, after = read_frame(snakemake.input.before), read_frame(snakemake.input.after)
    held_out = None
    if snakemake.params.correction is not None:
        correction = TypeAdapter(Correction).validate_python(snakemake.params.correction)
        if correction.sees == "controls":
            held_out = fitted_without(before, correction, log)
    scores = score_embeddings(before, after, held_out)
    write_frame(scores, snakemake.output[0])
    for row in scores[scores["group"] == "all"].itertuples():
        log.info("%s: %.4g", row.metric, row.value)
