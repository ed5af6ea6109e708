"""A screen: where its images are, what its metadata's columns mean, how big its training is."""

from collections import Counter
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from debatch.config.backbones import Backbone
from debatch.config.base import SAFE_NAME, Section
from debatch.config.figures import FigureStyle
from debatch.config.images import ONE_PART, ImageProcessing, Part, Source, Store, check_experiment_name
from debatch.config.metadata import Columns, Derive, Metadata
from debatch.config.objectives import Objective
from debatch.config.paths import ConfigPath
from debatch.config.profiles import Annotation, ProfileSet
from debatch.config.recipe import Recipe
from debatch.config.simulation import SimulationConfig
from debatch.config.splits import Splits
from debatch.errors import ConfigError

WellType = Literal["treatment", "positive_control", "negative_control"]
POSITIVE_CONTROL, NEGATIVE_CONTROL = "positive_control", "negative_control"
CONTROLS = (POSITIVE_CONTROL, NEGATIVE_CONTROL)
PROFILE_TARGETS = ("table_correction", "table_s3", "figure_correction", "figure6", "figure7", "report")
# what a linear classifier of profiles is fitted for, and the splits of which one must be there
CLASSIFIED_TARGETS = {"table1": {"separated", "stratified", "stratified_site"}, "table3": {"separated"}}


class PlateFormat(Section):
    """Rows and columns of the plates: a well beyond them is an error."""

    rows: int | None = Field(
        None, ge=1, le=32, description="Rows, lettered from A; after Z comes AA. null: at most 32, not known how many."
    )
    columns: int | None = Field(
        None, ge=1, le=99, description="Columns, numbered from 1. null: at most 48, not known how many."
    )

    @property
    def last(self) -> tuple[int, int]:
        """Row and column that no well lies beyond: those of 1,536 wells where the screen does not say."""
        return self.rows or 32, self.columns or 48


class QcLimits(Section):
    """When an image is flagged. A flag drops nothing: look at the images, then choose by `metadata.select`."""

    saturation: float = Field(0.01, gt=0, le=1, description="Flagged above this share of pixels at the largest value.")
    outlier_sds: float = Field(
        5.0,
        gt=0,
        description="Flagged when log focus or foreground share lies this many robust sds (1.4826 x median absolute "
        "deviation) below the median of its experiment and channel, in experiments of 20 images or more.",
    )


class Explorer(Section):
    """What `snakemake explorer` shows. It changes no result."""

    thumbnails: int = Field(
        64,
        ge=0,
        le=512,
        description="Longest side of its pictures, in pixels; 0: none. Of 64 a six-channel image takes about 3.5 kB.",
    )

    methods: list[str] | None = Field(
        None,
        min_length=1,
        description="Methods that it shows, of those of the screen's tables and figures; null: all. Each takes a "
        "projection (UMAP), and one more with each correction.",
    )

    @field_validator("thumbnails")
    @classmethod
    def _are_seen(cls, value: int) -> int:
        if 0 < value < 16:
            raise ValueError("nothing is seen in fewer than 16 pixels; 0 makes no pictures")
        return value


class Compute(Section):
    """What jobs ask of the machine. It changes no result and re-runs nothing."""

    threads: int = Field(8, ge=1, description="CPU threads of training and embedding.")
    gpus: int = Field(
        1,
        ge=0,
        le=64,
        description="GPUs that one training is dealt over, at most `training.groups_per_step`; embedding takes one. 0: "
        "on the CPU.",
    )
    mem_mb: int = Field(64_000, ge=500, description="Memory of training's first attempt, in MB.")
    runtime: int = Field(1_440, ge=1, description="Training's time limit in minutes.")
    ingest_threads: int = Field(4, ge=1, description="CPU threads of an experiment's ingestion.")


