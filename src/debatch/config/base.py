"""The base of every configuration model: strict types, no unknown keys."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

# of what becomes a file's or a folder's name
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# of images: the side of a square, or [height, width]
Side = Annotated[int, Field(ge=16)]
Size = Side | Annotated[list[Side], Field(min_length=2, max_length=2)]


def height_and_width(size: int | list[int]) -> tuple[int, int]:
    """What a `Size` comes to."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


class Section(BaseModel):
    """One section of a YAML file. A key that the model does not know is an error, and so is a wrong type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)

    def stated(self) -> dict[str, Any]:
        """What a file states of it: keys and values, without defaults."""
        return {key: getattr(self, key) for key in type(self).model_fields if key in self.model_fields_set}
