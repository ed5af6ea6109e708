"""What is found of a screen before anything runs, and what follows from it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from debatch.config.images import ImageProcessing
from debatch.screen.ingest.source import FoundFiles
from debatch.screen.metadata import natural_key

PROPOSED_QUANTILES = (0.001, 0.999)
# what values are multiples of where files hold fewer bits than they could: 257 x 255 is the largest value of 16 bits
EIGHT_BITS_SPREAD = 257
SHIFTED = {256: 8, 64: 10, 16: 12, 4: 14}
FEWEST_LEVELS = 8  # as many values are multiples of 16 by chance in one of four thousand million channels


@dataclass
class ChannelValues:
    """A channel's raw values in the sampled images.

    Attributes:
        counts: (65536,) how many pixels have each value.
        images: how many images were read.
        outside: share of values outside of `image.range`, None where none is stated.
    """

    counts: np.ndarray = field(default_factory=lambda: np.zeros(2**16, np.int64))
    images: int = 0
    outside: float | None = None

    def quantile(self, share: float) -> int:
        """The smallest value that at least a share of the pixels do not exceed."""
        below = np.cumsum(self.counts)
        return int(np.searchsorted(below, max(1.0, share * below[-1])))

    @property
    def largest(self) -> int:
        """The largest value."""
        return int(np.flatnonzero(self.counts)[-1])

    @property
    def fewer_bits(self) -> tuple[int, int] | None:
        """What all values are multiples of, and the bits that images had which were saved as 16 in this way.

        None: they use the bits that they have, or hold too few different values to tell.
        """
        levels = np.flatnonzero(self.counts)
        levels = levels[levels > 0]
        if len(levels) < FEWEST_LEVELS:
            return None
        step = int(np.gcd.reduce(levels))
        if step % EIGHT_BITS_SPREAD == 0:
            return EIGHT_BITS_SPREAD, 8
        # what would fit into those bits as it stands was not shifted
        shifted = ((by, bits) for by, bits in SHIFTED.items() if step % by == 0 and self.largest >= 2**bits)
        return next(shifted, None)


@dataclass
class Findings:
    """What was found.

    Attributes:
        files: a row a plate: experiment, plate, wells, images, complete (with every channel), files.
        fit: number of files of the screen's experiments.
        elsewhere: number of files of other experiments, by name.
        other: files that are no images by their name.
        stray: images whose names do not fit, with why.
        channels: channel field of the names -> number of files.
        problems: what `ingest` would list, all experiments'.
        shapes: (height, width) -> number of sampled files.
        dtypes: pixel dtype -> number of sampled files.
        values: stain -> sampled values.
        unreadable: files that cannot be used, with why: cut off, or of those that were opened.
        stored: (channels, height, width), dtype and images a field of what would be stored; None where nothing could.
        catalogue: the metadata's rows, None where there is none.
        index: the images that there will be, as far as they are known before ingestion.
        balances: split -> its balance, or why it cannot be drawn.
        errors: what keeps the screen from being ingested at all.
        plates: what stands for plates on one side only: in file names, and in the metadata.
        ends_seen: how many files were looked at for their ends.
        planes: how many planes a file holds -> number of experiments, where a file holds all channels.
        names: a sentence on each name that is likely not what was meant.
        odd: files of those that were opened that a person should look at, with why; ingestion stores them.
    """

    files: pd.DataFrame = field(default_factory=pd.DataFrame)
    fit: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)
    other: list[Path] = field(default_factory=list)
    stray: list[tuple[Path, str]] = field(default_factory=list)
    channels: Counter[str] = field(default_factory=Counter)
    problems: pd.DataFrame = field(default_factory=pd.DataFrame)
    shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    values: dict[str, ChannelValues] = field(default_factory=dict)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    stored: tuple[tuple[int, ...], str, int] | None = None
    catalogue: pd.DataFrame | None = None
    index: pd.DataFrame | None = None
    balances: dict[str, pd.DataFrame | str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    plates: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    ends_seen: int = 0
    planes: Counter[int] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    odd: list[tuple[Path, str]] = field(default_factory=list)

    def add_plates(self, experiment: str, found: FoundFiles, wells: pd.DataFrame) -> None:
        """Note the plates of an experiment that only its file names or only the metadata have."""
        named, listed = {file.plate for file in found.files}, set(wells["plate"])
        for names, side in zip((named - listed, listed - named), self.plates, strict=True):
            side += [f"{experiment}/{name}" for name in sorted(names, key=natural_key)]

    @property
    def clean(self) -> bool:
        """Whether there is nothing that a person should look at before ingestion."""
        failed = any(isinstance(found, str) for found in self.balances.values())
        wrong = self.errors or self.names or len(self.problems) or self.stray or self.unreadable or failed
        return bool(self.fit) and not wrong


def proposed_ranges(findings: Findings) -> dict[str, list[int]]:
    """[low, high] for each stain: 0.1 and 99.9 % of the sampled pixels' values lie below, screen-wide."""
    return {name: [values.quantile(share) for share in PROPOSED_QUANTILES] for name, values in findings.values.items()}


def needs_range(findings: Findings, image: ImageProcessing, dtype: str) -> bool:
    """Whether 16-bit images are to be stored in 8 bits and no range says how."""
    return "uint16" in findings.dtypes and dtype == "uint8" and image.range is None


def saved_as_16_bits(findings: Findings) -> dict[tuple[int, int], list[str]]:
    """The stains whose 16-bit files hold images of fewer bits, by `ChannelValues.fewer_bits`: a fact, no problem."""
    if set(findings.dtypes) != {"uint16"}:  # the values of 8-bit files among them are multiples of nothing
        return {}
    found: dict[tuple[int, int], list[str]] = {}
    for name, values in findings.values.items():
        if (fewer := values.fewer_bits) is not None:
            found.setdefault(fewer, []).append(name)
    return found
