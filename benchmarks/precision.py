"""The demo's training step in bfloat16 against float32, one thread, in turns.

Usage: python benchmarks/precision.py
"""

import json
import time
from datetime import date

import numpy as np
import torch

from debatch.config.recipe import Recipe
from debatch.model.network import Network
from debatch.runtime.processor import this_processor

GROUP, STEPS, ROUNDS = 32, 30, 5


def steps_per_second(precision: str) -> float:
    """Forward and backward passes of one group a second."""
    torch.manual_seed(0)
    network = Network(Recipe(backbone="small_resnet", embedding_width=256), 6, 20, 8)
    network = network.to(memory_format=torch.channels_last).train()
    images = torch.randn(GROUP, 6, 64, 64).contiguous(memory_format=torch.channels_last)
    started = time.perf_counter()
    for _ in range(STEPS):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            embedding = network.embed(images)
        network.heads(embedding).class_logits.square().mean().backward()
    return STEPS / (time.perf_counter() - started)


def main() -> None:
    """Print one JSON record."""
    torch.set_num_threads(1)
    rates: dict[str, list[float]] = {"bfloat16": [], "float32": []}
    for _ in range(ROUNDS):
        for precision in rates:
            rates[precision].append(steps_per_second(precision))
    half, full = (float(np.median(rates[precision])) for precision in ("bfloat16", "float32"))
    print(
        json.dumps(
            {
                "benchmark": "precision",
                "date": date.today().isoformat(),
                "machine": f"{this_processor().words}, 1 thread",
                "bfloat16_images_per_second": round(GROUP * half),
                "float32_images_per_second": round(GROUP * full),
                "ratio": round(half / full, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
