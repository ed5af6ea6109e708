"""How far cosine similarities across batches are from those within (Table S3)."""

import numpy as np
import pandas as pd

from debatch.report.results import Results
from debatch.report.tables.cells import Cell, Draft

MEASURES = {
    "ks_same_perturbation": "KS, same perturbation",
    "ks_different_perturbation": "KS, different perturbations",
    "wasserstein_same_perturbation": "Wasserstein, same perturbation",
    "wasserstein_different_perturbation": "Wasserstein, different perturbations",
}
OTHER_WELLS = "_other_wells"


def draft(name: str, results: Results) -> Draft:
    """Table S3 of the RxRx1 paper; below each method the same without pairs of two images of one well."""
    registry = results.registry
    spec = registry.tables[name]
    split = next(split for split in spec.splits if split in registry.screen.splits.names)
    rows, cells = {}, {}
    for method in spec.methods:
        frames = results.by_seed("cosine", name, method, split)
        for suffix, subset, title in (("", "all", ""), (OTHER_WELLS, "other_wells", ", pairs of two wells")):
            rows[method + suffix] = registry.title(method) + title
            for measure in MEASURES:
                cells[method + suffix, measure] = _cell(frames, measure, subset)
    notes = [
        f"split {split}, test images, every pair of one cell type: 0 means that a batch cannot be told by similarity",
        "sites of one well are alike for more reasons than their perturbation: the rows below leave their pairs out",
    ]
    return Draft(rows, dict(MEASURES), cells, unit="", decimals=3, notes=notes)


def _cell(frames: list[pd.DataFrame], measure: str, subset: str) -> Cell:
    chosen = [frame[(frame["metric"] == measure) & (frame["subset"] == subset)].iloc[0] for frame in frames]
    values = [float(row["value"]) for row in chosen if np.isfinite(row["value"])]
    if not values:
        return Cell(note="no pair of this kind" if frames else "not run")
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    low, high = (float(np.mean([row[bound] for row in chosen])) for bound in ("low", "high"))
    left_out = max(int(frame.loc[frame["metric"] == "left_out", "value"].iloc[0]) for frame in frames)
    note = f"{left_out} embeddings without a direction (all zero) left out" if left_out else ""
    return Cell(float(np.mean(values)), sd, len(values), low, high, note)
