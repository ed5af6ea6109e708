"""JSON schemas of the YAML files, for editors. `python -m debatch.registry.schemas FOLDER` writes them."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from debatch.config.corrections import Correction
from debatch.config.recipe import Method
from debatch.config.screen import Screen
from debatch.config.tables import Choice
from debatch.config.throughput import Throughput
from debatch.registry.kinds import tables_model

MODELS: dict[str, Any] = {
    "config": Choice,
    "screen": Screen,
    "methods": dict[str, Method],
    "tables": tables_model(),
    "corrections": dict[str, Correction],
    "throughput": Throughput,
}


def json_schemas() -> dict[str, str]:
    """Each schema as the text of its file, by name."""
    return {
        name: json.dumps(TypeAdapter(model).json_schema(), indent=2, sort_keys=True) + "\n"
        for name, model in MODELS.items()
    }


def main(folder: Path) -> None:
    """Write every schema to `<folder>/<name>.schema.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in json_schemas().items():
        (folder / f"{name}.schema.json").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
