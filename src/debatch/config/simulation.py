"""What a simulated screen is made of (`simulate:` in a screen's YAML)."""

from pydantic import Field, field_validator, model_validator

from debatch.config.base import Section, Size, height_and_width

EMPTY = "EMPTY"
# of the metadata, beside a column a task
TRAIN_COLUMN, TRAIN = "train_test_split", "Train"
_OF_LAYOUTS = (
    "experiment", "plate", "well", "site", "cell_type", "well_type", "perturbation", "mechanism", TRAIN_COLUMN,
)  # fmt: skip
SMALLEST = 32  # pixels
MOST = 100_000  # of what is named one by one
CHANNELS: tuple[str, ...] = ("DNA", "ER", "Actin", "RNA", "Mito", "Golgi")


class SimulatedTask(Section):
    """Wells that do not train: a share of those that are like the training ones, or those that have something new."""

    share: float | None = Field(
        None, gt=0, lt=1, description="Share of the wells of each class that are like the training ones, drawn."
    )
    cell_types: list[str] = Field(default=[], description="Cell types that no training image is of.")
    experiments: list[str] = Field(default=[], description="Experiments that no training image is of.")
    classes: list[str] = Field(
        default=[], description="Classes that no training image is of. Other tasks hold none of them."
    )

    @model_validator(mode="after")
    def _says_which(self) -> "SimulatedTask":
        new = bool(self.cell_types or self.experiments or self.classes)
        if new == (self.share is not None):
            raise ValueError("a task has either a `share`, or something new: `cell_types`, `experiments` or `classes`")
        return self


