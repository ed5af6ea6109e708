"""What the report says of the images' quality: each channel's measures, and which images are flagged."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

import pandas as pd

from debatch.screen.flags import flagged, kind_of_flag, measured_channels, too_few_to_flag, too_few_words
from debatch.screen.nouns import noun_of_rows

FLAGGED_SHOWN = 50


@dataclass(frozen=True)
class Quality:
    """What the images measure.

    Attributes:
        channels: a row a channel, as text.
        flagged: number of images with a flag.
        images: number of all images.
        kinds: what was flagged -> number of images and channels.
        examples: the first flagged images, with their flags.
        too_few: a sentence on experiments of too few images to flag; empty where there are none.
    """

    channels: list[dict[str, str]]
    flagged: int
    images: int
    kinds: dict[str, int]
    examples: list[dict[Hashable, str]]
    too_few: str


def quality_facts(index: pd.DataFrame) -> Quality | None:
    """The quality of the stored images; None where the index holds no measures."""
    names, noun = measured_channels(index), noun_of_rows(index)
    if not names:
        return None
    rows = [
        {
            "channel": name,
            "mean intensity": _spread(index[f"intensity_{name}"]),
            "focus": _spread(index[f"focus_{name}"]),
            "foreground (%)": _spread(100 * index[f"foreground_{name}"]),
            "saturated pixels (%)": f"{100 * index[f'saturation_{name}'].mean():.3g}",
            "outside of range (%)": f"{100 * index[f'clipped_{name}'].mean():.3g}",
            f"flagged {noun.many}": _flagged(index, name),
        }
        for name in names
    ]
    odd = index[index["qc_flags"] != ""]
    kinds = Counter(kind_of_flag(flag) for flags in odd["qc_flags"] for flag in flags.split("; "))
    examples = odd.head(FLAGGED_SHOWN)[["image_id", "qc_flags"]].to_dict("records")
    too_few = too_few_words(index["experiment"], noun)
    return Quality(rows, len(odd), len(index), dict(kinds.most_common()), examples, too_few)


def _flagged(index: pd.DataFrame, channel: str) -> str:
    """How many; where none could be flagged for focus or foreground, that a nought says nothing."""
    there = index.loc[index[f"focus_{channel}"].notna(), "experiment"]
    count = int(flagged(index, channel).sum())
    few = len(too_few_to_flag(there)) == there.nunique()
    return "too few to flag" if few and not count else f"{count:,}"


def _spread(values: pd.Series) -> str:
    """Median, and the 5th to 95th percentile."""
    low, middle, high = values.quantile([0.05, 0.5, 0.95])
    texts = [f"{value:.3g}" if value < 1000 else f"{value:,.0f}" for value in (low, middle, high)]
    return texts[1] if low == high else f"{texts[1]} ({texts[0]}–{texts[2]})"
