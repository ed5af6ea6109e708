"""The training step with images read from the store against the same step on one mini-batch that stays in memory.

Usage: python benchmarks/loading.py [threads]     (both ways in turns; the demo's network at 64 pixels, and
DenseNet-121 at 128 pixels from stored images of 512; one thread each, as the demo trains, unless said otherwise)
"""

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import CHANNELS, about, fields

from debatch.config import Recipe, build_registry
from debatch.config.screen import Store
from debatch.learn.data import TrainingData
from debatch.learn.train import Trainer, TrainingFiles
from debatch.model.inputs import Group, ImageSet
from debatch.screen.measure import measure
from debatch.screen.normalization import normalization_statistics
from debatch.screen.store import ImageReader, StoreWriter, read_moments

ROUNDS, CLASSES = 3, 8
ROOT = Path(__file__).resolve().parents[1]


class CachedImageSet(ImageSet):
    """Gives the first group's images again and again."""

    def groups(self, positions: Iterable[np.ndarray]) -> Iterator[Group]:
        """Groups of the sizes asked for, from memory."""
        for at in positions:
            if not hasattr(self, "first") or len(self.first.positions) < len(at):
                self.first = next(iter(super().groups([at])))
            where = torch.from_numpy(at)
            yield Group(at, self.first.images[: len(at)], self.means[where], self.sds[where])


def write_store(path: Path, images: list[np.ndarray]) -> None:
    """One store in the shipped codec."""
    with StoreWriter(path, (len(images), *images[0].shape), Store(), {}) as writer:
        for image in images:
            writer.append(image[None], measure(image[None]).moments)


def ratio(recipe: Recipe, images: list[np.ndarray], folder: Path, threads: int) -> dict[str, float]:
    """Images a second with reading and without, an epoch each, in turns."""
    store = folder / f"{recipe.backbone}.zarr"
    write_store(store, images)
    count = len(images)
    rows = pd.DataFrame({"image_id": [f"i{at}" for at in range(count)], "experiment": "a", "store_row": range(count)})
    statistics = normalization_statistics(rows, read_moments(store), [f"c{c}" for c in range(CHANNELS)], "self")
    data = TrainingData(rows, np.arange(count) % CLASSES, np.arange(count) % 4, list("abcd"), CLASSES)
    rates: dict[str, list[float]] = {"stored": [], "cached": []}
    for turn in range(ROUNDS):
        for way, kind in (("stored", ImageSet), ("cached", CachedImageSet)):
            set_of_images = kind(rows, statistics, ImageReader({"a": store}, threads), torch.device("cpu"))
            trainer = Trainer(recipe, data, set_of_images, CHANNELS, 0, way)
            files = TrainingFiles(folder / f"{way}{turn}.csv", folder / f"{way}{turn}{recipe.backbone}.pt")
            rates[way].append(float(trainer.fit(files)["images_per_second"].iloc[-1]))
    stored, cached = (float(np.median(rates[way])) for way in ("stored", "cached"))
    return {"stored_images_per_second": stored, "cached_images_per_second": cached, "ratio": stored / cached}


def main(threads: int) -> None:
    """Print one JSON record."""
    torch.set_num_threads(threads)
    demo = build_registry({"screen": "demo"}, ROOT).recipes["baseline"].model_dump()
    large, origin = fields(320)
    small = [image[:, at : at + 64, at : at + 64] for image in large[:128] for at in range(0, 448, 14)]
    with tempfile.TemporaryDirectory() as folder:
        once = {"epochs": 1, "warmup_epochs": 0, "statistics_images": 32}
        densenet = {**demo, **once, "backbone": "densenet121", "pixels": 128, "group": 32, "groups_per_step": 2}
        found = {
            "demo": ratio(Recipe(**{**demo, **once}), small, Path(folder), threads),
            "densenet121_128px": ratio(Recipe(**densenet), large, Path(folder), threads),
        }
    record = {**about("loading", threads), "images": origin}
    for network, numbers in found.items():
        record |= {f"{network}_{name}": round(value, 2 if name == "ratio" else 1) for name, value in numbers.items()}
    print(json.dumps(record))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
