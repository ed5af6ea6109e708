from script import job  # first: it finds the package

import pandas as pd

from debatch.config.statistics import Statistics
from debatch.embed import held_by_few_classes, predict_under_each
from debatch.evaluate.many_statistics import (
    EVERY_IMAGE,
    count_statistics_images,
    score_label_shift,
    score_under_statistics,
)
from debatch.screen.subsets import images_in, scored_images
from debatch.tabular import write_frame
from trained import read_run

with job(snakemake) as log:
    run = read_run(snakemake)
    names, percents = (snakemake.params.statistics[key] for key in ("names", "classes"))
    tested = run.index[run.index["image_id"].isin(scored_images(run.split)) & run.index["label"].notna()]
    subsets = {EVERY_IMAGE: set(tested["image_id"])}
    for percent in percents:
        held = set(run.index.loc[held_by_few_classes(run.index, run.split, percent), "image_id"])
        subsets[Statistics(classes=percent).name] = subsets[EVERY_IMAGE] & held
    train_labels = run.index.loc[run.index["image_id"].isin(images_in(run.split, "train")), "label"].dropna()
    frames = [score_label_shift(tested, train_labels, subsets)]
    for name, groups, predictions in predict_under_each(
        run.network, run.images, names, run.split, run.recipe, run.batch_names
    ):
        counts = [(group.name, len(group.reference), len(group.images)) for group in groups]
        frames.append(count_statistics_images(name, counts))
        if predictions is None:
            log.info(
                "%s: not scored: the smallest batch or plate has %d such images",
                name,
                min(used for _, used, _ in counts),
            )
            continue
        # the same images under the statistics of all: what a mix of classes costs, and not how hard they are
        own = name if name in subsets else EVERY_IMAGE
        scored = subsets if name in ("train", "batch") else {own: subsets[own]}
        frames.append(score_under_statistics(name, predictions, run.index, scored))
        log.info("%s: accuracy %.1f %%", name, 100 * frames[-1].loc[0, "value"])
    write_frame(pd.concat(frames, ignore_index=True), snakemake.output[0])
