"""Whether training on this machine's GPU is right: one JSON record a check; the exit status is 1 where one fails.

Usage: python benchmarks/gpu_checks.py       (a small ResNet and DenseNet-121 at 64 pixels; on the CPU without a GPU)
       python benchmarks/gpu_checks.py --backbones small_resnet --pixels 32 --group 8

`resume`: a run whose process was killed, and that goes on in another one, has to the bit the weights and losses of one
that was left alone. It is tried with the kernels that torch chooses (`shipped`) and with torch's deterministic ones.
A GPU's kernels may add in any order: whether two runs that were left alone agree is in the record as `repeats`. Where
they do a resumed run must too, and they must with at least one of the two kinds.
`population_statistics`: of the same weights and images on the device and on the CPU, both in float32: with convolutions
as torch ships them, and without TF32. A mean's difference is in units of its channel's sd, a variance's is relative.
`bfloat16_batch_norm`: under bfloat16 autocast each batch-norm layer takes the mean and variance of its input, and
`set_population_statistics` pools them, within what float32 rounds; a layer whose input is far from zero, where
statistics in bfloat16 would show, is looked at by what it gives (`planted`).

The tolerances: between float32 kernels of one CPU DenseNet-121's statistics differ by 8e-5, and by 0.011 where what its
convolutions read is rounded to TF32; batch-norm statistics rounded to bfloat16 differ by 0.1 in a small ResNet.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import about
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from training_step import attempted, image_set

from debatch.config.recipe import Recipe
from debatch.learn.data import TrainingData
from debatch.learn.train import Trainer, TrainingFiles
from debatch.model.network import batch_norms
from debatch.model.population import set_population_statistics, without_running_averages
from debatch.runtime.devices import describe_device
from debatch.runtime.pauses import Pauses

CLASSES, BATCHES, CHANNELS, EPOCHS, GROUPS = 8, 4, 6, 2, 6
KILLED_BEFORE = 4  # of six steps: within the second epoch, so that the sampler's place counts too
KERNELS = ("shipped", "deterministic")
Statistics = tuple[Tensor, Tensor]  # a layer's mean and variance, (channels,) each
# of the largest difference of any channel; shipped: convolutions in TF32, which keeps 11 of float32's 24 bits
TOLERANCE = {"without_tf32": 3e-3, "shipped": 0.05, "taken": 3e-4, "pooled": 3e-4, "planted": 3e-3}


class BrokenOffError(Exception):
    """A run ends here."""


class Asked(NamedTuple):
    """What a check looks at.

    Attributes:
        folder: for its files, which go.
        killed: the process that breaks off a training of each backbone there; None: it was done here.
    """

    backbone: str
    pixels: int
    group: int
    device: torch.device
    folder: Path
    killed: "subprocess.Popen[bytes] | None" = None

    @property
    def precision(self) -> str:
        """That a training has here: what the device computes in hardware."""
        return "bfloat16" if self.device.type == "cuda" else "float32"


def build_trainer(asked: Asked, device: torch.device) -> Trainer:
    """Of a small recipe on made-up images in memory."""
    recipe = Recipe.model_validate(
        {
            "backbone": asked.backbone,
            "pixels": asked.pixels,
            "group": asked.group,
            "groups_per_step": 2,
            "epochs": EPOCHS,
            "warmup_epochs": 1.0,
            "statistics_images": 4 * asked.group,
            "precision": asked.precision,
        }
    )
    count = GROUPS * asked.group
    generator = np.random.default_rng(0)
    levels = generator.integers(40, 180, (count, CHANNELS, 1, 1))
    noise = generator.integers(0, 60, (count, CHANNELS, asked.pixels, asked.pixels))
    images = image_set((levels + noise).astype(np.uint8), device)
    names = [f"b{batch}" for batch in range(BATCHES)]
    data = TrainingData(images.rows, np.arange(count) % CLASSES, np.arange(count) % BATCHES, names, CLASSES)
    return Trainer(recipe, data, images, 0, "check")


def files(folder: Path) -> TrainingFiles:
    """Of one run."""
    return TrainingFiles(folder / "history.csv", folder / "checkpoint.pt")


@contextmanager
def kernels(which: str) -> Iterator[None]:
    """Those that torch chooses, or deterministic ones where it has them; where not it warns."""
    torch.use_deterministic_algorithms(which == "deterministic", warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def break_off(asked: Asked) -> None:
    """A training with each kind of kernels, saved after each step, up to one that it does not take."""
    for which in KERNELS:
        trainer = build_trainer(asked, asked.device)
        take_step = trainer._take_step

        def until(step: int, *how: Any, take_step: Callable[..., Tensor] = take_step) -> Tensor:
            if step == KILLED_BEFORE:
                raise BrokenOffError
            return take_step(step, *how)

        trainer._take_step = until  # type: ignore[method-assign]
        with kernels(which), suppress(BrokenOffError):
            trainer.fit(files(asked.folder / which), Pauses(save_seconds=0))


def same(one: Trainer, other: Trainer) -> bool:
    """Whether two runs ended with the same losses and weights, to the bit."""
    losses = [[row["loss"] for row in trainer.history] for trainer in (one, other)]
    weights = [trainer.network.state_dict() for trainer in (one, other)]
    return losses[0] == losses[1] and all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def resume(asked: Asked) -> dict[str, Any]:
    """A killed run that goes on against one that was left alone."""
    found = {which: resumed(asked, which) for which in KERNELS}
    that_repeat = [one["resumed_equals"] for one in found.values() if one["repeats"]]
    return {**found, "precision": asked.precision, "passed": bool(that_repeat) and all(that_repeat)}


def resumed(asked: Asked, which: str) -> dict[str, Any]:
    """With some kernels: whether a run repeats, and whether what a killed process left ends like it."""
    with warnings.catch_warnings(record=True) as caught, kernels(which):
        warnings.simplefilter("always")
        whole, again, after = (build_trainer(asked, asked.device) for _ in range(3))
        whole.fit(files(asked.folder / which / "whole"))
        again.fit(files(asked.folder / which / "again"))
        if asked.killed is not None and asked.killed.wait() != -signal.SIGKILL:
            raise RuntimeError(f"the process that was to be killed ended with {asked.killed.returncode}; see above")
        steps: list[int] = []
        take_step = after._take_step
        after._take_step = lambda step, *how: steps.append(step) or take_step(step, *how)  # type: ignore
        after.fit(files(asked.folder / which))
    went_on = steps == list(range(KILLED_BEFORE, after.steps))  # and did not train anew
    said = {str(one.message).split(". ")[0] for one in caught if "deterministic" in str(one.message)}
    return {
        "repeats": same(whole, again),
        "resumed_equals": went_on and same(whole, after),
        "steps_after_the_kill": len(steps),
        **({"not_deterministic": sorted(said)} if said else {}),
    }


def population(asked: Asked) -> dict[str, Any]:
    """Population statistics on the device against the CPU's."""
    cpu = statistics(asked, torch.device("cpu"))
    found: dict[str, Any] = {"shipped": differences(statistics(asked, asked.device), cpu)}
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        found["without_tf32"] = differences(statistics(asked, asked.device), cpu)
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
    return {**judged(found), "layers": len(cpu)}


