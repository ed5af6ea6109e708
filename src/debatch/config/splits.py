"""Which images train and which test: the splits that a screen may have."""

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, field_validator, model_validator

from debatch.config.base import SAFE_NAME, Section
from debatch.config.read import nearest
from debatch.errors import ConfigError

SPLITS = ["separated", "separated_val", "stratified", "stratified_site", "fold1", "tasks"]


_IN_SCREENS = r"separated(_val)?|stratified(_site)?|fold[1-9][0-9]*|tasks"
# the sides of a split; other subsets are named tasks
SUBSETS = ("train", "val", "test")


def _known_split(name: object) -> object:
    if isinstance(name, str) and not re.fullmatch(_IN_SCREENS, name):
        raise ValueError(f"no split {name!r}{nearest(name, SPLITS)}")
    return name


SplitName = Annotated[
    str,
    BeforeValidator(_known_split),
    Field(pattern=f"^({_IN_SCREENS})$"),
]


class Task(Section):
    """Images that are scored by themselves, those of each part apart; an image may be in several tasks."""

    column: str | None = Field(
        None,
        description="Column of the metadata that says True of its images, and False or nothing of all others; null: "
        "the column of the task's own name.",
    )
    familiar: bool = Field(
        False,
        description="Whether its images are like those that train, so that it does not count in the mean over tasks "
        "out of distribution.",
    )
    leave_out: str | dict[str, str] | None = Field(
        None,
        description="Column of the metadata whose groups are asked about one by one, each with the task's other "
        "groups beside the training images as neighbours: for classes that none of those shows. Or of some parts "
        "alone, as in {HPA: cell_type}. null: training images are the only neighbours.",
    )

    def groups_of(self, part: str) -> str | None:
        """The column whose groups are left out in a part; None: there is none."""
        return self.leave_out.get(part) if isinstance(self.leave_out, dict) else self.leave_out


