"""Which images train and which test: the splits that a screen may have."""

import re
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, field_validator, model_validator

from debatch.config.base import SAFE_NAME, Section
from debatch.config.read import nearest

SPLITS = ["separated", "separated_val", "stratified", "stratified_site", "fold1"]


def _known_split(name: object) -> object:
    if isinstance(name, str) and not re.fullmatch(r"separated(_val)?|stratified(_site)?|fold[1-9][0-9]*", name):
        raise ValueError(f"no split {name!r}{nearest(name, SPLITS)}")
    return name


SplitName = Annotated[
    str,
    BeforeValidator(_known_split),
    Field(pattern=r"^(separated|separated_val|stratified|stratified_site|fold[1-9][0-9]*)$"),
]


class Splits(Section):
    """Which images train and which test."""

    names: list[SplitName] = Field(
        default=["separated", "stratified"],
        description="Splits that the screen has: separated, separated_val, stratified, stratified_site, fold1, …. A "
        "screen of profiles that leaves this out has none.",
    )
    folds: int | None = Field(
        None, ge=2, description="Number of folds that the batches are dealt to, for the splits fold1, fold2, …"
    )
    seed: int = Field(0, ge=0, description="Seed of what is drawn.")
    test_batches: list[str] | None = Field(
        None,
        description="Batches that `separated` tests on; null: the metadata's own train/test column, else a third "
        "of each cell type's batches, drawn.",
    )
    cell_types: dict[str, int] | None = Field(
        None,
        description="Cell type -> its batches on the training side of `separated`, as in {HUVEC: 16, U2OS: 3}: for "
        "splits that train on few of them, which must be known before there is metadata; simulated screens know it.",
    )
    few_batches: int = Field(
        3, ge=1, description="Training batches of one cell type in such a split; all of them where there are fewer."
    )

    @field_validator("cell_types")
    @classmethod
    def _safe_cell_types(cls, value: dict[str, int] | None) -> dict[str, int] | None:
        for name, batches in (value or {}).items():
            if not SAFE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} becomes a file's name, and may hold only letters, digits, '.', '-', '_'")
            if batches < 1:
                raise ValueError(f"{name}: {batches} training batches; leave out what is not trained on")
        return value

    @model_validator(mode="after")
    def _folds_are_there(self) -> "Splits":
        numbers = [int(name.removeprefix("fold")) for name in self.names if name.startswith("fold")]
        if numbers and (self.folds is None or max(numbers) > self.folds):
            raise ValueError(f"the split fold{max(numbers)} needs `folds: {max(max(numbers), 2)}` or more")
        return self


class FewBatches(NamedTuple):
    """A split that trains on few batches of one cell type, and tests on that cell type's test batches.

    Attributes:
        cell_type: the one.
        draw: which of the drawn choices of batches, from 0.
    """

    cell_type: str
    draw: int

    @property
    def split(self) -> str:
        """Its name."""
        return f"few_{self.cell_type}_draw{self.draw}"


def few_batches(split: str) -> FewBatches | None:
    """What a split of few batches is named for; None of any other split."""
    named = re.fullmatch(r"few_(.+)_draw([0-9]+)", split)
    return FewBatches(named[1], int(named[2])) if named else None


def keeps_snapshots(split: str) -> bool:
    """Whether runs on a split keep weights on the way, for accuracy on unseen batches; not the many on few batches."""
    return has_unseen_batches(split) and few_batches(split) is None


def has_unseen_batches(split: str) -> bool:
    """Whether a split tests on batches that none of its training images is of."""
    return not split.startswith("stratified")
