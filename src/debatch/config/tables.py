"""Which runs make which table or figure, and what a user chooses for a whole invocation."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from debatch.config.base import Section
from debatch.config.read import check_entry_name, nearest
from debatch.config.recipe import Variation
from debatch.config.splits import SplitName
from debatch.errors import ConfigError

# rows that are changes of recipes
VARIED = ("variations", "probe_variations")


class Target(Section):
    """A view over runs, which it shares with the other tables and figures.

    On a screen of profiles, or under `model`, the rows are those profiles in place of methods.
    """

    title: str = Field(description="Heading.")
    methods: list[str] = Field(min_length=1, description="Rows, in order; differences are to the first.")
    splits: list[SplitName] = Field(min_length=1, description="Splits that it looks at.")
    seeds: int = Field(1, ge=1, description="Seeds that it wants; a screen may allow fewer.")
    corrections: list[str] = Field(
        default=[], description="Corrections of embeddings that it shows of each method; `none`: as they are."
    )
    images: list[Annotated[int, Field(ge=2)]] = Field(
        default=[8, 16, 32, 128],
        min_length=1,
        description="Of the kind `adaptation`: from how many images of a batch or plate statistics are taken; all of "
        "them stands beside.",
    )
    classes: list[Annotated[int, Field(ge=1, le=99)]] = Field(
        default=[50, 25, 10],
        min_length=1,
        description="Of the kind `label_shift`, and of a figure of the kind `adaptation`: percent of its classes that "
        "a batch is left with, at least two.",
    )


class Table(Target):
    """A table."""

    kind: Literal[
        "generalization",
        "differences",
        "cell_types",
        "cosine",
        "probe",
        "correction",
        "variations",
        "probe_variations",
        "few_batches",
        "adaptation",
        "label_shift",
    ] = Field(
        description="What its cells hold. generalization: accuracy on each split, unseen over seen, batch accuracy; "
        "differences: of methods, paired; cell_types: accuracy on unseen batches by cell type; cosine: how far "
        "similarities across batches are from those within; probe: what still tells the batch; correction: what "
        "corrections of embeddings remove, and what they cost; variations: accuracy of each method under each of some "
        "changes of its recipe; probe_variations: what still tells the batch under each of them; few_batches: accuracy "
        "by cell type after training on few batches of that cell type, drawn from the training side of the split; "
        "adaptation: accuracy by how many images of a new batch or plate give the batch-norm statistics, and which; "
        "label_shift: accuracy where a batch holds only some of its classes."
    )
    paper: str = Field("rxrx1", description="Paper that has a table of this name; its numbers stand beside.")
    nulls: list[str] = Field(
        default=[], description="Methods that can only score at chance: one seed, on the first split alone."
    )
    published_columns: dict[str, str] = Field(
        default={}, description="This screen's names -> the paper's, where they differ, as in {HEPG2: HepG2}."
    )
    published_rows: dict[str, str] = Field(default={}, description="The same of rows, as in {no_cutmix: -cutmix}.")
    variations: dict[str, Variation] = Field(
        default={},
        description="Rows of the kinds `variations` and `probe_variations`: what each changes of every method's "
        "recipe; {} changes nothing.",
    )
    draws: int = Field(
        1,
        ge=1,
        description="Draws of batches of the kind `few_batches`: the first with all seeds, the others with one.",
    )

    @field_validator("variations")
    @classmethod
    def _plain_names(cls, value: dict[str, Variation]) -> dict[str, Variation]:
        for name in value:
            try:
                check_entry_name(name, "variations", "variation")
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _rows_of_its_kind(self) -> "Table":
        if (self.kind in VARIED) != bool(self.variations):
            raise ValueError(
                "a table of the kind `variations` or `probe_variations`, and no other, lists its `variations:`"
            )
        return self


class Figure(Target):
    """A figure that shows trained runs."""

    kind: Literal["umap", "cosine", "epochs", "correction", "channel_subsets", "shapley", "adaptation"] = Field(
        description="umap: test embeddings by batch and by perturbation; cosine: distributions of cosine similarities; "
        "epochs: test accuracy while training; correction: batch effect removed against biology kept; channel_subsets: "
        "accuracy of models trained on each subset of the channels; shapley: what each channel adds, from the same; "
        "adaptation: accuracy by how many images give the batch-norm statistics, and which."
    )
    cell_type: str | None = Field(
        None, description="The one cell type that a UMAP shows; null: the one with most test batches."
    )


# What each kind is made from, of each of its runs; `nulls` are of a split and not of a run.
NEEDS: dict[str, list[str]] = {
    "generalization": ["metrics", "nulls"],
    "differences": ["metrics"],
    "cell_types": ["metrics"],
    "cosine": ["cosine"],
    "probe": ["metrics", "probe"],
    "umap": ["embeddings"],
    "epochs": ["epochs"],
    "correction": ["scores"],
    "variations": ["metrics"],
    "probe_variations": ["probe"],
    "few_batches": ["metrics"],
    "adaptation": ["adaptation"],
    "label_shift": ["adaptation"],
    "channel_subsets": ["metrics"],
    "shapley": ["metrics", "nulls"],
}
# Those for which a screen's own networks are trained: there are none of profiles.
TRAINED = (
    "epochs", "variations", "probe_variations", "few_batches", "channel_subsets", "shapley", "adaptation",
    "label_shift",
)  # fmt: skip
CHANNEL_SUBSETS = ("channel_subsets", "shapley")
# Those that look at embeddings alone: of profiles they need no split.
WITHOUT_SPLIT = ("cosine", "correction", "umap")


class Tables(Section):
    """Every table and figure by name."""

    tables: dict[str, Table] = Field(description="Tables.")
    figures: dict[str, Figure] = Field(description="Figures that show trained runs.")
    paper: list[str] = Field(
        default=[],
        description="Tables and figures that `snakemake paper` makes, in the paper's order; reports begin with them.",
    )

    @model_validator(mode="after")
    def _paper_is_there(self) -> "Tables":
        for name in self.paper:
            if name not in self.all():
                raise ValueError(f"`paper`: no table or figure {name!r}{nearest(name, list(self.all()))}")
        return self

    def all(self) -> dict[str, "Table | Figure"]:
        """Tables and figures together."""
        return {**self.tables, **self.figures}


class Choice(Section):
    """What a user chooses: `config/config.yaml`, and `--config key=value`."""

    screen: str = Field("demo", description="A name in config/screens, or the path of a YAML file.")
    seeds: int | None = Field(
        None, ge=1, description="The most seeds that a table takes, in place of the screen's own number; null: that."
    )
    results: str = Field("results", description="Folder for everything that is made.")
    ome_zarr: list[str] | None = Field(
        None,
        min_length=1,
        description="What `snakemake ome_zarr` writes: experiments (all plates), or plates as <experiment>_<plate>; "
        "null: the first experiment.",
    )
    container: str | None = Field(
        None,
        description="Image for `--sdm apptainer`, made from envs/Containerfile, as in debatch.sif.",
    )
    methods: str = Field("config/methods.yaml", description="File of the named methods.")
    corrections: str = Field("config/corrections.yaml", description="File of the named corrections of embeddings.")
    model: str | None = Field(
        None,
        description="Folder of a trained run: the screen's images are embedded by it, and tables and figures are of "
        "those embeddings.",
    )
    tables: str = Field("config/tables.yaml", description="File that says which runs make which table.")


# Figures of the screen itself, before any training, and the files that each comes to.
SCREEN_FIGURES = {
    "qc": ["qc"],
    "plates": ["plates_intensity", "plates_focus", "plates_foreground", "plates_saturation"],
    "illumination": ["illumination"],
}
FixedTarget = Literal[
    "qc", "plates", "illumination", "report", "paper", "ingest", "embed", "h5ad", "ome_zarr", "tables", "figures"
]
# What there is only of images.
IMAGE_TARGETS = ("qc", "plates", "illumination", "ingest", "ome_zarr")
