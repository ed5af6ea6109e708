from script import job  # first: it finds the package

import json
from pathlib import Path

from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.cells import laid_out, record_origins, tidy
from debatch.report.kinds.tables import draft_table
from debatch.report.published import Published
from debatch.report.results import Results
from debatch.tabular import write_frame, write_text

with job(snakemake):
    name = snakemake.wildcards.table
    registry = build_registry(snakemake.params.choice, Path(snakemake.params.base))
    results = Results(registry, Files(registry.results, registry.name))
    draft = draft_table(name, results)
    table = tidy(draft, name, registry, Published.read(Path(snakemake.input.published)))
    write_frame(table, snakemake.output.csv)
    write_text(laid_out(name, draft, registry), snakemake.output.md)
    runs = results.records(registry.runs(name))
    record = {"table": name, "runs": runs, "made_from": record_origins(draft)}
    write_text(json.dumps(record, indent=1) + "\n", snakemake.output.runs)
