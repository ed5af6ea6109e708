"""The base of every configuration model: strict types, no unknown keys."""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

# of what becomes a file's or a folder's name
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Section(BaseModel):
    """One section of a YAML file. A key that the model does not know is an error, and so is a wrong type.

    Attributes:
        ADDED: keys that came after first results were made, each with the value at which all is as it was without it.
            There they are left out of dumps, so that what was made before them is not out of date.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)

    ADDED: ClassVar[dict[str, Any]] = {}

    def stated(self) -> dict[str, Any]:
        """What a file states of it: keys and values, without defaults."""
        return {key: getattr(self, key) for key in type(self).model_fields if key in self.model_fields_set}

    @model_serializer(mode="wrap")
    def _as_before(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        dumped: dict[str, Any] = serialize(self)
        return {key: value for key, value in dumped.items() if key not in self.ADDED or value != self.ADDED[key]}
