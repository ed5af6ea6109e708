"""The base of every configuration model: strict types, no unknown keys."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section of a YAML file. A key that the model does not know is an error, and so is a wrong type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)
