from script import job  # first: it finds the package

from pathlib import Path

from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.explorer.explore import write_explorer

with job(snakemake) as log:
    registry = build_registry(snakemake.params.choice, Path(snakemake.params.base))
    write_explorer(registry, Files(registry.results, registry.name))
    log.info("open %s in a browser", Path(snakemake.output[0]).resolve())
