"""Flags of images that look odd among those of their experiment. A flag drops nothing."""

import numpy as np
import pandas as pd

from debatch.config.screen import QcLimits

MAD_TO_SD = 1.4826  # of a normal distribution
_CUT_OFF = "are zeros, as of a copy that was cut off"


def measured_channels(index: pd.DataFrame) -> list[str]:
    """The channels whose measures an index holds, in order."""
    return [column.removeprefix("focus_") for column in index.columns if column.startswith("focus_")]


def qc_flags(index: pd.DataFrame, limits: QcLimits) -> np.ndarray:
    """What is odd about each image, as in `DNA: out of focus; ER: saturated`; empty where nothing is.

    Focus and foreground are held against the image's own experiment, whose stain and exposure they share.

    Args:
        index: N images with `saturation_`, `focus_` and `foreground_` columns, and `cut_off_` ones where they were
            ingested by a version that measures those.
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
            for at in np.flatnonzero(where).tolist():
                _add(flags, at, f"{channel}: {what}")
        if f"cut_off_{channel}" in index:
            shares = index[f"cut_off_{channel}"].fillna(0).to_numpy()
            for at in np.flatnonzero(shares).tolist():
                # a tile itself may lie in the part that is there
                of_a_field = "." in index["site"].iloc[at]
                _add(flags, at, f"{channel}: {cut_off_words(shares[at], of_a_field=of_a_field)}")
    return flags


def cut_off_words(share: float, *, of_a_field: bool = False) -> str:
    """What is wrong with a plane of which so much is missing, or with the field that a tile is of."""
    whose = "its field's" if of_a_field else "its"
    return f"{whose} last {100 * share:.0f} % {_CUT_OFF}"


def kind_of_flag(flag: str) -> str:
    """What is odd, without the channel and without how much of it."""
    return "cut off" if flag.endswith(_CUT_OFF) else flag.rsplit(": ", 1)[-1]


def _add(flags: np.ndarray, at: int, flag: str) -> None:
    flags[at] = f"{flags[at]}; {flag}" if flags[at] else flag


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
