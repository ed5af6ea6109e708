"""Which runs make which table or figure, and what a user chooses for a whole invocation."""

from typing import Literal

from pydantic import Field

from debatch.config.base import Section
from debatch.config.screen import SplitName


class Table(Section):
    """A table or figure: a view over runs, which it shares with the others."""

    title: str = Field(description="Heading.")
    methods: list[str] = Field(min_length=1, description="Rows, in order.")
    splits: list[SplitName] = Field(min_length=1, description="Splits that it looks at.")
    seeds: int = Field(1, ge=1, description="Seeds that it wants; a screen may allow fewer.")
    cell_type: str | None = Field(
        None, description="The one cell type shown; null: the one with most test batches (figures only)."
    )


class Tables(Section):
    """Every table and figure by name."""

    tables: dict[str, Table] = Field(description="Tables.")
    figures: dict[str, Table] = Field(description="Figures that show trained runs.")


class Choice(Section):
    """What a user chooses: `config/config.yaml`, and `--config key=value`."""

    screen: str = Field("demo", description="A name in config/screens, or the path of a YAML file.")
    seeds: int | None = Field(None, ge=1, description="Cap on every table's seeds; null: the screen's own.")
    results: str = Field("results", description="Folder for everything that is made.")
    ome_zarr: list[str] | None = Field(
        None,
        min_length=1,
        description="What `snakemake ome_zarr` writes: experiments (all plates), or plates as <experiment>_<plate>; "
        "null: the first experiment.",
    )
    methods: str = Field("config/methods.yaml", description="File of the named methods.")
    tables: str = Field("config/tables.yaml", description="File that says which runs make which table.")


# Figures of the screen itself, before any training, and the files that each comes to.
SCREEN_FIGURES = {
    "qc": ["qc"],
    "plates": ["plates_intensity", "plates_focus", "plates_foreground", "plates_saturation"],
    "illumination": ["illumination"],
}
FixedTarget = Literal["qc", "plates", "illumination", "report", "ingest", "ome_zarr", "tables", "figures"]
