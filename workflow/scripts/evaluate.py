from debatch.evaluate.accuracy import score_predictions
from debatch.tabular import read_frame, write_frame
from door import job

with job(snakemake) as log:
    index, split = read_frame(snakemake.input.index), read_frame(snakemake.input.split)
    train = split.loc[split["subset"] == "train", "image_id"]
    training_batches = set(index.loc[index["image_id"].isin(set(train)), "batch"])
    metrics = score_predictions(read_frame(snakemake.input.predictions), index, training_batches)
    write_frame(metrics, snakemake.output[0])
    log.info("accuracy %.1f %% of %d test images", 100 * metrics.loc[0, "value"], metrics.loc[0, "n"])
