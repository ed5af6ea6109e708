"""Profiles made elsewhere: embeddings that enter a screen as files, in place of images."""

import glob
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from debatch.config.base import Section
from debatch.config.paths import ConfigPath
from debatch.config.read import expand
from debatch.errors import ConfigError

# shell patterns of columns that CellProfiler and others write beside features: no morphology, and yet numbers
NO_FEATURES = (
    "ImageNumber", "*_ImageNumber", "TableNumber", "ObjectNumber", "*_ObjectNumber", "*_Number_Object_Number",
    "*ClosestObjectNumber_*", "*Parent_*", "*_Children_*", "*_Location_*", "Location_*", "*AreaShape_Center_[XYZ]",
    "*AreaShape_BoundingBoxM*_[XYZ]", "*ImageSet_*", "*Group_Index", "*Group_Number", "*ExecutionTime_*",
    "*ModuleError_*", "*ProcessingStatus*", "Unnamed: *", "index", "level_[0-9]",
)  # fmt: skip
# and of metadata that lack the prefix, by the whole name, in capitals or not
NO_FEATURE_WORDS = frozenset(
    {
        "batch", "plate", "well", "site", "field", "row", "column", "col", "replicate", "experiment", "run", "week",
        "concentration", "dose", "timestamp", "date", "time", "plate_number", "plate_id", "well_id", "batch_id",
        "site_id", "image_id", "object_id", "cell_id", "row_id",
    }
)  # fmt: skip


class TableFiles(Section):
    """A table in one file or several."""

    called: ClassVar[str]
    file: ConfigPath | list[ConfigPath]

    def names(self) -> list[str]:
        """The files and patterns as the screen calls them, their variables not expanded."""
        return [self.file] if isinstance(self.file, str) else self.file

    def files(self) -> list[Path]:
        """The files, in order; those of one pattern by their names, and the pattern itself where none fits.

        Raises:
            ConfigError: an environment variable is not set, or a file is named twice.
        """
        found: list[str] = []
        for name in self.names():
            path = expand(name)
            found += sorted(glob.glob(path)) or [path]
        twice = [name for name in found if found.count(name) > 1]
        if twice:
            raise ConfigError(f"{twice[0]}: named twice by `{self.called}`")
        return [Path(name) for name in found]


class ProfileSet(TableFiles):
    """Profiles of one maker, as of CellProfiler or of a foundation model: a row a well, or a row an image."""

    called: ClassVar[str] = "profiles"
    file: ConfigPath | list[ConfigPath] = Field(
        description="CSV or TSV (also packed, .csv.gz), Parquet or AnnData (.h5ad); relative to this file; ~, $VAR "
        "and ${VAR:-default} expand. Shell patterns as in 'plates/*.csv' and lists of files are joined, as where each "
        "plate has its own."
    )
    title: str | None = Field(None, description="Name in tables and figures; null: the set's own.")
    description: str = Field("", description="One sentence for the report.")
    features: list[str] | None = Field(
        None,
        min_length=1,
        description="Shell patterns of the columns that are features, as in ['Cells_*', 'Nuclei_*']; null: where any "
        "column is called Metadata_…, all others; else all columns of numbers that the screen does not name. Numbers "
        "of objects and images, and places in the image, are no features then (`NO_FEATURES`).",
    )


class Annotation(TableFiles):
    """A table joined to the metadata, as one of mechanisms: its columns are added to the metadata's."""

    called: ClassVar[str] = "annotations"
    file: ConfigPath | list[ConfigPath] = Field(
        description="CSV; relative to this file; ~, $VAR and ${VAR:-default} expand. Shell patterns as in "
        "'platemaps/*.txt' and lists of files are read as one table."
    )
    match: dict[str, str] = Field(
        min_length=1,
        description="Column of the metadata -> column of this table, as in {Metadata_Compound: compound}. Numbers "
        "are compared as numbers, and wells as wells.",
    )
    partial: bool = Field(
        False,
        description="Whether the table may know only some of the rows: the others get empty ones. Else they are an "
        "error, since their names are likely written otherwise.",
    )
    many: bool = Field(
        False,
        description="Whether the table may have many rows for one of the metadata's, which then becomes as many: as a "
        "plate map has wells for metadata with a row a plate.",
    )
    fill: dict[str, str | int] = Field(
        default={},
        description="Column of this table -> what an empty cell of it means, as in {compound: DMSO} of plate maps that "
        "leave wells without a compound empty.",
    )
