"""Images of a screen: where the raw ones are, and what turns them into stored ones; the parts of a screen."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from debatch.config.base import SAFE_NAME, Section, Size, height_and_width
from debatch.config.paths import ConfigPath
from debatch.config.simulation import SimulationConfig

# of a screen whose images all share channels, size and depth
ONE_PART = "all"

Compression = Literal["lz4", "zstd", "none"]


class Source(Section):
    """Where the raw images are and what their names say."""

    root: ConfigPath = Field(
        description="Folder of the images; relative to this file; ~, $VAR and ${VAR:-default} expand."
    )
    pattern: str | list[str] | None = Field(
        None,
        description="Path of a file below the root, with fields in braces: {experiment}, {plate:d}, {well} or "
        "{row:d} and {column:d}, {site:d}, {channel}; `:d` reads a number, `:1` one character, `*` is anything. "
        "Without {channel} a file holds all channels. A list where files are named in several ways.",
    )
    files: str | None = Field(
        None,
        description="In place of a pattern: the column of the metadata, with a row an image, that says where below the "
        "root its file is, which holds all of its channels.",
    )
    channels: dict[str, str] = Field(
        min_length=1,
        description="Channel field -> stain, in channel order, as in {'1': Hoechst}. In files with all channels: the "
        "plane's number from 1, or its name in the OME metadata.",
    )
    channel_width: Annotated[int, Field(ge=1)] | str | None = Field(
        None,
        description="Of files that hold all channels in one grey plane, side by side: the width of each in pixels, or "
        "the column of the metadata that says it; null: channels are planes.",
    )
    sites: list[int | str] | None = Field(
        None,
        min_length=1,
        description="Sites that every well has, so that a missing one is noticed; null: those that are found.",
    )
    ignore: list[str] = Field(
        default=[], description="Files passed over, as in '*_thumb*': shell patterns of the path below the root."
    )

    @model_validator(mode="after")
    def _one_way_to_find_files(self) -> "Source":
        if (self.pattern is None) == (self.files is None):
            raise ValueError(
                "say how files are found: either by `pattern:`, as they are named, or by `files:`, the column of the "
                "metadata that lists them"
            )
        if self.channel_width is None:
            return self
        if isinstance(self.channel_width, str) and self.files is None:
            raise ValueError("`channel_width` names a column where `files:` does too; else it is a number of pixels")
        odd = [name for name in self.channels if not name.isdecimal() or int(name) < 1]
        if odd:
            raise ValueError(
                f"`channels`: there is no channel {odd[0]!r} side by side with others: they are called by their places "
                "from the left, 1, 2, …"
            )
        return self

    @field_validator("channels")
    @classmethod
    def _each_stain_once(cls, value: dict[str, str]) -> dict[str, str]:
        twice = sorted(stain for stain, count in Counter(value.values()).items() if count > 1)
        if twice:
            raise ValueError(f"two channels are both called {twice[0]!r}; give each its own name")
        odd = [stain for stain in value.values() if ": " in stain or "; " in stain]
        if odd:
            raise ValueError(f"the name {odd[0]!r} holds ': ' or '; ', which part the flags of images")
        return value


class ImageProcessing(Section):
    """What turns a raw image into a stored one, in this order (RxRx1 paper, section 2.2)."""

    downsample: int = Field(1, ge=1, description="Factor of area averaging.")
    range: list[float] | dict[str, list[float]] | None = Field(
        None,
        description="[low, high] raw values that become 0 and the largest stored value, one for the whole screen or "
        "one a stain. "
        "A range per image or plate would hide the batch effect. Required for 16-bit images stored in 8 bits.",
    )
    crop: Size | None = Field(
        None,
        description="Side of the central square that is kept, or [height, width] of a rectangle; null: all of it.",
    )
    tiles: int = Field(1, ge=1, description="4 cuts each image into 4 x 4 sites.")

    @field_validator("range")
    @classmethod
    def _low_below_high(
        cls, value: list[float] | dict[str, list[float]] | None
    ) -> list[float] | dict[str, list[float]] | None:
        for pair in value.values() if isinstance(value, dict) else [value] if value is not None else []:
            if len(pair) != 2 or pair[0] >= pair[1]:
                raise ValueError(f"a range is [low, high] with low < high, not {pair}")
        return value


class Store(Section):
    """How images are stored."""

    dtype: Literal["uint8", "uint16"] = Field(
        "uint8",
        description="Stored pixel values. uint16 keeps 16-bit images as they are, or as `image.range` scales them.",
    )
    codec: Compression = Field(
        "lz4", description="Compression of an image: fast (lz4 with bitshuffle), small (zstd) or none."
    )
    images_per_shard: int = Field(64, ge=1, description="Images in one file of the store.")


class Part(Section):
    """Experiments of a screen whose images share channels, size and depth."""

    source: Source | None = Field(None, description="Raw images of the part.")
    simulate: SimulationConfig | None = Field(None, description="Draw the part's images instead of reading them.")
    experiments: list[str] | None = Field(
        None, description="Experiments of the part, each of one part alone; null: those that `simulate` draws."
    )
    expected_images: int | None = Field(
        None, ge=1, description="Images of the part, for the bill before the data is there; null: not known."
    )
    image: ImageProcessing = Field(default_factory=ImageProcessing, description="From raw to stored image.")
    fields: dict[str, str | int] = Field(
        default={}, description="Constants for what this part's file names lack, beside those of the screen."
    )
    store: Store | None = Field(None, description="How images are stored; null: as the screen says.")

    @model_validator(mode="after")
    def _one_origin(self) -> "Part":
        if (self.source is None) == (self.simulate is None):
            raise ValueError("a part has either `source:` (raw images) or `simulate:` (drawn ones)")
        if self.simulate is not None and self.experiments is not None:
            raise ValueError("leave out `experiments`: they are those that `simulate` draws")
        if not self.experiment_names():
            raise ValueError("no experiment is in this part; list them as `experiments: [...]`, or leave the part out")
        for name in self.experiments or []:
            check_experiment_name(name)
        return self

    def channel_names(self) -> list[str]:
        """The channels in stored order."""
        if self.simulate is not None:
            return self.simulate.channel_names()
        assert self.source is not None
        return list(self.source.channels.values())

    def experiment_names(self) -> list[str]:
        """The experiments in order."""
        return self.simulate.experiment_names() if self.simulate is not None else self.experiments or []


def stored_size(image: ImageProcessing, simulate: SimulationConfig | None) -> tuple[int, int] | None:
    """Height and width of stored images, as far as the configuration says; None: as the raw images have it."""
    if image.crop is not None:
        height, width = height_and_width(image.crop)
    elif simulate is not None:
        height, width = (side // image.downsample for side in simulate.size)
    else:
        return None
    return height // image.tiles, width // image.tiles


def check_experiment_name(name: str) -> None:
    """Refuse a name that would not be one plain folder name.

    Raises:
        ValueError: the name is not made of letters, digits, dots, dashes and underscores.
    """
    if not SAFE_NAME.fullmatch(name):
        raise ValueError(
            f"experiment {name!r}: a name becomes a folder, and may hold only letters, digits, '.', '-', '_'; give it "
            "another one by `experiment_names`"
        )
