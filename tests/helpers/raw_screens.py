"""Small raw screens for the tests of ingestion."""

import imagecodecs
import numpy as np
import pandas as pd

from debatch.config import Screen
from debatch.config.images import Source, Store
from debatch.config.metadata import Columns, Metadata
from debatch.screen.ingest.experiment import ingest_experiment
from debatch.screen.metadata import read_catalogue

PATTERN = "{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.png"
CHANNELS = {"1": "DNA", "2": "ER"}


def make_screen(root, source=None, **changes):
    return Screen(
        **{
            "source": Source(**{"root": str(root), "pattern": PATTERN, "channels": CHANNELS, **(source or {})}),
            "metadata": Metadata(file=str(root / "wells.csv")),
            "columns": Columns(cell_type=None, well_type=None),
            "store": Store(images_per_shard=4),
            **changes,
        }
    )


def write_wells(root, wells):
    rows = [
        {"experiment": "E-1", "plate": 1, "well": well, "perturbation": f"T{at % 3}"} for at, well in enumerate(wells)
    ]
    pd.DataFrame(rows, columns=["experiment", "plate", "well", "perturbation"]).to_csv(root / "wells.csv", index=False)


def write_png_screen(root, wells=6, seed=0):
    """Wells B02, B03, … with one site and two channels each, 40 x 40 pixels."""
    generator = np.random.default_rng(seed)
    names = [f"{chr(66 + at // 40)}{2 + at % 40:02d}" for at in range(wells)]
    for name in names:
        for channel in (1, 2):
            path = root / f"E-1/Plate1/{name}_s1_w{channel}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(imagecodecs.png_encode(generator.integers(0, 255, (40, 40), dtype=np.uint8)))
    write_wells(root, names)


def ingest(root, source=None, threads=2, **changes):
    """Ingest E-1; the index rows."""
    screen = make_screen(root, source, **changes)
    catalogue = read_catalogue(screen, screen.metadata.tables(), ["E-1"]) if screen.metadata else None
    return ingest_experiment(
        screen, screen.source, "E-1", catalogue, root / "out/E-1.zarr", root / "out/problems.csv", threads=threads
    )


def problems(root):
    return pd.read_csv(root / "out/problems.csv", dtype=str, keep_default_na=False)
