"""Entries of config/throughput.yaml: rates of training and embedding on this machine, and networks, counted.

Usage: python benchmarks/throughput.py train|embed BACKBONE PIXELS [--channels 6] [--threads 2] [--group 64]
       python benchmarks/throughput.py count BACKBONE PIXELS [--channels 6]
       python benchmarks/throughput.py processor

The first three print an item of `measured` or `networks`; a comment before it says what its device is, for
`processors` or `gpus` where that is not there yet. `processor` prints that alone: what tells this machine's processor
from others. `train`: augmentation, standardisation, CutMix, forward and backward pass of eight groups and an
optimizer step, in the arithmetic of `--precision`: left out, what training takes on this device by default. `embed`:
standardisation and forward passes in float32, as embeddings are computed; statistics and images cost one pass each.
Images lie in memory (what reading costs: `loading.py`). On a GPU where there is one, else on CPU threads. The median
of at least five rounds after one to warm up. `--clock processor` divides by the processor time of a thread and not by
wall time: on a machine that others use at the same time it comes nearer to what a free core does (what they take of
caches and memory still shows), and the note says so; use it with `--threads 1`, since threads that wait for one
another count as busy. `count`: floating-point operations by torch.utils.flop_counter, a multiplication and an
addition being two; they are properties of the network and not of the machine.
"""

import argparse
import os
import re
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from debatch.config.recipe import Recipe
from debatch.config.throughput import Processor, read_throughput
from debatch.learn.augment import cutmix, random_dihedral
from debatch.learn.objectives.classification import classification_loss
from debatch.learn.objectives.labelled import parameter_groups
from debatch.learn.optimizer import build_optimizer
from debatch.model.network import Network
from debatch.model.precision import arithmetic
from debatch.model.standardize import standardize
from debatch.runtime.processor import this_processor

ROOT = Path(__file__).resolve().parents[1]
CLASSES, BATCHES, LEAST_ROUNDS = 1139, 33, 5


def main() -> None:
    """Print one entry, and what it refers to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "embed", "count", "processor"))
    parser.add_argument("backbone", nargs="?")
    parser.add_argument("pixels", type=int, nargs="?")
    parser.add_argument("--channels", type=int, default=6)
    parser.add_argument("--precision", choices=("auto", "bfloat16", "float32"), default="auto", help="of training")
    parser.add_argument("--threads", type=int, default=2, help="of one job, on a CPU")
    parser.add_argument("--group", type=int, default=64, help="images in a batch-norm group")
    parser.add_argument("--width", type=int, default=1024, help="of the embedding")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="processor: not on a GPU")
    parser.add_argument("--seconds", type=float, default=20.0, help="to measure for, at least")
    options = parser.parse_args()
    if options.what != "processor" and options.pixels is None:
        parser.error(f"{options.what} wants a backbone and the images' pixels: {options.what} densenet161 512")
    torch.set_num_threads(options.threads)
    if options.what == "processor":
        print(line_of(known_processor()), end="")
    elif options.what == "count":
        print(line_of([counted(options)]), end="")
    else:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        heading, hardware = ("gpus", known_gpu(device)) if device.type == "cuda" else ("processors", known_processor())
        print(f"# {heading}: {line_of(hardware)}{line_of([measured(options, device, next(iter(hardware)))])}", end="")


def line_of(entry: Any) -> str:
    """YAML of an item, or of a key and what it holds."""
    whole = yaml.safe_dump(entry, sort_keys=False, width=10_000, default_flow_style=True).strip()
    return f"- {whole[1:-1]}\n" if isinstance(entry, list) else f"{whole[1:-1]}\n"


def known_processor() -> dict[str, Any]:
    """This machine's, by a key that is made of what tells it apart."""
    here = this_processor()
    return {processor_key(here): here.model_dump(mode="json")}


def processor_key(processor: Processor) -> str:
    """Its name, family, model and best instruction set as one word."""
    parts = (re.sub(r"\(.*?\)|-core|processor", " ", processor.name.lower()), processor.family, processor.model)
    told = " ".join(str(part) for part in (*parts, *processor.instructions[-1:]) if part is not None)
    return re.sub(r"[^a-z0-9]+", "_", told).strip("_")


def known_gpu(device: torch.device) -> dict[str, Any]:
    """A GPU by the key that config/throughput.yaml has for its driver's name, else by that name and without peaks."""
    name, (major, minor) = torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device)
    for key, gpu in read_throughput(ROOT).gpus.items():
        if name in gpu.driver_names:
            return {key: gpu.model_dump()}
    peaks = {"bfloat16_tflops": None, "float32_tflops": None}
    about = {"driver_names": [name], "compute_capability": major + minor / 10, **peaks, "source": "the driver"}
    return {name: about}