def judged(found: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Differences, what they may be, and whether they are."""
    tolerance = {name: TOLERANCE[name] for name in found}
    passed = all(max(numbers.values()) <= tolerance[name] for name, numbers in found.items())
    return {**found, "tolerance": tolerance, "passed": passed}


def statistics(asked: Asked, device: torch.device) -> list[Statistics]:
    """Mean and variance of each batch-norm layer's input in a fresh network, (channels,) each, on the CPU."""
    trainer = build_trainer(asked, device)
    trainer.set_training_statistics()
    return kept(batch_norms(trainer.network))


def differences(found: list[Statistics], right: list[Statistics]) -> dict[str, float]:
    """The largest of any layer and channel: of means in sds, of variances relative; 1e9 where one is not a number."""
    worst = {"means": 0.0, "variances": 0.0}
    for (mean, var), (right_mean, right_var) in zip(found, right, strict=True):
        room = right_var.double() + 1e-5  # as batch norm divides by it
        for name, off in (("means", (mean - right_mean) / room.sqrt()), ("variances", (var - right_var) / room)):
            worst[name] = max(worst[name], float(off.abs().nan_to_num(1e9).max()))
    return {name: float(f"{value:.2g}") for name, value in worst.items()}


def bfloat16_batch_norm(asked: Asked) -> dict[str, Any]:
    """What batch norm takes and pools of its bfloat16 inputs, against float64."""
    trainer = build_trainer(asked, asked.device)
    network, layers = trainer.network, batch_norms(trainer.network)
    groups = trainer.images.groups(np.split(np.arange(len(trainer.images)), GROUPS))
    images = [group.standardized(asked.pixels) for group in groups]
    inputs: dict[nn.Module, list[Tensor]] = {layer: [] for layer in layers}
    for layer in layers:
        layer.register_forward_pre_hook(lambda layer, given: inputs[layer].append(given[0]))
        layer.momentum = 1.0  # so that what is kept is this group's
    network.train()
    with torch.no_grad(), torch.autocast(asked.device.type, torch.bfloat16):
        network.embed(images[0])
        taken = differences(kept(layers), [true_statistics(inputs[layer], 1) for layer in layers])
        halved = sum(inputs[layer][0].dtype == torch.bfloat16 for layer in layers)
        for given in inputs.values():
            given.clear()
        set_population_statistics(network, [(group, ()) for group in images])
        pooled = differences(kept(layers), [true_statistics(inputs[layer], 0) for layer in layers])
    dtypes = {str(tensor.dtype) for layer in layers for tensor in (layer.running_mean, layer.running_var, layer.weight)}
    found = judged({"taken": taken, "pooled": pooled, "planted": differences(*planted(asked.device))})
    return {
        **found,
        "layers": len(layers),
        "layers_given_bfloat16": halved,  # none: nothing was tested
        "kept_in": sorted(dtypes),
        "passed": found["passed"] and halved > 0 and dtypes == {"torch.float32"},
    }


def kept(layers: list[_BatchNorm]) -> list[Statistics]:
    """What layers hold, on the CPU."""
    return [(layer.running_mean.cpu(), layer.running_var.cpu()) for layer in layers]  # type: ignore[union-attr]


def true_statistics(groups: list[Tensor], correction: int) -> Statistics:
    """Mean and variance a channel of some layer inputs together, computed in float64."""
    values = torch.cat([group.double().transpose(0, 1).flatten(1) for group in groups], 1)
    return values.mean(1).cpu(), values.var(1, correction=correction).cpu()


def planted(device: torch.device) -> tuple[list[Statistics], list[Statistics]]:
    """What a layer makes of values far from zero, as training calls it: its output's statistics, and the right ones."""
    generator = torch.Generator().manual_seed(0)
    values = 20.06 + torch.randn(64, 16, 32, 32, generator=generator)
    given = values.to(device, torch.bfloat16, memory_format=torch.channels_last)
    layer = nn.BatchNorm2d(16).to(device).train()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16), without_running_averages(layer):
        found = true_statistics([layer(given)], 0)
    mean, var = (each.view(1, -1, 1, 1) for each in true_statistics([given], 0))
    right = (given.cpu().double() - mean) / (var + layer.eps).sqrt()
    return [found], [true_statistics([right.bfloat16()], 0)]


