"""The training step of the RxRx1 recipe in four forms, in turns: images a second, peak memory, the ratio to plain.

Usage: python benchmarks/training_step.py       (on a GPU; the paper's size: DenseNet-161, 512 pixels, 8 groups of 64)
       python benchmarks/training_step.py --forms ours ours_compiled      (compiling takes minutes)
       python benchmarks/training_step.py --backbone small_densenet --pixels 32 --group 4 --groups-per-step 2

`plain`: what one would write first: a DataLoader's processes standardise, flip and turn each image in NumPy, float32
goes to the device, and the step is float32, channels first. `ours`: bytes go to the device and are standardised,
flipped and turned there; bfloat16, channels last, as `debatch.learn.train` does it. `ours_compiled`: the same under
torch.compile, which the workflow does not offer: its groups are of more than one size, and each would be compiled.
`ours_checkpointed`: with `training: {checkpointing: true}`. CutMix, network, losses and optimizer are the same in all
four. Images are made up and lie in memory (what reading costs: `loading.py`); plain's processes need /dev/shm for two
groups of float32 each.

Before anything is timed each form takes a small step in float32, without TF32: its loss and gradients must be plain's
within `TOLERANCE`. A form that cannot run, for want of memory or of a compiler, says why in its entry. A turn's clock
starts after its first step, so that starting processes costs nobody anything.
"""

import argparse
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from common import about
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from debatch.config.recipe import Recipe
from debatch.learn.augment import MIXERS, random_dihedral
from debatch.learn.objectives.classification import classification_loss
from debatch.learn.objectives.labelled import parameter_groups
from debatch.learn.optimizer import build_optimizer
from debatch.model.inputs import ImageSet
from debatch.model.network import Network
from debatch.model.population import without_running_averages
from debatch.runtime.devices import describe_device
from debatch.screen.ingest.measure import measure
from debatch.screen.normalization import normalization_statistics

BATCHES = 33
# Relative; of gradients the norm of the difference of all of them. It cannot be closer: where rounding turns a unit of
# the last ReLU on or off, which of so few images happens, the gradient below changes by about 1 %.
TOLERANCE = {"loss": 1e-4, "gradients": 0.05}
SMALL = {"pixels": 64, "group": 16, "groups_per_step": 2}  # the step that is compared: this at most
FORMS = ("plain", "ours", "ours_compiled", "ours_checkpointed")