class SimulationConfig(Section):
    """A Cell Painting screen drawn by the computer, with perturbation and batch effects that are known.

    Every number that it leads to is called simulated.
    """

    seed: int = Field(0, ge=0, description="Seed of everything drawn: effects, batch effects, layouts, cells.")
    experiments: dict[str, int] = Field(
        default={"ALPHA": 8, "BETA": 4}, description="Number of experiments of each cell type."
    )
    plates: int = Field(2, ge=1, description="Plates in an experiment.")
    sites: int = Field(2, ge=1, description="Sites (fields of view) in a well.")
    treatments: int = Field(16, ge=1, description="Number of treatments.")
    treatment_wells: int = Field(2, ge=1, description="Wells of each treatment on a plate.")
    spread_treatments: bool = Field(
        False,
        description="Whether an experiment's plates share the treatments out, in sets that change plates from one "
        "experiment to the next, as in RxRx1; false: every plate holds all of them. Controls are on every plate.",
    )
    mechanisms: int = Field(
        0,
        ge=0,
        description="Number of mechanisms that treatments are dealt out to in turn: half of a treatment's effect is "
        "then its mechanism's, and the metadata has a column `mechanism` (for `columns.mechanism` of the screen). 0: "
        "each treatment is like no other.",
    )
    positive_controls: int = Field(3, ge=0, description="Number of positive controls.")
    positive_control_wells: int = Field(4, ge=1, description="Wells of each positive control on a plate.")
    empty_wells: int = Field(4, ge=1, description="Untreated (EMPTY) wells on a plate.")
    pixels: Size = Field(64, description="Side of the raw image in pixels, or its [height, width]; 32 at least.")
    channels: int | list[str] = Field(
        len(CHANNELS),
        description=f"The first so many of: {', '.join(CHANNELS)}; or some of them by name, in any order.",
    )
    strength: float = Field(1.6, ge=0, description="Factor on every perturbation's effect.")
    batch_effect: float = Field(1.0, ge=0, description="Factor on every batch effect; 0 switches them off.")

    prefix: str = Field(
        "",
        pattern=r"^[A-Za-z0-9.-]*$",
        description="Stands before the names of all classes, so that those of another part are others: T01, or W-T01.",
    )
    tasks: dict[str, SimulatedTask] = Field(
        default={},
        description="Tasks by name: the metadata then has for each a column that says True of its wells, and "
        "train_test_split, which is Train of those that train. Wells with something new train for none, also where no "
        "task holds them.",
    )
    hits_only: dict[str, list[str]] = Field(
        default={},
        description="Experiments whose plates hold these classes alone, in equal numbers, as where only the hits of a "
        "screen are imaged again: {ALPHA-02: [T01, T02]}.",
    )

    @field_validator("pixels")
    @classmethod
    def _large_enough(cls, value: int | list[int]) -> int | list[int]:
        if min(height_and_width(value)) < SMALLEST:
            raise ValueError(f"a side of less than {SMALLEST} pixels holds no cells")
        return value

    @field_validator("channels")
    @classmethod
    def _known_channels(cls, value: int | list[str]) -> int | list[str]:
        if isinstance(value, int):
            if not 1 <= value <= len(CHANNELS):
                raise ValueError(f"1 to {len(CHANNELS)} channels can be drawn: {', '.join(CHANNELS)}")
            return value
        odd = [name for at, name in enumerate(value) if name not in CHANNELS or name in value[:at]]
        if odd or not value:
            raise ValueError(f"{odd[0] if odd else 'nothing'!r}: each of {', '.join(CHANNELS)} once at most")
        return value

    @model_validator(mode="after")
    def _can_be_counted(self) -> "SimulationConfig":
        counts = {
            "experiments": sum(self.experiments.values()),
            "treatments": self.treatments,
            "positive_controls": self.positive_controls,
        }
        for key, count in counts.items():
            if count > MOST:
                raise ValueError(f"`{key}`: {count:,} cannot be drawn; {MOST:,} at most")
        return self

    @model_validator(mode="after")
    def _each_plate_gets_a_treatment(self) -> "SimulationConfig":
        if self.spread_treatments and self.treatments < self.plates:
            raise ValueError(f"`spread_treatments`: {self.treatments} treatments do not fill {self.plates} plates")
        return self

    @model_validator(mode="after")
    def _mechanisms_are_shared(self) -> "SimulationConfig":
        if 2 * self.mechanisms > self.treatments:
            raise ValueError(
                f"`mechanisms`: {self.mechanisms} of {self.treatments} treatments; each needs two treatments or more"
            )
        return self

    @model_validator(mode="after")
    def _hits_are_known(self) -> "SimulationConfig":
        unknown = sorted(set(self.hits_only) - set(self.experiment_names()))
        if unknown:
            raise ValueError(
                f"`hits_only`: no experiment {unknown[0]!r}; there is: {', '.join(self.experiment_names())}"
            )
        controls, treatments = self.class_names()
        classes = [*controls, *treatments, self.empty]
        for experiment, hits in self.hits_only.items():
            wrong = [hit for hit in hits if hit not in classes] or ([] if hits else ["nothing"])
            if wrong:
                raise ValueError(f"`hits_only.{experiment}`: no class {wrong[0]!r}; there is: {', '.join(classes)}")
        return self

    @model_validator(mode="after")
    def _tasks_are_of_what_there_is(self) -> "SimulationConfig":
        known = {
            "cell_types": list(self.experiments),
            "experiments": self.experiment_names(),
            "classes": [*(name for names in self.class_names() for name in names), self.empty],
        }
        for task, own in self.tasks.items():
            if task in _OF_LAYOUTS:
                raise ValueError(f"`tasks.{task}`: there is a column {task!r} already; call the task something else")
            for key, names in known.items():
                wrong = [name for name in getattr(own, key) if name not in names]
                if wrong:
                    raise ValueError(f"`tasks.{task}.{key}`: no {wrong[0]!r}; there is: {', '.join(names)}")
        for key, names in known.items():
            new = {name for own in self.tasks.values() for name in getattr(own, key)}
            if new >= set(names):
                raise ValueError(f"`tasks`: all {key.replace('_', ' ')} are new, so that none is left to train on")
        if sum(own.share or 0 for own in self.tasks.values()) >= 1:
            raise ValueError("`tasks`: shares of 1 or more together leave nothing to train on")
        return self

    @property
    def empty(self) -> str:
        """The class of untreated wells."""
        return f"{self.prefix}{EMPTY}"

    def channel_names(self) -> list[str]:
        """The channels in order."""
        return list(CHANNELS[: self.channels]) if isinstance(self.channels, int) else self.channels

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the raw image."""
        return height_and_width(self.pixels)

    def class_names(self) -> tuple[list[str], list[str]]:
        """The positive controls (`P1`, …) and the treatments (`T01`, …), after the prefix."""
        digits = max(2, len(str(self.treatments)))
        controls = [f"{self.prefix}P{i}" for i in range(1, self.positive_controls + 1)]
        return controls, [f"{self.prefix}T{i:0{digits}d}" for i in range(1, self.treatments + 1)]

    def mechanism_of(self) -> dict[str, str]:
        """Treatments -> their mechanisms (`M1`, …, after the prefix); empty without mechanisms."""
        if not self.mechanisms:
            return {}
        treatments = self.class_names()[1]
        return {name: f"{self.prefix}M{at % self.mechanisms + 1}" for at, name in enumerate(treatments)}

    def experiment_names(self) -> list[str]:
        """The experiments in order, like `ALPHA-01`."""
        return [f"{kind}-{number:02d}" for kind, n in self.experiments.items() for number in range(1, n + 1)]
