"""Metrics as rows: of all images, of those of a cell type, of a batch, or of a cell type in a batch."""

import pandas as pd

# in the columns `cell_type` and `batch`: all of them
ALL = ""
# a subset of a probe's rows: what probes answer that were fitted on one cell type each
WITHIN = "within_cell_types"
COLUMNS = ["metric", "subset", "cell_type", "batch", "value", "n"]


def of_all(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that are of all cell types and batches together."""
    return frame[(frame["cell_type"] == ALL) & (frame["batch"] == ALL)]
