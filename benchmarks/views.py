"""A step of DINO: the network's share of it, its crops against others' in the same run, and what partners cost to read.

Usage: python benchmarks/views.py       (on a GPU: CDCL's step on RxRx1: DeiT-S, 92 images of 6 x 512 x 512 and their
       partners, 2 views of 224 and 6 of 112 pixels; on a CPU 8 images, with the same views each)
       python benchmarks/views.py --backbone small_resnet --stored 64 --pixels 32 --images 4

`network`: forward and backward passes with the losses, and the optimizer, as a share of the step: of all that comes
after reading, views made on the device, the teacher's and the centres' moves and the history's numbers included.
`crops`: the same views of the same images, from stored bytes to standardised views, by kornia (`pip install
kornia==0.9.0`, or it is left out) and torchvision's v2: the time they take, to ours. Both take bilinear interpolation,
torchvision with antialiasing, where ours averages areas; torchvision draws once a call, and so is called once an image.
`reads`: images that are read of the store for a training image with partners and without, and the ratio of processor
time.

Times are the best of `--rounds`, on a CPU processor time of one thread. Images are as in `common.fields`.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from common import about, fields
from loading import write_store
from torch import Tensor
from training_step import image_set

from debatch.config.recipe import Recipe
from debatch.learn.data import TrainingData
from debatch.learn.objectives import Objective
from debatch.learn.train import Trainer
from debatch.model.inputs import Group, ImageSet
from debatch.model.standardize import standardize
from debatch.model.timm_import import import_timm
from debatch.runtime.devices import describe_device
from debatch.screen.store import ImageReader

BATCHES, WELLS = 2, 4
ON_GPU, ON_CPU = 92, 8
Views = Callable[[Group], list[Tensor]]


class Clock:
    """Seconds by name, of calls within one another each its own."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds, self.inner = device, Counter[str](), [0.0]

    def now(self) -> float:
        """With all that was queued on the device done; on a CPU of its own time, since others may use the machine."""
        if self.device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, whose time counts."""

        def clocked(*given: Any, **options: Any) -> Any:
            began = self.now()
            self.inner.append(0.0)
            try:
                return call(*given, **options)
            finally:
                took = self.now() - began
                self.seconds[name] += took - self.inner.pop()
                self.inner[-1] += took

        return clocked


def build_trainer(options: argparse.Namespace, partner: str, images: ImageSet) -> Trainer:
    """One group of all images, as CDCL has it or as DINO has it."""
    recipe = Recipe.model_validate(
        {
            "backbone": options.backbone,
            "pixels": options.pixels,
            "group": len(images),
            "groups_per_step": 1,
            "epochs": 1,
            "warmup_epochs": 0.0,
            "optimizer": "adamw",
            "learning_rate": 0.0007,
            "embedding_width": None,
            "objective": {"kind": "dino", "partner": partner, "centres": "batch", "barlow": 0.75},
        }
    )
    count = len(images)
    rows = images.rows.assign(
        plate="1", well=[f"w{at % WELLS}" for at in range(count)], cell_type="a", perturbation="p",
        batch=[f"b{at % BATCHES}" for at in range(count)],
    )  # fmt: skip
    names = [f"b{batch}" for batch in range(BATCHES)]
    data = TrainingData(rows, np.zeros(count, np.int64), np.arange(count) % BATCHES, names, 1)
    return Trainer(recipe, data, images, 0, "views")


@contextmanager
def clocks(trainer: Trainer, clock: Clock) -> Iterator[None]:
    """Every part of a step by its name."""
    objective, optimizer = trainer.objective, trainer.optimizer
    parts = [
        (objective, "views", "views"), (objective, "forward", "network"), (torch.Tensor, "backward", "network"),
        (optimizer, "step", "network"), (objective, "step", "history"), (objective, "after_step", "followers"),
    ]  # fmt: skip
    with ExitStack() as stack:
        for owner, name, counted in parts:
            stack.enter_context(mock.patch.object(owner, name, clock.timed(counted, getattr(owner, name))))
        yield


def shares(trainer: Trainer, rounds: int) -> dict[str, Any]:
    """Of the best of some steps, after one more: seconds, and the share of each part."""
    positions = np.arange(len(trainer.images))
    (group,) = trainer.images.groups([trainer.objective.reads(positions, np.random.default_rng(0))])
    trainer.objective.train()
    best: tuple[float, Counter[str]] | None = None
    for turn in range(-1, rounds):
        clock = Clock(trainer.device)
        with clocks(trainer, clock):
            began = clock.now()
            trainer._take_step(0, [positions], iter([group]))
            took = clock.now() - began
        if turn >= 0 and (best is None or took < best[0]):
            best = took, clock.seconds
    assert best is not None
    took, parts = best
    return {
        "step_seconds": float(f"{took:.3g}"),
        **{name: round(seconds / took, 4) for name, seconds in parts.items()},
        "rest": round(1 - sum(parts.values()) / took, 4),
    }


def ours(objective: Objective) -> Views:
    """As the objective makes them."""
    return lambda group: objective.views(group, torch.Generator().manual_seed(0)).images


def halves(group: Group) -> tuple[Tensor, Tensor]:
    """Own images and partners, standardised as large as they are stored."""
    size = list(group.images.shape[-2:])
    own, partner = standardize(group.images, group.means, group.sds, size).chunk(2)
    return own, partner


def of_both(group: Group, large: Callable[[Tensor], Tensor], small: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Two large views, three small ones of each half, as ours."""
    own, partner = halves(group)
    return [large(own), large(partner), *(small(half) for half in (own, partner) for _ in range(3))]


