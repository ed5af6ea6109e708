from script import job  # first: it finds the package

from pathlib import Path

from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.explorer.page import write_explorer

with job(snakemake) as log:
    registry = build_registry(snakemake.params.choice, Path(snakemake.params.base))
    count = write_explorer(registry, Files(registry.results, registry.name))
    log.info("explorer, %d looks at embeddings: open %s in a browser", count, Path(snakemake.output[0]).resolve())
