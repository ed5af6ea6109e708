"""A training step over parts whose images differ in channels, against steps over each part alone, for each stem.

Usage: python benchmarks/parts.py      (ConvNeXt-tiny at 224 pixels; parts of 3, 4 and 5 channels, as CHAMMI has; a
       group of each in a step, of 64 images on a GPU and 8 on a CPU)
       python benchmarks/parts.py --costs     (parameters and GFLOP of each stem with its backbone; nothing is timed)
       python benchmarks/parts.py --stems slice_param --backbone small_resnet --pixels 32 --images 4 --steps 2

`ratio`: the time of the three parts alone, one after the other, to that of the step over them: 1 where nothing is lost;
more where the one step saves two moves of the optimizer. `alone`: what share of them each part takes. It all has
reading, views, network, proxies and optimizer. Times are the least of `--rounds` turns of `--steps` steps, on a CPU
processor time, since others may use the machine.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import about, fields
from loading import write_store

from debatch.config.recipe import Recipe
from debatch.learn.data import TrainingData
from debatch.learn.train import Trainer
from debatch.model.inputs import ImageSet
from debatch.model.stems.costs import stem_cost
from debatch.runtime.devices import describe_device
from debatch.screen.normalization import normalization_statistics
from debatch.screen.store import ImageReader, read_moments

# as CHAMMI's: what the parts share, and what one of them has alone
PARTS = {
    "WTC-11": ["nucleus", "membrane", "protein"],
    "HPA": ["microtubules", "protein", "nucleus", "er"],
    "CP": ["nucleus", "er", "rna", "actin", "mito"],
}
STEMS = ("fixed_channels", "depthwise", "target_param", "slice_param", "hypernet", "template_mixing")
TRANSFORMER = "deit_small_patch16_224"  # of channel tokens, as its method has it
CLASSES, ON_GPU, ON_CPU = 4, 64, 8


def write_parts(folder: Path, count: int, side: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Path]]:
    """So many images of each part in a store: their rows, their statistics, and the stores."""
    images, _ = fields(count)
    rows, statistics, stores = [], [], {}
    for part, channels in PARTS.items():
        stores[part] = folder / f"{part}.zarr"
        write_store(stores[part], [image[: len(channels), :side, :side].copy() for image in images], channels)
        own = pd.DataFrame({"image_id": [f"{part}{at}" for at in range(count)], "experiment": part, "part": part})
        own["store_row"] = range(count)
        rows.append(own)
        statistics.append(normalization_statistics(own, read_moments(stores[part]), channels, "self"))
    return pd.concat(rows, ignore_index=True), pd.concat(statistics), stores


class Steps:
    """A trainer of some parts, whose steps hold a group of each.

    Args:
        rows: of all parts.
        parts: whose images it is trained on.
    """

    def __init__(
        self, options: argparse.Namespace, stem: str, rows: pd.DataFrame, statistics: pd.DataFrame,
        stores: dict[str, Path], parts: list[str], device: torch.device,
    ) -> None:  # fmt: skip
        own = rows[rows["part"].isin(parts)].reset_index(drop=True)
        count = len(own)
        recipe = Recipe.model_validate(
            {
                "backbone": options.backbone, "stem": stem, "pixels": options.pixels, "embedding_width": None,
                "group": options.images, "groups_per_step": len(parts), "epochs": 1, "warmup_epochs": 0.0,
                "optimizer": "adamw", "learning_rate": 0.0001, "objective": {"kind": "proxy"}, "augmentation": "crop",
            }
        )  # fmt: skip
        images = ImageSet(own, statistics, ImageReader(stores, 1), device, {part: PARTS[part] for part in parts})
        data = TrainingData(own, np.arange(count) % CLASSES, np.zeros(count, np.int64), ["b"], CLASSES)
        self.trainer, self.device = Trainer(recipe, data, images, 0, stem), device
        by_part = [images.cut(np.flatnonzero(images.parts == number), options.images) for number in range(len(parts))]
        self.steps = list(zip(*by_part, strict=True))

    def seconds(self) -> float:
        """Of one turn over all images."""
        self.trainer.objective.train()
        began = self._now()
        stream = self.trainer.images.groups(self._groups())
        for at, step in enumerate(self.steps):
            self.trainer._take_step(at, list(step), stream)
        return self._now() - began

    def _groups(self) -> Iterator[np.ndarray]:
        for step in self.steps:
            yield from step

    def _now(self) -> float:
        if self.device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()


def of_stem(options: argparse.Namespace, stem: str, folder: Path, device: torch.device) -> dict[str, object]:
    """The record of one stem: all in turns, after one turn that does not count."""
    rows, statistics, stores = write_parts(folder, options.images * options.steps, options.pixels)
    ways = {name: [name] for name in PARTS} | {"together": list(PARTS)}
    trainers = {name: Steps(options, stem, rows, statistics, stores, parts, device) for name, parts in ways.items()}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-1, options.rounds):
        for name, steps in trainers.items():
            seconds = steps.seconds()
            if turn >= 0:
                taken[name].append(seconds)
    best = {name: min(seconds) for name, seconds in taken.items()}
    alone = sum(best[name] for name in PARTS)
    return {
        "stem": stem,
        "ratio": round(alone / best["together"], 3),
        "step_seconds": float(f"{best['together'] / options.steps:.3g}"),
        "alone": {name: round(best[name] / alone, 3) for name in PARTS},
    }


def costs(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """What each way to take channels costs, by its own method of `methods.yaml`."""
    for stem in ("channel_replication", *STEMS, "channel_tokens"):
        backbone = TRANSFORMER if stem == "channel_tokens" else options.backbone
        recipe = Recipe(backbone=backbone, stem=stem, pixels=options.pixels, embedding_width=None)
        found = stem_cost(recipe, list(PARTS.values()))
        yield {
            "stem": stem, "backbone": backbone, "parameters": found.parameters, "learned": found.learned,
            "gflop": {part: round(gflop, 2) for part, gflop in zip(PARTS, found.gflop, strict=True)},
        }  # fmt: skip


def main() -> None:
    """Print a record a stem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="convnext_tiny")
    parser.add_argument("--stems", nargs="+", default=list(STEMS))
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--images", type=int, default=None, help="of a group")
    parser.add_argument("--steps", type=int, default=2, help="of a turn")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--costs", action="store_true", help="count, and time nothing")
    options = parser.parse_args()
    if options.costs:
        for record in costs(options):
            print(json.dumps(record))
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    options.images = options.images or (ON_GPU if device.type == "cuda" else ON_CPU)
    torch.set_num_threads(1)
    shared = {
        **about("parts", 1), "hardware": describe_device(device),
        **{key: getattr(options, key) for key in ("backbone", "pixels", "images", "steps", "rounds")},
    }  # fmt: skip
    for stem in options.stems:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps({**shared, **of_stem(options, stem, Path(folder), device)}), flush=True)


if __name__ == "__main__":
    main()