class Memory:
    """Stands in for the store: images that are there already."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def layout(self, experiments: np.ndarray) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and type of an image."""
        return self.images.shape[1:], self.images.dtype

    def read_at(self, experiments: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
        """Copy some images."""
        np.take(self.images, rows, axis=0, out=out)


def image_set(images: np.ndarray, device: torch.device) -> ImageSet:
    """Images in memory as debatch takes them from the store, each standardised by itself."""
    rows = pd.DataFrame({"image_id": [f"i{n}" for n in range(len(images))], "experiment": "a"})
    rows["store_row"] = range(len(images))
    rows["part"] = "all"
    names = [f"c{channel}" for channel in range(images.shape[1])]
    statistics = normalization_statistics(rows, measure(images).moments, names, "self")
    return ImageSet(rows, statistics, Memory(images), device)  # type: ignore[arg-type]


class PlainImages(Dataset):
    """Images as float32, standardised by their own mean and sd, flipped and turned one by one."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __getitem__(self, asked: tuple[int, bool, bool, bool]) -> Tensor:
        """(C, H, W) of an image and its three draws."""
        at, left_right, up_down, diagonal = asked
        image = self.images[at].astype(np.float32)
        image = (image - image.mean((1, 2), keepdims=True)) / image.std((1, 2), keepdims=True)
        image = image[:, :, ::-1] if left_right else image
        image = image[:, ::-1] if up_down else image
        return torch.from_numpy(np.ascontiguousarray(image.swapaxes(1, 2) if diagonal else image))


class Draw(NamedTuple):
    """A group: which images, and the state of the generator that augments them."""

    positions: np.ndarray
    seed: int

    def generator(self) -> torch.Generator:
        """At its start."""
        return torch.Generator().manual_seed(self.seed)


class Work(NamedTuple):
    """What every form is asked for.

    Attributes:
        images: (N, C, H, W) uint8.
        workers: processes of plain's DataLoader.
    """

    recipe: Recipe
    classes: int
    images: np.ndarray
    device: torch.device
    workers: int

    def draws(self) -> list[Draw]:
        """The groups of a step: all images, once."""
        order = np.random.default_rng(0).permutation(len(self.images))
        return [Draw(at, seed) for seed, at in enumerate(np.split(order, self.recipe.groups_per_step))]


class Form:
    """A network with its optimizer, and how groups reach it. Every form starts from the same weights."""

    def __init__(self, name: str, work: Work) -> None:
        self.name, self.plain = name, name == "plain"
        changes: dict[str, Any] = {"checkpointing": name == "ours_checkpointed"}
        recipe = work.recipe.model_copy(update=changes | ({"precision": "float32"} if self.plain else {}))
        self.work, self.recipe = work, recipe
        torch.manual_seed(0)
        network = Network(recipe, work.images.shape[1], work.classes, BATCHES)
        layout = torch.contiguous_format if self.plain else torch.channels_last
        self.network = network.to(work.device, memory_format=layout).train()  # type: ignore[call-overload]
        self.embed = self.network.embed
        if name == "ours_compiled":  # of one size: the small step before would make torch compile for any size
            self.embed = torch.compile(self.network.embed, dynamic=False)
        self.optimizer = build_optimizer(parameter_groups(self.network, recipe), recipe)
        labels = torch.arange(len(work.images))
        self.labels, self.batches = ((labels % n).to(work.device) for n in (work.classes, BATCHES))
        self.loader = self._plain_groups if self.plain else self._our_groups()

    def step(self, groups: Iterator[tuple[Draw, Tensor]]) -> Tensor:
        """An optimizer step on the next groups; their mean loss."""
        size = self.recipe.groups_per_step
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.work.device)
        with nullcontext() if self.plain else without_running_averages(self.network):
            for draw, images in islice(groups, size):
                loss = self._loss(draw, images) / size
                loss.backward()
                total += loss.detach()
        self.optimizer.step()
        return total

    def groups(self, steps: int) -> Iterator[tuple[Draw, Tensor]]:
        """The groups of some steps on the device, augmented and standardised, prepared ahead."""
        draws = self.work.draws() * steps
        return zip(draws, self.loader(draws), strict=True)

    def _loss(self, draw: Draw, images: Tensor) -> Tensor:
        generator = draw.generator()
        torch.rand(3, len(images), generator=generator)  # spent on flips and turns
        mixed = MIXERS[self.recipe.objective.mixing](images, generator)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            embedding = self.embed(mixed.images)
        at = torch.from_numpy(draw.positions).to(images.device)
        outputs = self.network.heads(embedding)
        return classification_loss(outputs, mixed, self.labels[at], self.batches[at], 1.0).total

    def _plain_groups(self, draws: list[Draw]) -> Iterator[Tensor]:
        def asked(draw: Draw) -> list[tuple]:
            turns = torch.rand(3, len(draw.positions), generator=draw.generator()) < 0.5
            return [*zip(draw.positions.tolist(), *turns.tolist(), strict=True)]

        device = self.work.device
        groups = DataLoader(
            PlainImages(self.work.images),
            batch_sampler=[asked(draw) for draw in draws],
            num_workers=self.work.workers,
            pin_memory=device.type == "cuda",
        )
        return (group.to(device, non_blocking=True) for group in groups)

    def _our_groups(self) -> Callable[[list[Draw]], Iterator[Tensor]]:
        images, pixels = image_set(self.work.images, self.work.device), self.recipe.pixels

        def groups(draws: list[Draw]) -> Iterator[Tensor]:
            for draw, group in zip(draws, images.groups(draw.positions for draw in draws), strict=True):
                turned = random_dihedral(group.images, draw.generator())
                yield group._replace(images=turned).standardized(pixels)

        return groups


def differences(form: Form, plain: Form) -> dict[str, Any]:
    """How far a form's step is from plain's, relative, on the same images from the same weights."""
    losses = [float(one.step(one.groups(1))) for one in (form, plain)]
    grads = [torch.cat([p.grad.detach().float().flatten() for p in one.network.parameters()]) for one in (form, plain)]
    found = {"loss": abs(losses[0] / losses[1] - 1), "gradients": float((grads[0] - grads[1]).norm() / grads[1].norm())}
    return {
        **{f"{name}_difference": float(f"{value:.2g}") for name, value in found.items()},
        "agrees": all(value <= TOLERANCE[name] for name, value in found.items()),
    }


def compared(options: argparse.Namespace, device: torch.device) -> dict[str, dict[str, Any]]:
    """Each form against plain, at a small size in float32; `why` where one does not run."""
    small = argparse.Namespace(
        **{**vars(options), **{key: min(most, getattr(options, key)) for key, most in SMALL.items()}}
    )
    work = work_of(small, device, "float32")
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        return {
            name: attempted(lambda name=name: differences(Form(name, work), Form("plain", work)))
            for name in options.forms
        }
    finally:
        torch.backends.cudnn.allow_tf32 = tf32


def timed(form: Form, steps: int) -> dict[str, float]:
    """Images a second of some steps after one more, and the most memory that this form alone had on the device."""
    device, groups = form.work.device, form.groups(steps + 1)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()  # of what the form before kept
        torch.cuda.reset_peak_memory_stats(device)
        others = torch.cuda.memory_allocated(device) - held(form)
    form.step(groups)
    if on_gpu:
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    for _ in range(steps):
        form.step(groups)
    if on_gpu:
        torch.cuda.synchronize(device)
    found = {"images_per_second": steps * len(form.work.images) / (time.perf_counter() - started)}
    if on_gpu:
        found["peak_memory_gb"] = (torch.cuda.max_memory_allocated(device) - others) / 1e9
    form.optimizer.zero_grad(set_to_none=True)
    return found


def held(form: Form) -> int:
    """Bytes of a form's weights and optimizer, which lie on the device while others have their turn."""
    states = [value for state in form.optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    tensors = {id(tensor): tensor for tensor in [*form.network.parameters(), *form.network.buffers(), *states]}
    return sum(
        tensor.numel() * tensor.element_size() for tensor in tensors.values() if tensor.device == form.work.device
    )


def attempted(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What it found, or why it could not run: too little memory, no compiler; the whole error goes to stderr."""
    try:
        return work()
    except Exception as error:  # torch.compile alone fails in many ways, each with an error of its own
        traceback.print_exc()
        return {"why": f"{type(error).__name__}: {str(error).strip()[:200]}".splitlines()[0]}


def measured(options: argparse.Namespace, device: torch.device, found: dict[str, dict[str, Any]]) -> None:
    """Add rates, memory and ratios to the forms that agree with plain."""
    work = work_of(options, device, "bfloat16")
    forms = {name: Form(name, work) for name in found if found[name].get("agrees")}
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in forms}
    for turn in range(-1, options.rounds):  # once more before, in which kernels are chosen and compiled
        for name, form in forms.items():
            if "why" not in found[name]:
                one = attempted(lambda form=form, turn=turn: timed(form, 1 if turn < 0 else options.steps))
                if "why" in one:
                    found[name] |= one
                    form.optimizer.zero_grad(set_to_none=True)
                elif turn >= 0:
                    turns[name].append(one)
    rates = {n: median(one["images_per_second"] for one in own) for n, own in turns.items() if "why" not in found[n]}
    for name, rate in rates.items():
        found[name]["images_per_second"] = float(f"{rate:.3g}")
        found[name]["ratio_to_plain"] = round(rate / rates["plain"], 2) if "plain" in rates else None
        peaks = [one["peak_memory_gb"] for one in turns[name] if "peak_memory_gb" in one]
        found[name]["peak_memory_gb"] = round(max(peaks), 2) if peaks else None


def work_of(options: argparse.Namespace, device: torch.device, precision: str) -> Work:
    """Recipe and made-up images of a size."""
    recipe = Recipe.model_validate(
        {
            "backbone": options.backbone,
            "pixels": options.pixels,
            "group": options.group,
            "groups_per_step": options.groups_per_step,
            "precision": precision,
        }
    )
    shape = (options.group * options.groups_per_step, options.channels, options.pixels, options.pixels)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Work(recipe, options.classes, images, device, options.workers)


def main() -> None:
    """Print one JSON record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="densenet161")
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--channels", type=int, default=6)
    parser.add_argument("--group", type=int, default=64, help="images in a batch-norm group")
    parser.add_argument("--groups-per-step", type=int, default=8)
    parser.add_argument("--classes", type=int, default=1139)
    parser.add_argument("--steps", type=int, default=4, help="of a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS, help="which to compare and measure")
    parser.add_argument(
        "--workers", type=int, help="processes of plain's DataLoader; else 8 at most, and none without a GPU"
    )
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cores = len(os.sched_getaffinity(0))
    if options.workers is None:
        options.workers = min(8, cores) if device.type == "cuda" else 0
    found = compared(options, device)
    measured(options, device, found)
    record = {
        **about("training_step", torch.get_num_threads()),
        "device": describe_device(device)["device"],
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "tf32_convolutions": device.type == "cuda" and torch.backends.cudnn.allow_tf32,
        **vars(options),
        "tolerance": TOLERANCE,
        "forms": found,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
