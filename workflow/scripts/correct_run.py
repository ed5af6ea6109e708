from script import job  # first: it finds the package

from pydantic import TypeAdapter
from threadpoolctl import threadpool_limits

from debatch.config.corrections import Correction
from debatch.correct.apply import correct_table
from debatch.evaluate.scores import Uncorrected
from debatch.files import Product
from debatch.tabular import read_about, read_frame, write_frame


def cosine(uncorrected, after, correction):
    from debatch.evaluate.embeddings import cosine_metrics

    return cosine_metrics(after)


def scores(uncorrected, after, correction):
    from debatch.evaluate.corrected import score_corrected

    return [score_corrected(uncorrected, after, correction)]


SCORED_BY = {"corrected_cosine": cosine, "corrected_scores": scores}

with job(snakemake) as log, threadpool_limits(snakemake.threads):
    before, about = read_frame(snakemake.input[0]), read_about(snakemake.input[0])
    uncorrected = Uncorrected(before)
    asked = [(Product(*told), paths) for told, paths in snakemake.params.products]
    for name in dict.fromkeys(product.correction for product, _ in asked):
        correction = TypeAdapter(Correction).validate_python(snakemake.params.corrections[name])
        after = correct_table(before, correction)
        for product, paths in asked:
            if product.correction == name and product.kind == "corrected":
                # the split that they are of goes on into every result
                write_frame(after, paths[0], {**about, "correction": name})
            elif product.correction == name:
                for frame, path in zip(SCORED_BY[product.kind](uncorrected, after, correction), paths, strict=True):
                    write_frame(frame, path)
        log.info("%s: done", name)
