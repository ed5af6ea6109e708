"""What tables and figures share in `config/tables.yaml`, and what a user chooses for a whole invocation.

The keys of a kind of table or figure stand in its own file, in `report/kinds`.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import Field, model_validator

from debatch.config.base import Section
from debatch.config.read import check_entry_name, nearest
from debatch.config.splits import SplitName
from debatch.errors import ConfigError


class Target(Section):
    """A table or figure: a view over runs, which it shares with the others.

    On a screen of profiles, or under `model`, the rows are those profiles in place of methods.
    """

    kind: str
    title: str = Field(description="Heading.")
    paper: str = Field(
        "rxrx1",
        description="Paper that has a table or figure of this name. Where the screen is that paper's (`published`), "
        "the heading has its number, and its numbers stand beside.",
    )
    methods: list[str] = Field(min_length=1, description="Rows, in order; differences are to the first.")
    splits: list[SplitName] = Field(min_length=1, description="Splits that it looks at.")
    seeds: int = Field(1, ge=1, description="Seeds that it wants; a screen may allow fewer.")


class Table(Target):
    """What tables of every kind have."""

    published_columns: dict[str, str] = Field(
        default={}, description="This screen's names -> the paper's, where they differ, as in {HEPG2: HepG2}."
    )
    published_rows: dict[str, str] = Field(default={}, description="The same of rows, as in {no_cutmix: -cutmix}.")
    published_table: str | None = Field(
        None, description="The paper's table whose numbers stand beside; null: the one of this name."
    )

    def published_row(self, row: str) -> str:
        """The paper's name of a row."""
        return self.published_rows.get(row, row)


class Figure(Target):
    """What figures of every kind have."""


class Tables(Section):
    """Every table and figure by name."""

    tables: Mapping[str, Table] = Field(description="Tables.")
    figures: Mapping[str, Figure] = Field(description="Figures that show trained runs.")
    pages: dict[str, list[str]] = Field(
        default={},
        description="Page -> the tables and figures of a paper, in its order: `snakemake <page>` makes them and a page "
        "of them, and reports show them in this order.",
    )

    @model_validator(mode="after")
    def _pages_are_there(self) -> "Tables":
        known = self.all()
        for page, names in self.pages.items():
            try:
                check_entry_name(page, "pages", "page")
            except ConfigError as error:
                raise ValueError(str(error)) from None
            if page in known or page in get_args(FixedTarget):
                raise ValueError(f"`pages.{page}`: there is a target of this name already; take another one")
            for name in names:
                if name not in known:
                    raise ValueError(f"`pages.{page}`: no table or figure {name!r}{nearest(name, list(known))}")
        return self

    def on_pages(self) -> list[str]:
        """The tables and figures of all pages, in order, each once."""
        return list(dict.fromkeys(name for names in self.pages.values() for name in names))

    def all(self) -> dict[str, Target]:
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
    "qc", "plates", "illumination", "report", "explorer", "ingest", "embed", "h5ad", "ome_zarr", "tables", "figures",
]  # fmt: skip
# What there is only of images.
IMAGE_TARGETS = ("qc", "plates", "illumination", "ingest", "ome_zarr")
# What shows wells in their places.
PLATE_TARGETS = ("plates", "ome_zarr", "explorer")
