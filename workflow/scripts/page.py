from script import job  # first: it finds the package

from pathlib import Path

from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.page.html import build_report
from debatch.tabular import write_text

with job(snakemake) as log:
    registry = build_registry(snakemake.params.choice, Path(snakemake.params.base))
    registry = registry.of_page(snakemake.wildcards.page)
    write_text(build_report(registry, Files(registry.results, registry.name)), snakemake.output[0])
    log.info("the tables and figures of the paper: %s", Path(snakemake.output[0]).resolve())
