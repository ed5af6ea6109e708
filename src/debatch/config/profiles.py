"""Profiles made elsewhere: embeddings that enter a screen as files, in place of images."""

from pydantic import Field

from debatch.config.base import Section
from debatch.config.paths import ConfigPath


class ProfileSet(Section):
    """Profiles of one maker, as of CellProfiler or of a foundation model: a row a well, or a row an image."""

    file: ConfigPath = Field(
        description="CSV (also .csv.gz), Parquet or AnnData (.h5ad); relative to this file; ~, $VAR and "
        "${VAR:-default} expand."
    )
    title: str | None = Field(None, description="Name in tables and figures; null: the set's own.")
    description: str = Field("", description="One sentence for the report.")
    features: list[str] | None = Field(
        None,
        min_length=1,
        description="Shell patterns of the columns that are features, as in ['Cells_*', 'Nuclei_*']; null: where any "
        "column is called Metadata_…, all others; else all columns of numbers that the screen does not name.",
    )


class Annotation(Section):
    """A table joined to the metadata, as one of mechanisms: its columns are added to the metadata's."""

    file: ConfigPath = Field(description="CSV; relative to this file; ~, $VAR and ${VAR:-default} expand.")
    match: dict[str, str] = Field(
        min_length=1,
        description="Column of the metadata -> column of this table, as in {Metadata_Compound: compound}. Numbers "
        "are compared as numbers.",
    )
