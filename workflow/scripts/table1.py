import json
from pathlib import Path

import pandas as pd

from debatch.config import build_registry
from debatch.report.captions import HEADINGS
from debatch.report.published import Published
from debatch.report.table1 import make_table1, table_markdown
from debatch.tabular import write_frame, write_text
from door import job

with job(snakemake):
    registry = build_registry(snakemake.params.choice, Path(snakemake.params.base))
    runs = registry.runs("table1")
    metrics = {run: pd.read_csv(path) for run, path in zip(runs, snakemake.input.metrics, strict=True)}
    table = make_table1(registry, metrics, Published.read(Path(snakemake.input.published)))
    write_frame(table, snakemake.output.csv)
    write_text(table_markdown(table, registry, HEADINGS), snakemake.output.md)
    records = [json.loads((Path(path).parents[1] / "recipe.json").read_text()) for path in snakemake.input.metrics]
    write_text(json.dumps({"table": "table1", "runs": records}, indent=1) + "\n", snakemake.output.runs)
