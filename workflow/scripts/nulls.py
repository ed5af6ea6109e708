from script import job  # first: it finds the package

from debatch.evaluate.nulls import score_nulls
from debatch.screen.subsets import scored_subset
from debatch.tabular import read_frame, write_frame

with job(snakemake):
    split = read_frame(snakemake.input.split)
    train, test = (split.loc[split["subset"] == subset, "image_id"] for subset in ("train", scored_subset(split)))
    write_frame(score_nulls(read_frame(snakemake.input.index), train, test), snakemake.output[0])
