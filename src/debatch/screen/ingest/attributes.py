"""What a store says of how its images were made, held against what the screen says."""

import json
from pathlib import Path
from typing import Any

from debatch.config.screen import Screen
from debatch.errors import DataError


def processing(screen: Screen, channels: list[str]) -> dict[str, Any]:
    """What a store's attributes say of how its images were made: their channels, and what was done to them.

    Args:
        screen: as `ingest_experiment` takes it.
        channels: C names.
    """
    return {"channels": channels, "preprocessing": screen.image.model_dump()}


def refuse_other_processing(screen: Screen, stores: dict[str, Path]) -> None:
    """Look whether stores were made as the screen says now.

    Raises:
        DataError: one was not.
    """
    for experiment, store in stores.items():
        own = screen.of_part(screen.part_of(experiment))
        made = json.loads((store / "zarr.json").read_text())["attributes"]
        for key, asked in processing(own, own.channel_names()).items():
            if made.get(key) != asked:
                raise DataError(
                    f"{store}: its images were made with {key} {made.get(key)}, and the screen says {asked} now; "
                    "ingest it again (`snakemake -R ingest_experiment`), or mend the screen's file"
                )
