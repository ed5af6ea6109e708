from script import job  # first: it finds the package

from threadpoolctl import threadpool_limits

from debatch.files import Product
from debatch.tabular import read_frame, write_frame


def metrics(log):
    from debatch.evaluate.predictions import score_split

    given = snakemake.input
    accuracies = score_split(*(read_frame(path) for path in (given.predictions, given.index, given.split)))
    log.info("accuracy %.1f %% of %d test images", 100 * accuracies.loc[0, "value"], accuracies.loc[0, "n"])
    return [accuracies]


def cosine(log):
    from debatch.evaluate.embeddings import cosine_metrics

    numbers, histograms = cosine_metrics(read_frame(snakemake.input.embeddings))
    for row in numbers[numbers["subset"] == "all"].itertuples():
        log.info("%s: %.4g", row.metric, row.value)
    return [numbers, histograms]


def scores(log):
    from debatch.evaluate.scores import score_embeddings
    from debatch.evaluate.tidy import of_all

    table = read_frame(snakemake.input.embeddings)
    found = score_embeddings(table, table)
    for row in of_all(found).itertuples():
        log.info("%s: %.4g", row.metric, row.value)
    return [found]


MADE_BY = {"metrics": metrics, "cosine": cosine, "scores": scores}

with job(snakemake) as log, threadpool_limits(snakemake.threads):
    for product, paths in snakemake.params.products:
        for frame, path in zip(MADE_BY[Product(*product).kind](log), paths, strict=True):
            write_frame(frame, path)
