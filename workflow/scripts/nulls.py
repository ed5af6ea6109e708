from script import job  # first: it finds the package

from debatch.evaluate.nulls import score_nulls
from debatch.screen.subsets import images_in, scored_images
from debatch.tabular import read_frame, write_frame

with job(snakemake):
    split = read_frame(snakemake.input.split)
    train, test = images_in(split, "train"), scored_images(split)
    write_frame(score_nulls(read_frame(snakemake.input.index), train, test), snakemake.output[0])
