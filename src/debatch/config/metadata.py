"""A screen's metadata: the table of its wells, and which of its columns is what."""

import re

from pydantic import Field, field_validator

from debatch.config.base import Section
from debatch.config.paths import ConfigPath
from debatch.config.read import expand


class MetadataFile(Section):
    """One of several tables that make up the metadata."""

    file: ConfigPath = Field(description="CSV; relative to this file; ~, $VAR and ${VAR:-default} expand.")
    fields: dict[str, str | int | None] = Field(
        default={},
        description="Constants for columns that this file lacks, as in {dataset: train}; null: empty, as in "
        "{sirna: null} where nothing has a label.",
    )


class Metadata(Section):
    """The table that says what each well holds."""

    file: ConfigPath | list[ConfigPath | MetadataFile] = Field(
        description="CSV, a row a well or a row an image, or a list of such; relative to this file; ~, $VAR and "
        "${VAR:-default} expand."
    )
    select: dict[str, list[str | int]] = Field(
        default={}, description="Column -> values: only rows that have one of them are part of the screen."
    )
    same: dict[str, str] = Field(
        default={},
        description="Column -> another one that must say the same in every row of a file that has both, as in "
        "{label: Label}.",
    )

    def names(self) -> list[str]:
        """The files as the screen calls them, their variables not expanded."""
        given = self.file if isinstance(self.file, list) else [self.file]
        return [table if isinstance(table, str) else table.file for table in given]

    def tables(self) -> list[MetadataFile]:
        """The files, their names expanded.

        Raises:
            ConfigError: an environment variable is not set.
        """
        given = self.file if isinstance(self.file, list) else [self.file]
        tables = [MetadataFile(file=table) if isinstance(table, str) else table for table in given]
        return [table.model_copy(update={"file": expand(table.file)}) for table in tables]


class Columns(Section):
    """Which column of the metadata is what. A list joins columns by `_`."""

    experiment: str = Field("experiment", description="Set of plates run together.")
    plate: str = Field("plate", description="Plate within the experiment.")
    well: str | None = Field(
        "well",
        description="Well within the plate; null: images are of no wells, so that each stands by itself, by the name "
        "of its file (`source.files`).",
    )
    site: str | None = Field(None, description="Site, where the metadata has a row an image; null: a row a well.")
    perturbation: str | list[str] = Field(
        "perturbation", description="What the well was treated with: the class to predict."
    )
    batch: str | list[str] = Field("experiment", description="The domain whose effect is to be removed.")
    cell_type: str | None = Field("cell_type", description="Cell type; null: one for all.")
    well_type: str | None = Field(
        "well_type",
        description="treatment, positive_control or negative_control, or words that `well_types` translates; null: all "
        "are treatments.",
    )
    subset: str | None = Field(None, description="Official train/test column, for the split `separated`; null: none.")
    compound: str | None = Field(
        None, description="Compound, where a perturbation is a compound at a dose; null: perturbations are compounds."
    )
    mechanism: str | None = Field(
        None, description="Mechanism of action; null: not known. Empty where a well's is not."
    )


class Derive(Section):
    """A column made from another one by a regular expression: its first group, or the whole match."""

    source: str = Field(description="Column that is read.")
    pattern: str = Field(description="Regular expression that must match, as in '([A-Z0-9]+)-'.")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from None
        return value
