"""A simulated Cell Painting screen as raw 16-bit images, its perturbation and batch effects known."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile

from debatch.config.simulation import CHANNELS, SimulationConfig
from debatch.errors import ConfigError
from debatch.screen.names.wells import row_letters
from debatch.screen.simulate.cells import draw_fields
from debatch.screen.simulate.effects import (
    TRAITS,
    batch_effects,
    cell_type_traits,
    planted_effects,
    plate_effect,
    stream,
)
from debatch.screen.simulate.optics import RANGE, expose, photograph
from debatch.screen.simulate.tasks import task_columns

__all__ = ["CHANNELS", "RANGE", "planted_effects", "plate_layouts", "simulate_experiment", "write_experiment"]

WELL_SD = 0.15
WELL_GAIN_SD = 0.40
WELL_OFFSET = 0.045
CAMERA_OFFSET = 0.03
# zlib's lowest level saves a quarter of the bytes at hardly any time; higher ones save no more.
TIFF: dict[str, Any] = {
    "photometric": "minisblack",
    "metadata": None,
    "compression": "zlib",
    "compressionargs": {"level": 1},
}


def _inner_wells(n: int) -> list[str]:
    """The names of n wells in a block of about 3 x 4, from B02: a plate's rim stays empty."""
    rows = max(1, round(np.sqrt(n * 3 / 4)))
    columns = -(-n // rows)
    return [f"{row_letters(2 + i // columns)}{2 + i % columns:02d}" for i in range(n)]


def _treatments_by_plate(config: SimulationConfig, experiment: str) -> list[list[str]]:
    """The treatments that each plate of an experiment holds: all, or one of as many fixed sets as there are plates."""
    _, treatments = config.class_names()
    if not config.spread_treatments:
        return [treatments] * config.plates
    sets = [part.tolist() for part in np.array_split(np.array(treatments), config.plates)]
    first = int(stream(config.seed, "sets", experiment).integers(config.plates))
    return sets[first:] + sets[:first]


def _classes(config: SimulationConfig, treatments: list[str]) -> pd.DataFrame:
    """One row a well of a plate with some treatments, not yet laid out: perturbation and well_type."""
    controls, _ = config.class_names()
    return pd.DataFrame(
        [(name, "positive_control") for name in controls for _ in range(config.positive_control_wells)]
        + [(name, "treatment") for name in treatments for _ in range(config.treatment_wells)]
        + [(config.empty, "negative_control")] * config.empty_wells,
        columns=["perturbation", "well_type"],
    )


def _hits(classes: pd.DataFrame, hits: list[str], wells: int) -> pd.DataFrame:
    """So many wells, of the hits among all classes alone and in turn."""
    of_hits = classes.drop_duplicates("perturbation").set_index("perturbation").loc[hits].reset_index()
    return of_hits.iloc[np.arange(wells) % len(of_hits)][classes.columns]


def plate_layouts(config: SimulationConfig) -> pd.DataFrame:
    """The layout of the whole screen.

    Each plate is shuffled by itself, so that a well's position says nothing about its class.

    Returns:
        One row a well: experiment, plate, well, cell_type, well_type, perturbation; `mechanism` where treatments
        share them (empty of controls); and where there are tasks the columns of `task_columns`; sorted by the first
        three within a cell type.
    """
    every_class = _classes(config, config.class_names()[1])
    plates = []
    for cell_type, n in config.experiments.items():
        for experiment in (f"{cell_type}-{i:02d}" for i in range(1, n + 1)):
            for plate, treatments in enumerate(_treatments_by_plate(config, experiment), start=1):
                held = _classes(config, treatments)
                wells = _inner_wells(len(held))
                if experiment in config.hits_only:
                    held = _hits(every_class, config.hits_only[experiment], len(wells))
                order = stream(config.seed, "layout", experiment, plate).permutation(len(wells))
                layout = held.iloc[order].assign(experiment=experiment, plate=plate, well=wells, cell_type=cell_type)
                plates.append(layout.sort_values("well"))
    columns = ["experiment", "plate", "well", "cell_type", "well_type", "perturbation"]
    layouts = pd.concat(plates, ignore_index=True)[columns]
    if config.mechanisms:
        layouts["mechanism"] = layouts["perturbation"].map(config.mechanism_of()).fillna("")
    return pd.concat([layouts, task_columns(config, layouts)], axis=1)


def _simulate_plate(config: SimulationConfig, layout: pd.DataFrame) -> np.ndarray:
    """Images (wells x sites, C, H, W) uint16 of one plate's layout, the sites of a well together."""
    experiment, plate, cell_type = layout[["experiment", "plate", "cell_type"]].iloc[0]
    rng = stream(config.seed, "images", experiment, plate)
    batch = batch_effects(config)[experiment]
    at_plate = plate_effect(config, experiment, plate)

    effect = planted_effects(config).loc[cell_type].loc[layout["perturbation"]].to_numpy()
    traits = effect + cell_type_traits(config, cell_type) + batch.traits
    traits = traits + WELL_SD * rng.standard_normal((len(layout), len(TRAITS)))
    gain = batch.log_gain + at_plate.log_gain + WELL_GAIN_SD * rng.standard_normal((len(layout), len(CHANNELS)))
    offset = batch.offset + at_plate.offset + WELL_OFFSET * rng.standard_exponential(gain.shape) + CAMERA_OFFSET

    fields = draw_fields(traits.repeat(config.sites, axis=0), config.size, config.seed, rng)
    images = photograph(fields, batch, config.size, rng)
    exposed = expose(images, np.exp(gain).repeat(config.sites, axis=0), offset.repeat(config.sites, axis=0))
    # all are drawn, so that fewer channels are the same images
    return exposed[:, [CHANNELS.index(name) for name in config.channel_names()]]


def simulate_experiment(config: SimulationConfig, experiment: str) -> tuple[pd.DataFrame, np.ndarray]:
    """One experiment of the screen. It depends on the configuration and its name alone.

    Returns:
        The rows, one an image: experiment, plate, well, site (from 1), cell_type, well_type, perturbation;
        sorted by plate, well, site. The images (N, C, H, W) uint16: camera counts, mostly within `RANGE`.

    Raises:
        ConfigError: The screen has no such experiment.
    """
    layouts = plate_layouts(config)
    layouts = layouts[layouts["experiment"] == experiment]
    if layouts.empty:
        names = ", ".join(config.experiment_names())
        raise ConfigError(f"simulate.experiments: there is no experiment {experiment!r}; there are {names}")
    images = np.concatenate([_simulate_plate(config, layout) for _, layout in layouts.groupby("plate")])
    rows = layouts.loc[layouts.index.repeat(config.sites)].reset_index(drop=True)
    rows.insert(3, "site", np.tile(np.arange(1, config.sites + 1), len(layouts)))
    return rows, images


def write_experiment(config: SimulationConfig, experiment: str, root: Path) -> pd.DataFrame:
    """Writes `<root>/<experiment>/Plate<plate>/<well>_s<site>_w<channel>.tif`, a 16-bit grey TIFF a channel.

    The folder appears when it is whole: a call that fails or is killed leaves nothing that looks finished.

    Returns:
        One row a file: file (relative to root), channel (from 1), and the columns of the image's row.
    """
    final, part = root / experiment, root / f"{experiment}.part"
    rows, images = simulate_experiment(config, experiment)
    for folder in (final, part):
        if folder.exists():
            shutil.rmtree(folder)
    try:
        for plate in rows["plate"].unique():
            (part / f"Plate{plate}").mkdir(parents=True)
        files = []
        for row, image in zip(rows.to_dict("records"), images, strict=True):
            for channel, plane in enumerate(image, start=1):
                name = f"Plate{row['plate']}/{row['well']}_s{row['site']}_w{channel}.tif"
                tifffile.imwrite(part / name, plane, **TIFF)
                files.append({"file": f"{experiment}/{name}", "channel": channel, **row})
        part.rename(final)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return pd.DataFrame(files)