CHECKS: dict[str, Callable[[Asked], dict[str, Any]]] = {
    "resume": resume,
    "population_statistics": population,
    "bfloat16_batch_norm": bfloat16_batch_norm,
}


def checked(options: argparse.Namespace, device: torch.device, folder: Path) -> Iterator[dict[str, Any]]:
    """A record a backbone and check."""
    command = [sys.executable, __file__, "--pixels", str(options.pixels), "--group", str(options.group)]
    command += ["--backbones", *options.backbones, "--killed-in", str(folder)]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # it starts while this process trains
    try:
        for asked in all_asked(options, device, folder, killed):
            for name, check in CHECKS.items():
                found = attempted(lambda check=check, asked=asked: check(asked))
                yield {"check": name, "backbone": asked.backbone, "pixels": asked.pixels, "passed": False, **found}
    finally:
        killed.kill()


def all_asked(
    options: argparse.Namespace, device: torch.device, folder: Path, killed: "subprocess.Popen[bytes] | None" = None
) -> list[Asked]:
    """A backbone each."""
    size = options.pixels, options.group
    return [Asked(backbone, *size, device, folder / backbone, killed) for backbone in options.backbones]


def main() -> int:
    """Print a record a check; 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=["small_resnet", "densenet121"])
    parser.add_argument("--pixels", type=int, default=64)
    parser.add_argument("--group", type=int, default=16)
    parser.add_argument("--killed-in", type=Path, help=argparse.SUPPRESS)  # this script's own: be the killed process
    options = parser.parse_args()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS's part of deterministic kernels
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if options.killed_in:
        for asked in all_asked(options, device, options.killed_in):
            break_off(asked)
        os.kill(os.getpid(), signal.SIGKILL)
    machine = {"device": describe_device(device)["device"], "torch": torch.__version__}
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for record in checked(options, device, Path(folder)):
            print(json.dumps({**about("gpu_checks", torch.get_num_threads()), **machine, **record}), flush=True)
            passed = passed and record["passed"]
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
