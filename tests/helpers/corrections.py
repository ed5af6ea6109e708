"""Made-up scores of corrected embeddings."""

import numpy as np
import pandas as pd

from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.results import Results
from debatch.screen.splits import make_split
from debatch.tabular import write_frame
from helpers.images import make_index

ACROSS = "replicate_across_batches"


WEAK = "weak_separability"


def changed(metric, by, error):
    return {metric: BEFORE[metric] + by, f"{metric}_change": (by, error)}


def scores(**values):
    """A file of scores, by batch alike, and so sure; a change by its value and standard error, of 20 degrees of
    freedom."""
    nothing = dict.fromkeys(("low", "high", "error", "freedom"), np.nan)
    rows = []
    for metric, value in values.items():
        every = {"metric": metric, "subset": "all", "cell_type": "", "batch": "", "value": value, **nothing, "n": 40}
        if metric.endswith("_change"):
            change, error = value
            rows.append({**every, "value": change, "error": error, "freedom": 20})
        else:
            rows.append({**every, "low": value, "high": value, "error": 0.0, "freedom": 3})
            rows += [{**every, "cell_type": kind, "batch": f"B{n}", "n": 20} for n in range(4) for kind in ("", "C")]
    return pd.DataFrame(rows)


BEFORE = {
    "kbet": 0.1, "neighbor_same_batch": 0.8, "neighbor_same_batch_chance": 0.2, "replicate_across_batches": 0.5,
    "replicate_map": 0.6, "grit": 3.0, "separability": 0.95, "weak_separability": 0.8, "nsc": np.nan,
    "positive_control_retention": 1.0,
}  # fmt: skip


def scored_corrections(root, path, given=None, screen="demo"):
    """A screen's runs with made-up scores: a correction has those that are given, else those from before."""
    registry = build_registry({"screen": str(screen), "results": str(path)}, root)
    files = Files(registry.results, registry.name)
    index = make_index(experiments=9, wells=8, sites=2)
    write_frame(index, files.index())
    for name in registry.screen.splits.names[:1]:
        config = registry.screen.splits.model_copy(update={"test_batches": None})
        write_frame(make_split(name, index, config), files.split(name))
    for run in registry.runs("table_correction"):
        values = {**BEFORE, **(given or {}).get((run.method, run.correction), {})}
        write_frame(scores(**values), files.scores(files.folder(run), run.view))
    return Results(registry, files)
