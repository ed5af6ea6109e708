"""Flags of images that look odd among those of their experiment. A flag drops nothing."""

import numpy as np
import pandas as pd

from debatch.config.screen import QcLimits
from debatch.screen.nouns import Noun

MAD_TO_SD = 1.4826  # of a normal distribution
# From so many images of an experiment on a median and its deviation say what is usual there. Of normal values one in
# 2,600 lies five robust sds below the median of 20 by luck alone; of 10 it is one in 440, of 4 one in 90.
FEWEST_IMAGES = 20
EXPERIMENTS_NAMED = 5
_CUT_OFF = "are zeros, as of a copy that was cut off"


def measured_channels(index: pd.DataFrame) -> list[str]:
    """The channels whose measures an index holds, in order."""
    return [column.removeprefix("focus_") for column in index.columns if column.startswith("focus_")]


def qc_flags(index: pd.DataFrame, limits: QcLimits) -> np.ndarray:
    """What is odd about each image, as in `DNA: out of focus; ER: saturated`; empty where nothing is.

    Focus and foreground are held against the image's own experiment, whose stain and exposure they share; not where
    that has fewer than `FEWEST_IMAGES`.

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


def too_few_to_flag(experiments: pd.Series) -> list[str]:
    """The experiments in which no image is flagged for focus or foreground, whatever it looks like.

    Args:
        experiments: of N images.
    """
    counts = experiments.astype(str).value_counts(sort=False)
    return [str(name) for name, count in counts.items() if count < FEWEST_IMAGES]


def too_few_words(experiments: pd.Series, noun: Noun) -> str:
    """A sentence on those experiments; empty where there are none.

    Args:
        experiments: of N images.
        noun: what the images are called.
    """
    few = too_few_to_flag(experiments)
    if not few:
        return ""
    named = ", ".join(few[:EXPERIMENTS_NAMED])
    named += f" and {len(few) - EXPERIMENTS_NAMED:,} more" if len(few) > EXPERIMENTS_NAMED else ""
    if len(few) == experiments.nunique():
        named = "every experiment" if len(few) > 1 else named
    return (
        f"Too few {noun.many} to flag for focus or foreground in {named}: fewer than {FEWEST_IMAGES} of an experiment "
        "do not say what is usual there."
    )


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
    """(N,) bool: logs more than some robust sds below the median of their experiment, of enough images."""
    # a blank image must not be the log of zero
    logs = index[column].astype(np.float64).clip(lower=1e-6).apply(np.log)
    of_experiment = logs.groupby(index["experiment"])
    below = of_experiment.transform("median") - logs
    spread = MAD_TO_SD * below.abs().groupby(index["experiment"]).transform("median")
    enough = ~index["experiment"].astype(str).isin(too_few_to_flag(index["experiment"]))
    return ((below > sds * spread) & (spread > 0) & enough).to_numpy()
