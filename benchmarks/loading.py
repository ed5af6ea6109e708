"""The training step with images read from the store against the same step on one mini-batch that stays in memory.

Usage: python benchmarks/loading.py [threads]     (both ways in turns; the demo's network at 64 pixels, and
DenseNet-121 at 128 pixels from stored images of 512; one thread each, as the demo trains, unless said otherwise)
       python benchmarks/loading.py 8 --device cuda --backbone densenet161 --pixels 512

The second asks, on a machine with a GPU, whether the store feeds the paper's own step: 1,024 stored images of 6 x 512 x
512, two epochs of two steps of eight groups of 64, of which the second is timed. A ratio near 1 says that it does, with
so many threads. Files are in the page cache, so that a disk slower than the GPU does not show. An epoch's clock is read
after its losses were fetched from the device, and so after all that was queued there.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import CHANNELS, about, fields

from debatch.config import Recipe
from debatch.config.images import Store
from debatch.learn.data import TrainingData
from debatch.learn.train import Trainer, TrainingFiles
from debatch.model.inputs import Group, ImageSet
from debatch.registry import build_registry
from debatch.runtime.devices import describe_device
from debatch.screen.ingest.measure import measure
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
            where = torch.from_numpy(at).to(self.device)
            yield self.first._replace(
                positions=at, images=self.first.images[: len(at)], means=self.means[where], sds=self.sds[where]
            )


def write_store(path: Path, images: list[np.ndarray], channels: list[str] | None = None) -> None:
    """One store in the shipped codec."""
    named = {} if channels is None else {"channels": channels}
    with StoreWriter(path, (len(images), *images[0].shape), Store(), named) as writer:
        for image in images:
            writer.append(image[None], measure(image[None]).moments)


def ratio(
    recipe: Recipe, images: list[np.ndarray], folder: Path, threads: int, device: torch.device, rounds: int
) -> dict[str, float]:
    """Images a second with reading and without, the last epoch of each, in turns."""
    store = folder / f"{recipe.backbone}.zarr"
    write_store(store, images)
    count = len(images)
    places = {"experiment": "a", "part": "all", "store_row": range(count)}
    rows = pd.DataFrame({"image_id": [f"i{at}" for at in range(count)], **places})
    statistics = normalization_statistics(rows, read_moments(store), [f"c{c}" for c in range(CHANNELS)], "self")
    data = TrainingData(rows, np.arange(count) % CLASSES, np.arange(count) % 4, list("abcd"), CLASSES)
    rates: dict[str, list[float]] = {"stored": [], "cached": []}
    for turn in range(rounds):
        for way, kind in (("stored", ImageSet), ("cached", CachedImageSet)):
            set_of_images = kind(rows, statistics, ImageReader({"a": store}, threads), device)
            trainer = Trainer(recipe, data, set_of_images, 0, way)
            files = TrainingFiles(folder / f"{way}{turn}.csv", folder / f"{way}{turn}{recipe.backbone}.pt")
            rates[way].append(float(trainer.fit(files)["images_per_second"].iloc[-1]))
    stored, cached = (float(np.median(rates[way])) for way in ("stored", "cached"))
    return {"stored_images_per_second": stored, "cached_images_per_second": cached, "ratio": stored / cached}


def shipped(threads: int, device: torch.device, folder: Path) -> tuple[dict[str, dict[str, float]], str]:
    """The demo's network and a DenseNet, small enough for a CPU; and what the images are."""
    demo = build_registry({"screen": "demo"}, ROOT).recipes["baseline"].model_dump()
    large, origin = fields(320)
    small = [image[:, at : at + 64, at : at + 64] for image in large[:128] for at in range(0, 448, 14)]
    once = {"epochs": 1, "warmup_epochs": 0, "statistics_images": 32}
    densenet = {**demo, **once, "backbone": "densenet121", "pixels": 128, "group": 32, "groups_per_step": 2}
    found = {
        "demo": ratio(Recipe(**{**demo, **once}), small, folder, threads, device, ROUNDS),
        "densenet121_128px": ratio(Recipe(**densenet), large, folder, threads, device, ROUNDS),
    }
    return found, origin


def chosen(options: argparse.Namespace, device: torch.device, folder: Path) -> tuple[dict[str, dict[str, float]], str]:
    """One network at one size with the paper's training; and what the images are."""
    images, origin = fields(options.images)
    recipe = Recipe.model_validate(
        {
            "backbone": options.backbone,
            "pixels": options.pixels,
            "group": options.group,
            "groups_per_step": options.groups_per_step,
            "epochs": 2,  # in the first one kernels are chosen
            "warmup_epochs": 0.0,
            "statistics_images": options.group,
        }
    )
    rates = ratio(recipe, images, folder, options.threads, device, options.rounds)
    return {f"{options.backbone}_{options.pixels}px": rates}, origin


def main() -> None:
    """Print one JSON record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("threads", type=int, nargs="?", default=1, help="that read, and of a CPU that trains")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--backbone", help="of the one network to measure; left out: the two of the first line")
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--group", type=int, default=64)
    parser.add_argument("--groups-per-step", type=int, default=8)
    parser.add_argument("--images", type=int, default=1024, help="in the store")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each way")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch sees no GPU here")
    device = torch.device(options.device)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found, origin = (
            chosen(options, device, folder) if options.backbone else shipped(options.threads, device, folder)
        )
    hardware = describe_device(device)["device"]
    record = {**about("loading", options.threads), "device": hardware, "images": origin}
    for network, numbers in found.items():
        record |= {f"{network}_{key}": round(value, 2 if key == "ratio" else 1) for key, value in numbers.items()}
    print(json.dumps(record))


if __name__ == "__main__":
    main()