class Screen(Section):
    """One screen."""

    extends: str | None = Field(
        None,
        description="A screen whose file this one's keys are laid over, by its name or as the path of a YAML file, "
        "relative to this one; lists are replaced, not joined.",
    )
    title: str = Field("", description="Name in the report; empty: the file's name.")
    description: str = Field("", description="A sentence or two for the report.")
    simulate: SimulationConfig | None = Field(None, description="Draw the screen instead of reading one.")
    source: Source | None = Field(None, description="Raw images.")
    parts: dict[str, Part] | None = Field(
        None,
        min_length=1,
        description="Where images do not all share channels, size and depth: parts that do, by name, each with its "
        "`source` (or `simulate`), `image` and `experiments`, in place of those of the screen.",
    )
    profiles: dict[str, ProfileSet] | None = Field(
        None,
        min_length=1,
        description="Profiles made elsewhere, by name, in place of images: they enter at the embeddings.",
    )
    metadata: Metadata | None = Field(
        None,
        description="What each well holds; null: wells are those of the file names and none has a label, or the "
        "profiles say it themselves.",
    )
    annotations: list[Annotation] = Field(
        default=[], description="Tables joined to the metadata, as one of mechanisms by compound."
    )
    experiments: list[str] | None = Field(
        None, description="Experiments of the screen; null: those of the metadata file."
    )
    expected_images: int | None = Field(
        None, ge=1, description="Images of the whole screen, for the bill before the data is there; null: not known."
    )
    columns: Columns = Field(default_factory=Columns, description="What the metadata's columns mean.")
    well_types: dict[str, WellType] = Field(
        default={},
        description="The metadata's own words -> well types, as in {DMSO: negative_control, drug: treatment}; '*': all "
        "others.",
    )
    missing: list[str] | None = Field(
        None,
        description="Words of the metadata that mean nothing, as in [nan, None]; null: an empty cell alone, and "
        "`debatch check` asks about such words.",
    )
    experiment_names: dict[str, str] = Field(
        default={},
        description="Experiments as file names and metadata have them -> as results call them, where a name holds a "
        "blank, an umlaut or a slash, as in {'Röhre 1': Roehre-1}.",
    )
    fields: dict[str, str | int] = Field(default={}, description="Constants for columns that are not there.")
    derive: dict[str, Derive] = Field(default={}, description="Columns made from others.")
    image: ImageProcessing = Field(default_factory=ImageProcessing, description="From raw to stored image.")
    on_problem: Literal["fail", "drop"] = Field(
        "fail",
        description="What a broken or missing image does: fail the ingestion once every file has been read, "
        "or leave the image out and list it. Likewise profiles and features with missing or infinite values.",
    )
    store: Store = Field(default_factory=Store, description="How images are stored.")
    plate_format: PlateFormat = Field(
        default_factory=PlateFormat,
        description="Rows and columns of the plates. Left out: all wells up to AF48 are taken, and plates are shown in "
        "the smallest usual format (6, 12, 24, 48, 96, 384, 1536 wells) that holds all of the screen's.",
    )
    qc: QcLimits = Field(default_factory=QcLimits, description="When an image is flagged.")
    splits: Splits = Field(default_factory=Splits, description="Which images train and which test.")
    training: Recipe = Field(default_factory=Recipe, description="What the screen changes of the default recipe.")
    explorer: Explorer = Field(default_factory=Explorer, description="What `snakemake explorer` shows.")
    compute: Compute = Field(default_factory=Compute, description="What training asks of the machine.")
    methods: dict[str, Recipe] = Field(
        default={},
        description="What this screen changes of named methods, as in {hypernet: {learning_rate: 0.0004}}: the last "
        "word.",
    )
    objectives: list[Objective] = Field(
        default=[],
        description="What this screen changes of objectives of other kinds than its training's, by `kind`: a method of "
        "that kind is laid over it.",
    )
    substitutes: dict[Backbone, Backbone] = Field(
        default={},
        description="Backbone that a method or a table's variation names -> the smaller one that stands for it here, "
        "as in {densenet121: small_densenet}: each another one, and named so.",
    )
    pretrained: dict[Backbone, ConfigPath] = Field(
        default={},
        description="Backbone -> local file of its pretrained weights, for every method that has that backbone and "
        "does not name its own `weights`.",
    )
    seeds: int = Field(5, ge=1, description="The most seeds that a table takes here.")
    published: str | None = Field(
        None,
        description="Paper whose numbers this screen's may be compared with, as in `rxrx1`; null: none, every "
        "verdict is 'not comparable'.",
    )
    label: str = Field(
        "", description="A few words at every heading, as where training is smaller than the paper's; empty: none."
    )
    corrections: list[str] | None = Field(
        None, description="Corrections that tables and figures show here, of those they name; null: all of them."
    )
    figures: FigureStyle = Field(
        default_factory=FigureStyle, description="How figures are written: width, font, formats, titles."
    )
    targets: list[str] = Field(
        default=["qc", "plates", "illumination", "table1", "figure6", "report"],
        min_length=1,
        description="What plain `snakemake` makes. Where a screen of profiles leaves this out: the targets that "
        "need no training, and with `splits` Tables 1 and 3, by a linear classifier.",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> "Screen":
        origins = [name for name in ("source", "simulate", "parts", "profiles") if getattr(self, name) is not None]
        if len(origins) != 1:
            raise ValueError(
                "a screen has one of `source:` (raw images), `simulate:` (drawn ones), `parts:` (several of those) and "
                "`profiles:` (made elsewhere)"
            )
        if self.profiles and any(annotation.many for annotation in self.annotations):
            raise ValueError("`annotations.many` is for the wells of images; a profile has one row of each annotation")
        if self.source is not None and self.metadata is None and self.experiments is None:
            raise ValueError("a screen without `metadata:` lists its `experiments:`")
        listed = self.file_columns()
        if any(listed) and self.metadata is None:
            raise ValueError("`source.files` names a column of the metadata, and there is no `metadata:`")
        if self.columns.well is None and (len(set(listed)) != 1 or not listed[0]):
            raise ValueError(
                "`columns.well: null` names images by their files: name one column of the metadata as `source.files`, "
                "the same in all parts"
            )
        if self.simulated and self.published is not None:
            raise ValueError("a simulated screen cannot be compared with published numbers; leave out `published`")
        if self.substitutes and self.published is not None:
            raise ValueError("other networks cannot be compared with published numbers; leave out `published`")
        return self

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Screen":
        if self.parts is None:
            return self
        if self.experiments is not None or self.image != ImageProcessing():
            key = "image" if self.experiments is None else "experiments"
            raise ValueError(f"`{key}:` is said by each part; move it to `parts.<name>.{key}`")
        if len({part.simulate is None for part in self.parts.values()}) > 1:
            raise ValueError("either all parts are drawn (`simulate:`) or none is")
        of: dict[str, str] = {}
        for name, part in self.parts.items():
            for experiment in part.experiment_names():
                if experiment in of:
                    raise ValueError(
                        f"the experiment {experiment!r} is in the parts {of[experiment]!r} and {name!r}; each is in one"
                        + ("" if part.simulate is None else ": draw other cell types there")
                    )
                of[experiment] = name
        return self

    @field_validator("substitutes")
    @classmethod
    def _each_its_own(cls, value: dict[str, str]) -> dict[str, str]:
        twice = sorted(name for name, count in Counter(value.values()).items() if count > 1)
        if twice:
            raise ValueError(f"{twice[0]!r} stands for two backbones, whose rows would be the same; name another one")
        return value

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_profiles(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not data.get("profiles"):
            return data
        splits = data.get("splits", {})
        if isinstance(splits, dict):
            splits = {"names": [], **splits}
        names = splits["names"] if isinstance(splits, dict) else getattr(splits, "names", None)
        # what is no list of names is refused as such
        named = {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
        classified = [target for target, needed in CLASSIFIED_TARGETS.items() if needed & named]
        return {"targets": [*classified, *PROFILE_TARGETS], **data, "splits": splits}

    @field_validator("profiles")
    @classmethod
    def _safe_set_names(cls, value: dict[str, ProfileSet] | None) -> dict[str, ProfileSet] | None:
        for name in value or {}:
            if not SAFE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} becomes a folder, and may hold only letters, digits, '.', '-', '_'")
        return value

    @field_validator("experiment_names")
    @classmethod
    def _each_renamed_once(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value.values():
            check_experiment_name(name)
        twice = sorted(name for name, count in Counter(value.values()).items() if count > 1)
        if twice:
            raise ValueError(f"two experiments would both be called {twice[0]!r}")
        return value

    @field_validator("experiments")
    @classmethod
    def _safe_names(cls, value: list[str] | None) -> list[str] | None:
        for name in value or []:
            check_experiment_name(name)
        return value

    @property
    def simulated(self) -> bool:
        """Whether its images are drawn."""
        return bool(self.simulations())

    def simulations(self) -> list[SimulationConfig]:
        """What draws its images, in the order of its parts; nothing draws real ones."""
        drawn = [part.simulate for part in self.parts.values()] if self.parts else [self.simulate]
        return [simulation for simulation in drawn if simulation is not None]

    def file_columns(self) -> list[str | None]:
        """Of each part that is read, the metadata's column that lists its files; None where names tell."""
        sources = [part.source for part in self.parts.values()] if self.parts else [self.source]
        return [source.files for source in sources if source is not None]

    def images_expected(self) -> int | None:
        """Images of the screen as it says itself, for the bill; None: it does not say."""
        of_parts = [part.expected_images for part in (self.parts or {}).values()]
        known = [count for count in of_parts if count is not None]
        return self.expected_images or (sum(known) if known and len(known) == len(of_parts) else None)

    def part_names(self) -> list[str]:
        """Its parts; `all` alone where it is not in parts."""
        return list(self.parts) if self.parts else [ONE_PART]

    def part_of(self, experiment: str) -> str:
        """The part that an experiment is in.

        Raises:
            ConfigError: none is.
        """
        for name, part in (self.parts or {}).items():
            if experiment in part.experiment_names():
                return name
        if self.parts:
            raise ConfigError(f"`parts`: no part has an experiment {experiment!r}")
        return ONE_PART

    def of_part(self, name: str) -> "Screen":
        """One of its parts as a screen of its own, which is not in parts; itself where it is not."""
        if not self.parts:
            return self
        part = self.parts[name]
        own = {key: getattr(part, key) for key in ("source", "simulate", "image", "experiments", "expected_images")}
        own |= {"store": part.store or self.store, "fields": {**self.fields, **part.fields}}
        return self.model_copy(update={"parts": None, **own})

    def channel_names(self) -> list[str]:
        """The channels in stored order, those of all parts; none of profiles."""
        if self.parts:
            return list(dict.fromkeys(name for part in self.parts.values() for name in part.channel_names()))
        if self.simulate is not None:
            return self.simulate.channel_names()
        return list(self.source.channels.values()) if self.source else []

    def training_batches(self) -> dict[str, int]:
        """Cell type -> its batches on the training side of `separated`, if it has test ones; empty: not known yet."""
        if self.splits.cell_types is not None or not self.simulated:
            return dict(self.splits.cell_types or {})
        test = self.splits.test_batches
        by_experiment = self.columns.batch == self.columns.experiment
        if not by_experiment:
            return {}
        known = {}
        drawn = {kind: n for simulation in self.simulations() for kind, n in simulation.experiments.items()}
        for cell_type, n in drawn.items():
            names = {f"{cell_type}-{number:02d}" for number in range(1, n + 1)}
            tested = round(n / 3) if test is None else len(names & set(test))
            if 0 < tested < n:  # else there is nothing to train on, or to test
                known[cell_type] = n - tested
        return known
