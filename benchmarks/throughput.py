"""Entries of config/throughput.yaml: rates of training and embedding on this machine, and networks, counted.

Usage: python benchmarks/throughput.py train|embed BACKBONE PIXELS [--channels 6] [--threads 2] [--group 64]
       python benchmarks/throughput.py count BACKBONE PIXELS [--channels 6]

`train`: augmentation, standardisation, CutMix, forward and backward pass of eight groups and an optimizer step, in
bfloat16. `embed`: standardisation and forward passes in float32, as embeddings are computed; statistics and images
cost one pass each. Images lie in memory (what reading costs: `loading.py`). On a GPU where there is one, else on CPU
threads. The median of at least five rounds after one to warm up. `count`: floating-point operations by
torch.utils.flop_counter, a multiplication and an addition being two; they are properties of the network and not of the
machine.
"""

import argparse
import os
import time
from collections.abc import Callable
from datetime import date
from statistics import median
from typing import Any

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from debatch.config.recipe import Recipe
from debatch.learn.augment import cutmix, random_dihedral
from debatch.learn.objectives import classification_loss
from debatch.learn.optimizer import build_optimizer
from debatch.model.backbones import build_backbone
from debatch.model.devices import describe_device
from debatch.model.network import Network
from debatch.model.standardize import standardize

CLASSES, BATCHES, LEAST_ROUNDS = 1139, 33, 5


def main() -> None:
    """Print one entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "embed", "count"))
    parser.add_argument("backbone")
    parser.add_argument("pixels", type=int)
    parser.add_argument("--channels", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2, help="of one job, on a CPU")
    parser.add_argument("--group", type=int, default=64, help="images in a batch-norm group")
    parser.add_argument("--width", type=int, default=1024, help="of the embedding")
    parser.add_argument("--seconds", type=float, default=20.0, help="to measure for, at least")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    entry = counted(options) if options.what == "count" else measured(options)
    print(yaml.safe_dump([entry], sort_keys=False, width=1000), end="")


def counted(options: argparse.Namespace) -> dict[str, Any]:
    """Parameters and floating-point operations of an image, without weights or pixels: on torch's meta device."""
    with torch.device("meta"):
        backbone, features = build_backbone(options.backbone, options.channels, options.pixels, None)
        images = torch.empty(1, options.channels, options.pixels, options.pixels)
    backbone.eval()
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        backbone(images)
    with FlopCounterMode(display=False) as step:
        backbone(images).sum().backward()
    kept = [*backbone.parameters(), *(b for b in backbone.buffers() if b.is_floating_point())]
    return {
        "backbone": options.backbone,
        "pixels": options.pixels,
        "channels": options.channels,
        "parameters": sum(tensor.numel() for tensor in kept),
        "features": features,
        "forward_gflop": rounded(forward.get_total_flops() / 1e9),
        "step_gflop": rounded(step.get_total_flops() / 1e9),
        "date": date.today(),
        "script": "benchmarks/throughput.py",
    }


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Images a second."""
    device, load = torch.device("cuda" if torch.cuda.is_available() else "cpu"), os.getloadavg()[0]
    recipe = Recipe(
        backbone=options.backbone, pixels=options.pixels, group=options.group, embedding_width=options.width
    )
    torch.manual_seed(0)
    network = Network(recipe, options.channels, CLASSES, BATCHES)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shape = (recipe.group, options.channels, recipe.pixels, recipe.pixels)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
    moments = torch.full(shape[:2], 100.0, device=device), torch.full(shape[:2], 70.0, device=device)
    if options.what == "train":
        rate = images_per_second(trained(network, recipe, images, moments), options.seconds, device)
    else:
        rate = images_per_second(embedded(network, recipe, images, moments), options.seconds, device)
    hardware = describe_device(device)
    return {
        "what": options.what,
        "backbone": options.backbone,
        "pixels": options.pixels,
        "channels": options.channels,
        "precision": recipe.precision if options.what == "train" else "float32",
        "device": hardware["device"] if device.type == "cuda" else hardware["cpu"],
        "threads": options.threads if device.type == "cpu" else None,
        "images_per_second": rounded(rate),
        "date": date.today(),
        "script": "benchmarks/throughput.py",
        "note": f"groups of {recipe.group}, width {recipe.embedding_width}, images in memory; load {load:.1f} before",
    }


def trained(network: Network, recipe: Recipe, images: torch.Tensor, moments: tuple) -> Callable[[], int]:
    """One optimizer step; how many images it saw."""
    optimizer = build_optimizer(network, recipe)
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


def images_per_second(work: Callable[[], int], seconds: float, device: torch.device) -> float:
    """The median rate of rounds that last `seconds` together, after one that is not counted."""
    rates: list[float] = []
    begun = None
    while begun is None or len(rates) < LEAST_ROUNDS or time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        count = work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if begun is None:
            begun = time.perf_counter()
            continue
        rates.append(count / (time.perf_counter() - started))
    return median(rates)


def rounded(value: float) -> float:
    """Three digits: a shared machine tells no more."""
    return float(f"{value:.3g}")


if __name__ == "__main__":
    main()
