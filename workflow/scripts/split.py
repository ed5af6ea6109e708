from script import job  # first: it finds the package

from debatch.config.splits import Splits
from debatch.screen.splits import make_split, split_sha256
from debatch.tabular import read_frame, write_frame

with job(snakemake) as log:
    name = snakemake.wildcards.split
    split = make_split(name, read_frame(snakemake.input.index), Splits(**snakemake.params.splits))
    digest = split_sha256(split)
    write_frame(split, snakemake.output[0], {"sha256": digest})
    counts = ", ".join(f"{count} {subset}" for subset, count in split["subset"].value_counts().items())
    log.info("%s: %s, sha256 %s", name, counts, digest[:12])
