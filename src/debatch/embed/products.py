"""What one look at a trained run makes for tables and figures: its weights are loaded once for all of it."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from debatch.embed.embed import Embedded, embed_images, snapshot_predictions
from debatch.embed.statistics import StatisticsGroup, statistics_groups, training_groups
from debatch.embed.trained import TrainedRun
from debatch.errors import DataError
from debatch.files import Files, Product
from debatch.screen.splits import split_sha256

log = logging.getLogger(__name__)


# predictions of a split's test images -> tidy metrics
Score = Callable[[pd.DataFrame], pd.DataFrame]


def make_product(run: TrainedRun, product: Product, score: Score) -> Iterator[tuple[pd.DataFrame, dict[str, str]]]:
    """The tables of a product, in the order of `product_files`, each with what its file says of itself.

    Args:
        run: loaded.
        product: a `view` (embeddings and predictions of the test images), `training` (embeddings of the training
            images) or `epochs` (metrics of the test images by the weights that were kept on the way).
        score: gives those metrics.

    Raises:
        DataError: test-time statistics would come from too few images; or weights that were kept are gone.
    """
    about = {"inference": product.statistics, "split_sha256": split_sha256(run.split)}
    if product.kind == "epochs":
        yield _epochs(run, statistics_groups(product.statistics, run.index, run.split, run.recipe), score), {}
    elif product.kind == "training":
        groups = training_groups(product.statistics, run.index, run.split, run.recipe)
        yield _embedded(run, groups).embeddings, about
    else:
        embedded = _embedded(run, statistics_groups(product.statistics, run.index, run.split, run.recipe))
        yield embedded.embeddings, about
        yield embedded.predictions, about


def _embedded(run: TrainedRun, groups: list[StatisticsGroup]) -> Embedded:
    return embed_images(run.network, run.images, groups, run.recipe, run.batch_names)


def _epochs(run: TrainedRun, groups: list[StatisticsGroup], score: Score) -> pd.DataFrame:
    every, last = run.recipe.snapshot_every, run.recipe.epochs
    epochs = [*range(every, last, every), last] if every else [last]
    folder = str(run.model.parent)
    paths = [Path(Files("", "").snapshot(folder, epoch)) for epoch in epochs[:-1]]
    for path in paths:
        if not path.exists():
            raise DataError(
                f"{path} is not there: train this run again (`snakemake -R train`), or set snapshot_every: 0"
            )
    frames = []
    for epoch, path in zip(epochs, [*paths, run.model], strict=True):
        scores = score(snapshot_predictions(path, run.images, groups, run.recipe, run.device))
        frames.append(scores.assign(epoch=epoch))
        log.info(
            "epoch %d: accuracy %.1f %% of %d test images", epoch, 100 * scores["value"].iloc[0], scores["n"].iloc[0]
        )
    return pd.concat(frames, ignore_index=True)
