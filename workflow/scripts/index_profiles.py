from script import job  # first: it finds the package

from pathlib import Path

from debatch.files import FORMAT
from debatch.registry import build_registry
from debatch.screen.names.spelling import doubtful_names
from debatch.screen.profiles.index import index_profiles
from debatch.tabular import write_frame

with job(snakemake) as log:
    # the whole registry: which columns the screen's file names, and which it leaves out, is not in a param
    screen = build_registry(snakemake.params.choice, Path(snakemake.params.base)).screen
    index = index_profiles(screen)
    for sentence in doubtful_names(index, screen.missing):
        log.warning("%s", sentence)
    about = {"format": str(FORMAT), "metadata_sha256": snakemake.params.metadata_sha256 or ""}
    write_frame(index, snakemake.output[0], about)
    counts = len(index), index["label"].nunique(), index["batch"].nunique()
    log.info("%d profiles of %d perturbations in %d batches", *counts)
