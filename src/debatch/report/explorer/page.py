"""Write the explorer's folder: a page, its scripts, and the data of one screen."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from debatch.digests import sha256_of_text
from debatch.report.explorer.columns import index_columns, place_columns, plate_names, predicted_columns
from debatch.report.explorer.packed import pack_codes, pack_numbers, pack_texts, write_script
from debatch.report.explorer.points import in_steps
from debatch.report.qc import channel_colours
from debatch.tabular import write_text

STATIC = Path(__file__).parent / "static"
PAGE = "index.html"


@dataclass(frozen=True)
class Facts:
    """What the page says of a screen.

    Attributes:
        name: of its folder.
        title: for people.
        simulated: whether its images were drawn by a computer.
        label: a few words behind the title; empty: none.
        noun: what an image is called, one and several of them.
        shape: rows and columns of its plates.
        channels: of its pictures; empty where there are none.
        experiments: that have pictures.
        terms: words that the page's help explains, each with what it means.
    """

    name: str
    title: str
    simulated: bool
    label: str
    noun: tuple[str, str]
    shape: tuple[int, int]
    channels: list[str]
    experiments: list[str]
    terms: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Look:
    """One look at embeddings.

    Attributes:
        key: by which an address names it.
        method: its title.
        points: projection (its name), image_id, x, y.
        predictions: from these embeddings, or from what they were before a correction; None where nothing predicts.
        correction: its title; empty where there was none.
        split: what the method was trained on, in words; empty where all looks say the same.
    """

    key: str
    method: str
    points: pd.DataFrame
    predictions: pd.DataFrame | None = None
    correction: str = ""
    split: str = ""

    @property
    def title(self) -> str:
        """For people: the method and the correction, and what it was trained on."""
        return ", ".join(filter(None, [self.method, self.correction])) + (f" — {self.split}" if self.split else "")


def write_page(folder: Path, facts: Facts, index: pd.DataFrame, looks: Iterable[Look]) -> None:
    """Write the page and its data, the page itself last. Pictures lie there already.

    Args:
        folder: of the page; data of an earlier one go.
        facts: of the screen.
        index: its images.
        looks: at their embeddings, in the order in which they are offered; predictions may be of several.
    """
    shutil.rmtree(folder / "data", ignore_errors=True)
    written: dict[int, str] = {}
    views = []
    for number, look in enumerate(looks):
        if look.predictions is not None and id(look.predictions) not in written:
            file = written[id(look.predictions)] = f"data/predictions-{len(written)}.js"
            write_script(file, predicted_columns(look.predictions, index), folder / file)
        file = f"data/view-{number}.js"
        write_script(file, _points(look.points, index), folder / file)
        views.append(
            {
                "key": look.key,
                "title": look.title,
                "method": look.method,
                "correction": look.correction,
                "split": look.split,
                "file": file,
                "count": len(look.points),
                "projection": str(look.points["projection"].iloc[0]) if len(look.points) else "",
                "predictions": written.get(id(look.predictions)),
            }
        )
    write_script("data/screen.js", {**_screen(facts, index), "views": views}, folder / "data/screen.js")
    for source in sorted(STATIC.iterdir()):
        if source.name != PAGE:
            write_text(source.read_text(encoding="utf-8"), folder / "static" / source.name)
    write_text((STATIC / PAGE).read_text(encoding="utf-8"), folder / PAGE)


def _screen(facts: Facts, index: pd.DataFrame) -> dict[str, Any]:
    flags = index["qc_flags"].tolist() if "qc_flags" in index else [""] * len(index)
    told = sorted({flag for flag in flags if flag})
    numbers = {flag: number for number, flag in enumerate(["", *told])}
    colours = channel_colours(len(facts.channels))
    return {
        "name": facts.name,
        "title": facts.title,
        "simulated": facts.simulated,
        "label": facts.label,
        "noun": facts.noun,
        "count": len(index),
        # rows of a selection that was sent are those of the same images
        "digest": sha256_of_text("\n".join(index["image_id"]))[:8],
        "ids": pack_texts(index["image_id"].tolist()),
        "columns": index_columns(index),
        "flags": {"names": ["", *told], "codes": pack_codes(np.array([numbers[flag] for flag in flags]))},
        "format": facts.shape,
        "places": place_columns(index, plate_names(index)),
        "channels": list(zip(facts.channels, colours, strict=True)),
        "experiments": facts.experiments,
        "terms": facts.terms,
    }


def _points(projection: pd.DataFrame, index: pd.DataFrame) -> dict[str, Any]:
    """Points in a random order: drawn in that of the index, the last batch would hide the others where they mix."""
    at = pd.Index(index["image_id"]).get_indexer(pd.Index(projection["image_id"]))
    order = np.random.default_rng(0).permutation(np.flatnonzero(at >= 0))
    steps = in_steps(projection[["x", "y"]].to_numpy(np.float64)[order])
    return {
        "rows": pack_numbers(at[order].astype(np.uint32)),
        "x": pack_numbers(steps[:, 0]),
        "y": pack_numbers(steps[:, 1]),
    }
