"""The file in which a run says what it was made from: recipe, versions, commit, hardware."""

import json
from pathlib import Path
from typing import Any

from debatch.tabular import write_text


def record_of(model: Path) -> Path:
    """Where the run of a model's file says what it was."""
    return model.with_name("recipe.json")


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a run's record as JSON."""
    write_text(json.dumps(record, indent=2, sort_keys=False) + "\n", path)
