"""Population statistics: what batch norm normalizes by at inference, one mechanism for all methods.

Running averages are not used: they depend on the order of training's last steps. Instead the images that a choice of
test-time statistics names pass once through the network in nearly equal groups, each group normalized by itself, as in
training; mean and E[x^2] of every batch-norm input are pooled in float64 over the groups. The groups follow a hash of
the images' names, so that the result depends on the set of images and neither on their order nor on a loader's size.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from debatch.model.network import Network, batch_norms


@contextmanager
def without_running_averages(network: nn.Module) -> Iterator[None]:
    """Within it batch norm keeps no running averages, in training too: nothing depends on which device saw a group."""
    layers = batch_norms(network)
    before = [layer.track_running_stats for layer in layers]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer, tracked in zip(layers, before, strict=True):
            layer.track_running_stats = tracked


@contextmanager
def normalizing_by_group(network: nn.Module) -> Iterator[None]:
    """Within it batch norm, and nothing else, normalizes each forward pass by itself, and remembers nothing.

    Dropout and stochastic depth stay off: `network.train()` would switch those too.
    """
    network.eval()
    layers = batch_norms(network)
    for layer in layers:
        layer.training = True
    try:
        with without_running_averages(network):
            yield
    finally:
        for layer in layers:
            layer.training = False


class _Pool:
    """Sums of one layer's input over groups, float64: how many values a channel, their sum, their squares' sum."""

    def __init__(self, layer: _BatchNorm) -> None:
        assert layer.running_mean is not None
        self.sums = torch.zeros(3, layer.num_features, dtype=torch.float64, device=layer.running_mean.device)

    def add(self, x: Tensor) -> None:
        count = x.numel() // x.shape[1]
        dims = [0, *range(2, x.ndim)]
        var, mean = torch.var_mean(x.detach().float(), dims, correction=0)
        mean, var = mean.double(), var.double()
        self.sums[0] += count
        self.sums[1] += mean * count
        self.sums[2] += (var + mean**2) * count


@torch.no_grad()
def set_population_statistics(
    network: Network,
    groups: Iterable[tuple[Tensor, Sequence[str]]],
    sum_over_processes: Callable[[Tensor], Tensor] | None = None,
) -> int:
    """Compute population statistics and put them into every batch-norm layer, ready for `network.eval()`.

    Args:
        network: has an `embed` method that takes a group's images.
        groups: standardised images (n, C, H, W) on the network's device and the names of their channels, group by
            group.
        sum_over_processes: where several processes each give some of the groups, sums a tensor over them, in place.

    Returns:
        The number of images used, by all processes.
    """
    layers = [layer for layer in batch_norms(network) if layer.running_mean is not None]
    pools = {id(layer): _Pool(layer) for layer in layers}

    def collect(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        pools[id(layer)].add(inputs[0])

    hooks = [layer.register_forward_pre_hook(collect) for layer in layers]
    images = 0
    try:
        with normalizing_by_group(network):
            for group, channels in groups:
                images += len(group)
                network.embed(group, channels)
    finally:
        for hook in hooks:
            hook.remove()
    if sum_over_processes is not None:
        for pool in pools.values():
            sum_over_processes(pool.sums)
        images = int(sum_over_processes(torch.tensor(images)))
    for layer in layers:
        assert layer.running_mean is not None
        assert layer.running_var is not None
        count, mean, square = pools[id(layer)].sums
        mean = mean / count
        # chosen on the device: to ask it whether the layer saw anything would make it wait
        layer.running_mean.copy_(torch.where(count > 0, mean, layer.running_mean))
        layer.running_var.copy_(torch.where(count > 0, square / count - mean**2, layer.running_var))
    network.eval()
    return images