class Splits(Section):
    """Which images train and which test."""

    names: list[SplitName] = Field(
        default=["separated", "stratified"],
        description="Splits that the screen has: separated, separated_val, stratified, stratified_site, fold1, …, or "
        "tasks. A screen of profiles that leaves this out has none.",
    )
    tasks: dict[str, Task] = Field(
        default={}, description="Of the split `tasks`: each task by its name, as in {Task_one: {familiar: true}}."
    )
    trains: dict[str, list[str | int]] | None = Field(
        None,
        description="Of the split `tasks`: column of the metadata -> values, of the images that train, as in "
        "{train_test_split: [Train]}; null: all that are in no task.",
    )
    folds: int | None = Field(
        None, ge=2, description="Number of folds that the batches are dealt to, for the splits fold1, fold2, …"
    )
    fold_order: Literal["drawn", "natural"] = Field(
        "drawn",
        description="How the batches of each cell type come to blocks, as many as folds, of which each is tested "
        "once: dealt in a drawn order, a fold tests on the block of its number; or cut in natural order, fold 1 tests "
        "on the last block, fold 2 on the first, fold 3 on the second, ….",
    )
    fold_column: str | None = Field(
        None,
        description="Column of the metadata whose values come to blocks in place of the batches, as the number of a "
        "replicate, over all cell types at once; all of a batch has one value. null: the batches.",
    )
    fold_validation: bool = Field(
        False,
        description="Whether the block before a fold's test one, of the first the last one, is its `val`: it does not "
        "train.",
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

    @field_validator("tasks")
    @classmethod
    def _tasks_are_no_sides(cls, value: dict[str, Task]) -> dict[str, Task]:
        for name in value:
            if name in SUBSETS or not SAFE_NAME.fullmatch(name):
                raise ValueError(
                    f"a task cannot be called {name!r}: letters, digits, '.', '-', '_', and none of "
                    f"{', '.join(SUBSETS)}"
                )
        return value

    @model_validator(mode="after")
    def _tasks_are_there(self) -> "Splits":
        if "tasks" in self.names and not self.tasks:
            raise ValueError("the split tasks needs `tasks:`, each by its name, as in {Task_one: {familiar: true}}")
        if self.trains is not None and not self.tasks:
            raise ValueError("`trains` is of the split tasks, and there are no `tasks:`")
        return self

    @model_validator(mode="after")
    def _folds_are_there(self) -> "Splits":
        numbers = [split.fold for split in map(Split.named, self.names) if split.form == "fold"]
        if numbers and (self.folds is None or max(numbers) > self.folds):
            raise ValueError(f"the split fold{max(numbers)} needs `folds: {max(max(numbers), 2)}` or more")
        stated = [key for key in _OF_FOLDS if getattr(self, key) != Splits.model_fields[key].default]
        if stated and self.folds is None:
            raise ValueError(f"`{stated[0]}` needs `folds:`, the number of folds")
        if self.fold_validation and self.folds is not None and self.folds < 3:
            raise ValueError(
                f"`fold_validation` takes one of {self.folds} blocks and the test another, so that none would train; "
                "write `folds: 3` or more, or leave it out"
            )
        return self

    def looked_at(self, split: "Split") -> dict[str, Any]:
        """What a split is drawn by, and nothing that only other splits look at: what is in here draws it again.

        Args:
            split: of the screen.
        """
        if split.form == "tasks":  # what else is said of a task decides how it is scored
            columns = {name: {"column": task.column or name} for name, task in self.tasks.items()}
            return {"tasks": columns, "trains": self.trains}
        others = {"names", "tasks", "trains"}
        if split.form != "few":
            others |= {"cell_types", "few_batches"}
        if split.form != "fold":
            others |= {"folds", *_OF_FOLDS}
        # left out, they are not there: folds that were drawn before there were such keys stay as they are
        others |= {key for key in _OF_FOLDS if getattr(self, key) == Splits.model_fields[key].default}
        if split.form == "fold" and self.fold_order == "natural":
            others |= {"seed", "test_batches"}
        found = {key: value for key, value in self.model_dump().items() if key not in others}
        if split.form == "few" and found.get("cell_types"):
            found["cell_types"] = {split.cell_type: found["cell_types"][split.cell_type]}
        return found


class Split(NamedTuple):
    """What the name of a split says.

    Attributes:
        form: `few` trains on few batches of one cell type; `tasks` scores named ones; `all`: no split, all profiles.
        fold: of `fold`, its number, from 1.
        cell_type: of `few`, the one whose batches it trains and tests on.
        draw: of `few`, which of the drawn choices of batches, from 0.
    """

    form: Literal["separated", "separated_val", "stratified", "stratified_site", "fold", "few", "tasks", "all"]
    fold: int = 0
    cell_type: str = ""
    draw: int = 0

    @classmethod
    def named(cls, name: str) -> "Split":
        """The split of a name: the inverse of `name`.

        Raises:
            ConfigError: it is no such name.
        """
        if name in _PLAIN:
            return cls(name)  # type: ignore[arg-type]
        if fold := re.fullmatch(r"fold([1-9][0-9]*)", name):
            return cls("fold", fold=int(fold[1]))
        if few := re.fullmatch(r"few_(.+)_draw([0-9]+)", name):
            return cls("few", cell_type=few[1], draw=int(few[2]))
        raise ConfigError(f"no split {name!r}{nearest(name, SPLITS)}")

    @property
    def name(self) -> str:
        """In the configuration, and of its file."""
        if self.form == "fold":
            return f"fold{self.fold}"
        return f"few_{self.cell_type}_draw{self.draw}" if self.form == "few" else self.form

    @property
    def has_unseen_batches(self) -> bool:
        """Whether all batches that it tests on are of none of its training images; of tasks some may be."""
        return self.form not in ("stratified", "stratified_site", "tasks")

    @property
    def keeps_snapshots(self) -> bool:
        """Whether runs keep weights on the way, for accuracy on unseen batches; not the many on few batches."""
        return self.has_unseen_batches and self.form != "few"


_OF_FOLDS = ("fold_order", "fold_column", "fold_validation")
_PLAIN = ("separated", "separated_val", "stratified", "stratified_site", "tasks", "all")