def by_kornia(recipe: Recipe, local: tuple[int, int]) -> Views:
    """Whole groups; an error where it is not installed."""
    from kornia import augmentation

    def transform(size: tuple[int, int], scale: list[float]) -> Callable[[Tensor], Tensor]:
        return augmentation.AugmentationSequential(
            augmentation.RandomResizedCrop(size, tuple(scale), (1.0, 1.0), p=1.0, cropping_mode="resample"),
            augmentation.RandomHorizontalFlip(0.5),
            augmentation.RandomVerticalFlip(0.5),
            augmentation.RandomRotation90((1, 1), p=0.5),
        )

    settings = recipe.objective
    large, small = transform(recipe.size, settings.scale), transform(local, settings.local_scale)
    return lambda group: of_both(group, large, small)


def by_torchvision(recipe: Recipe, local: tuple[int, int]) -> Views:
    """Image by image, since a call draws once."""
    import_timm()  # torchvision's wheel does not import beside a CPU build of torch
    from torchvision.transforms import v2

    def transform(size: tuple[int, int], scale: list[float]) -> Callable[[Tensor], Tensor]:
        one = v2.Compose(
            [
                v2.RandomResizedCrop(size, tuple(scale), (1.0, 1.0), antialias=True),
                v2.RandomHorizontalFlip(0.5),
                v2.RandomVerticalFlip(0.5),
                v2.RandomApply([v2.Lambda(lambda image: image.rot90(1, (-2, -1)))], 0.5),
            ]
        )
        return lambda images: torch.stack([one(image) for image in images])

    settings = recipe.objective
    large, small = transform(recipe.size, settings.scale), transform(local, settings.local_scale)
    return lambda group: of_both(group, large, small)


def crops(trainer: Trainer, rounds: int) -> dict[str, Any]:
    """Seconds of our views, and the ratios of others' to it, in turns; `why` where one could not be had."""
    objective = trainer.objective
    positions = np.arange(len(trainer.images))
    (group,) = trainer.images.groups([objective.reads(positions, np.random.default_rng(0))])
    local = objective.local_size
    found: dict[str, Any] = {}
    ways: dict[str, Views] = {"ours": ours(objective)}
    for name, made in (("kornia", by_kornia), ("torchvision", by_torchvision)):
        try:
            ways[name] = made(trainer.recipe, local)
        except ImportError as error:
            found[name] = {"why": f"not measured: {error}"}
    best = dict.fromkeys(ways, float("inf"))
    clock = Clock(trainer.device)
    shapes = [view.shape for view in ways["ours"](group)]
    for _ in range(rounds + 1):
        for name, way in ways.items():
            began = clock.now()
            views = way(group)
            best[name] = min(best[name], clock.now() - began)
            assert [view.shape for view in views] == shapes, name
    each = {name: {"ratio_to_ours": round(best[name] / best["ours"], 2)} for name in ways if name != "ours"}
    return {"ours_seconds": float(f"{best['ours']:.3g}"), **each, **found}


class CountingReader(ImageReader):
    """Counts the images that are asked for."""

    count = 0

    def read_at(self, experiments: np.ndarray, rows: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """As the reader does."""
        self.count += len(rows)
        return super().read_at(experiments, rows, out)


def reads(options: argparse.Namespace, rounds: int) -> dict[str, float]:
    """With partners to without: images read for a training image, and the time of it."""
    found: dict[str, tuple[float, float]] = {}
    images = made_up(options, options.images_read)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "a.zarr"
        write_store(store, list(images))
        for partner in ("none", "other_batch"):
            reader = CountingReader({"a": store}, torch.get_num_threads())
            chosen = image_set(images, torch.device("cpu"))
            chosen.reader = reader
            objective = build_trainer(options, partner, chosen).objective
            best = float("inf")
            order = np.random.default_rng(0).permutation(len(images))
            asked = [objective.reads(at, np.random.default_rng(n)) for n, at in enumerate(np.array_split(order, 4))]
            for _ in range(rounds + 1):
                reader.count, began = 0, time.process_time()  # of all threads: others may use the machine
                for _ in chosen.groups(iter(asked)):
                    pass
                best = min(best, time.process_time() - began)
            found[partner] = reader.count / len(images), best
    (alone, seconds), (both, more) = found["none"], found["other_batch"]
    return {
        "images_read_alone": alone, "images_read_with_partners": both, "processor_time_ratio": round(more / seconds, 2)
    }  # fmt: skip


def made_up(options: argparse.Namespace, count: int) -> np.ndarray:
    """(count, 6, stored, stored) uint8."""
    return np.stack(fields(count)[0])[:, :, : options.stored, : options.stored]


def main() -> None:
    """Print one JSON record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="deit_small_patch16_224")
    parser.add_argument("--stored", type=int, default=512, help="side of stored images, 512 at most")
    parser.add_argument("--pixels", type=int, default=224, help="of a large view; small ones have half")
    parser.add_argument("--images", type=int, help=f"in the step; else {ON_GPU}, and {ON_CPU} on a CPU")
    parser.add_argument("--images-read", type=int, default=128, help="in the store that is read")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if options.images is None:
        options.images = ON_GPU if device.type == "cuda" else ON_CPU
    if device.type == "cpu":
        torch.set_num_threads(1)
    trainer = build_trainer(options, "other_batch", image_set(made_up(options, options.images), device))
    record = {
        **about("views", torch.get_num_threads()),
        "device": describe_device(device)["device"],
        "torch": torch.__version__,
        "precision": trainer.precision,
        **vars(options),
        "shares": shares(trainer, options.rounds),
        "crops": crops(trainer, options.rounds),
        "reads": reads(options, options.rounds),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