def counted(options: argparse.Namespace) -> dict[str, Any]:
    """Parameters and floating-point operations of an image, without weights or pixels: on torch's meta device."""
    with torch.device("meta"):
        recipe = Recipe(backbone=options.backbone, pixels=options.pixels, embedding_width=options.width)
        network = Network(recipe, options.channels, classes=1, batches=1)
        images = torch.empty(1, options.channels, options.pixels, options.pixels)
    backbone = network.backbone.eval()
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        backbone(images)
    with FlopCounterMode(display=False) as step:
        backbone(images).sum().backward()
    kept = [*network.backbone.state_dict().values(), *network.neck.state_dict().values()]
    return {
        "backbone": options.backbone,
        "pixels": options.pixels,
        "channels": options.channels,
        "embedding_width": options.width,
        "parameters": sum(tensor.numel() for tensor in kept if tensor.is_floating_point()),
        "forward_gflop": rounded(forward.get_total_flops() / 1e9),
        "step_gflop": rounded(step.get_total_flops() / 1e9),
        "date": date.today(),
        "script": "benchmarks/throughput.py",
    }


def measured(options: argparse.Namespace, device: torch.device, hardware: str) -> dict[str, Any]:
    """Images a second, as an entry of the hardware's key."""
    load = os.getloadavg()[0]
    recipe = Recipe(
        backbone=options.backbone,
        pixels=options.pixels,
        group=options.group,
        embedding_width=options.width,
        precision=arithmetic(options.precision, device) if options.what == "train" else "float32",
    )
    torch.manual_seed(0)
    network = Network(recipe, options.channels, CLASSES, BATCHES)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shape = (recipe.group, options.channels, recipe.pixels, recipe.pixels)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
    moments = torch.full(shape[:2], 100.0, device=device), torch.full(shape[:2], 70.0, device=device)
    form = trained if options.what == "train" else embedded
    by_processor = options.clock == "processor" and device.type == "cpu"
    clock = (lambda: time.process_time() / options.threads) if by_processor else time.perf_counter
    rate = images_per_second(form(network, recipe, images, moments), options.seconds, device, clock)
    note = f"groups of {recipe.group}, width {recipe.embedding_width}, images in memory; load {load:.1f} before"
    return {
        "what": options.what,
        "backbone": options.backbone,
        "pixels": options.pixels,
        "channels": options.channels,
        "precision": recipe.precision,
        "device": hardware,
        "threads": options.threads if device.type == "cpu" else None,
        "images_per_second": rounded(rate),
        "date": date.today(),
        "script": "benchmarks/throughput.py",
        "note": note + (", by processor time" if by_processor else ""),
    }


def trained(network: Network, recipe: Recipe, images: torch.Tensor, moments: tuple) -> Callable[[], int]:
    """One optimizer step; how many images it saw."""
    optimizer = build_optimizer(parameter_groups(network, recipe), recipe)
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(len(images), device=images.device)
    network.train()

    def step() -> int:
        optimizer.zero_grad(set_to_none=True)
        for _ in range(recipe.groups_per_step):
            turned = random_dihedral(images, generator)
            mixed = cutmix(standardize(turned, *moments, recipe.pixels), generator)
            with torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
                embedding = network.embed(mixed.images)
            outputs = network.heads(embedding)
            loss = classification_loss(outputs, mixed, labels % CLASSES, labels % BATCHES, 1.0)
            (loss.total / recipe.groups_per_step).backward()
        optimizer.step()
        return recipe.groups_per_step * len(images)

    return step


def embedded(network: Network, recipe: Recipe, images: torch.Tensor, moments: tuple) -> Callable[[], int]:
    """One group's forward pass; how many images it saw."""
    network.eval()

    def forward() -> int:
        with torch.inference_mode():
            network.heads(network.embed(standardize(images, *moments, recipe.pixels))).class_logits.argmax(1).cpu()
        return len(images)

    return forward


def images_per_second(
    work: Callable[[], int], seconds: float, device: torch.device, clock: Callable[[], float]
) -> float:
    """The median rate of rounds that last `seconds` together, after one that is not counted."""
    rates: list[float] = []
    begun = None
    while begun is None or len(rates) < LEAST_ROUNDS or time.perf_counter() - begun < seconds:
        started = clock()
        count = work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if begun is None:
            begun = time.perf_counter()
            continue
        rates.append(count / (clock() - started))
    return median(rates)


def rounded(value: float) -> float:
    """Three digits: a shared machine tells no more."""
    return float(f"{value:.3g}")


if __name__ == "__main__":
    main()
