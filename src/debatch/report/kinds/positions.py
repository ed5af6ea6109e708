"""What tables and pages say of well positions: whether replicates may be alike for their place alone."""

from typing import NamedTuple

import pandas as pd

from debatch.evaluate.tidy import of_all
from debatch.files import UNCORRECTED
from debatch.registry.run import ALL_IMAGES
from debatch.report.frames import by_seed
from debatch.report.results import Results
from debatch.screen.layout import Layout, layout
from debatch.screen.subsets import scored_images
from debatch.tabular import read_frame

# fewer untreated wells say nothing of positions
FEWEST_CONTROLS = 20


class Positions(NamedTuple):
    """Of the wells that a table of embeddings looks at.

    Attributes:
        layout: how often replicates share a position.
        controls: how often a negative control's nearest one on another plate is in the same position, in the first
            method's embeddings; None where that is not defined, or of very few.
        chance: of that.
        wells: negative controls that could be.
    """

    layout: Layout
    controls: float | None
    chance: float | None
    wells: int = 0

    @property
    def sentence(self) -> str:
        """What to know of it; empty where there are no replicates on two plates."""
        text = str(self.layout)
        if text and self.controls is not None and self.chance is not None:
            text += (
                f"; an untreated well's nearest untreated one on another plate is in the same position in "
                f"{100 * self.controls:.0f} % of {self.wells:,} cases (chance {100 * self.chance:.1f} %)"
            )
        return text


def scored_wells(results: Results, split: str) -> pd.DataFrame:
    """The index's rows that embeddings are scored on."""
    index = read_frame(results.files.index())
    if split == ALL_IMAGES:
        return index
    return index[index["image_id"].isin(scored_images(read_frame(results.files.split(split))))]


def positions(name: str, results: Results) -> Positions:
    """Of the wells of a table of corrections."""
    registry = results.registry
    split = registry.splits(name)[0]
    frames = results.by_seed("scores", name, registry.rows(name)[0], split, UNCORRECTED)
    found = [by_seed(frames, f"control_same_position{ending}") for ending in ("", "_chance")]
    controls, chance = (sum(values) / len(values) if values else None for values in found)
    rows = [of_all(frame).set_index("metric")["n"].get("control_same_position", 0) for frame in frames]
    wells = int(min(rows, default=0))
    if wells < FEWEST_CONTROLS:
        controls = None
    return Positions(layout(scored_wells(results, split)), controls, chance, wells)
