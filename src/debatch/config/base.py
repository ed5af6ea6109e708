"""The base of every configuration model: strict types, no unknown keys."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

# of what becomes a file's or a folder's name
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Section(BaseModel):
    """One section of a YAML file. A key that the model does not know is an error, and so is a wrong type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)

    def stated(self) -> dict[str, Any]:
        """What a file states of it: keys and values, without defaults."""
        return {key: getattr(self, key) for key in type(self).model_fields if key in self.model_fields_set}
