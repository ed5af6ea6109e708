"""Flags of images that look odd among those of their experiment. A flag drops nothing."""

import numpy as np
import pandas as pd

from debatch.config.screen import QcLimits

MAD_TO_SD = 1.4826  # of a normal distribution


def measured_channels(index: pd.DataFrame) -> list[str]:
    """The channels whose measures an index holds, in order."""
    return [column.removeprefix("focus_") for column in index.columns if column.startswith("focus_")]


def qc_flags(index: pd.DataFrame, limits: QcLimits) -> np.ndarray:
    """What is odd about each image, as in `DNA: out of focus; ER: saturated`; empty where nothing is.

    Focus and foreground are held against the image's own experiment, whose stain and exposure they share.

    Args:
        index: N images with `saturation_`, `focus_` and `foreground_` columns.
        limits: when a value is odd.

    Returns:
        (N,) text.
    """
    flags = np.full(len(index), "", dtype=object)
    for channel in measured_channels(index):
        constant = index[f"focus_{channel}"].to_numpy() == 0
        odd = {
            "constant": constant,
            "saturated": index[f"saturation_{channel}"].to_numpy() > limits.saturation,
            "out of focus": ~constant & _far_below(index, f"focus_{channel}", limits.outlier_sds),
            "little foreground": ~constant & _far_below(index, f"foreground_{channel}", limits.outlier_sds),
        }
        for what, where in odd.items():
            for at in np.flatnonzero(where):
                flags[at] = f"{flags[at]}; {channel}: {what}" if flags[at] else f"{channel}: {what}"
    return flags


def flagged(index: pd.DataFrame, channel: str) -> np.ndarray:
    """(N,) bool: the images with a flag of a channel."""
    return np.array([any(flag.startswith(f"{channel}: ") for flag in flags.split("; ")) for flags in index["qc_flags"]])


def _far_below(index: pd.DataFrame, column: str, sds: float) -> np.ndarray:
    """(N,) bool: logs more than some robust sds below the median of their experiment."""
    # a blank image must not be the log of zero
    logs = index[column].astype(np.float64).clip(lower=1e-6).apply(np.log)
    of_experiment = logs.groupby(index["experiment"])
    below = of_experiment.transform("median") - logs
    spread = MAD_TO_SD * below.abs().groupby(index["experiment"]).transform("median")
    return ((below > sds * spread) & (spread > 0)).to_numpy()
