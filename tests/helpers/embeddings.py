"""Embeddings of a made-up screen, and their scores."""

import numpy as np
import pandas as pd

from debatch.evaluate.scores import score_embeddings
from debatch.evaluate.tidy import of_all


def screen(batches=5, drugs=8, wells=3, sites=2, shift=0.0, strength=3.0, kinds=("A",), seed=0, width=16):
    """Wells of drugs and DMSO in every batch; `shift` is the batch effect, `strength` that of the drugs."""
    rng = np.random.default_rng(seed)
    names = [*(f"drug{n}" for n in range(drugs)), *["DMSO"] * 3]
    rows = [
        (f"{kind}{b}_{n}_{w}_{s}", f"{kind}{b}", f"{n}_{w}", str(s), kind, name)
        for kind in kinds
        for b in range(batches)
        for n, name in enumerate(names)
        for w in range(wells)
        for s in range(sites)
    ]
    frame = pd.DataFrame(
        rows, columns=[f"Metadata_{name}" for name in ("Image", "Batch", "Well", "Site", "CellType", "Perturbation")]
    )
    frame["Metadata_Experiment"] = frame["Metadata_Plate"] = frame["Metadata_Batch"]
    frame["Metadata_WellType"] = np.where(frame["Metadata_Perturbation"] == "DMSO", "negative_control", "treatment")
    frame["Metadata_Label"] = 0
    effects = {name: strength * rng.normal(size=width) for name in names} | {"DMSO": np.zeros(width)}
    shifts = {batch: shift * rng.normal(size=width) for batch in sorted(set(frame["Metadata_Batch"]))}
    features = [
        effects[drug] + shifts[batch] + rng.normal(size=width)
        for drug, batch in zip(frame["Metadata_Perturbation"], frame["Metadata_Batch"], strict=True)
    ]
    return pd.concat([frame, pd.DataFrame(features, columns=[f"f{n}" for n in range(width)], dtype=np.float32)], axis=1)


def scored(before, after=None):
    scores = score_embeddings(before, before if after is None else after)
    return of_all(scores).set_index("metric")["value"]
