"""Population statistics: what batch norm normalizes by at inference, one mechanism for all methods.

Running averages are not used: they depend on the order of training's last steps. Instead the images that a choice of
test-time statistics names pass once through the network in nearly equal groups, each group normalized by itself, as in
training; mean and E[x^2] of every batch-norm input are pooled in float64 over the groups. The groups follow a hash of
the images' names, so that the result depends on the set of images and neither on their order nor on a loader's size.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from debatch.model.network import Network, batch_norms


@contextmanager
def normalizing_by_group(network: nn.Module) -> Iterator[None]:
    """Within it batch norm, and nothing else, normalizes each forward pass by itself, and remembers nothing.

    Dropout and stochastic depth stay off: `network.train()` would switch those too.
    """
    network.eval()
    layers = batch_norms(network)
    for layer in layers:
        layer.training, layer.track_running_stats = True, False
    try:
        yield
    finally:
        for layer in layers:
            layer.training, layer.track_running_stats = False, True


class _Pool:
    """Sums of one layer's input over groups, float64."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.square: Tensor | float = 0.0

    def add(self, x: Tensor) -> None:
        count = x.numel() // x.shape[1]
        dims = [0, *range(2, x.ndim)]
        var, mean = torch.var_mean(x.detach().float(), dims, correction=0)
        mean, var = mean.double(), var.double()
        self.mean = self.mean + mean * count
        self.square = self.square + (var + mean**2) * count
        self.count += count


@torch.no_grad()
def set_population_statistics(network: Network, groups: Iterable[Tensor]) -> int:
    """Compute population statistics and put them into every batch-norm layer, ready for `network.eval()`.

    Args:
        network: has an `embed` method that takes a group's images.
        groups: standardised images (n, C, H, W) on the network's device, group by group.

    Returns:
        The number of images used.
    """
    layers = batch_norms(network)
    pools = {id(layer): _Pool() for layer in layers}

    def collect(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        pools[id(layer)].add(inputs[0])

    hooks = [layer.register_forward_pre_hook(collect) for layer in layers]
    images = 0
    try:
        with normalizing_by_group(network):
            for group in groups:
                images += len(group)
                network.embed(group)
    finally:
        for hook in hooks:
            hook.remove()
    for layer in layers:
        pool = pools[id(layer)]
        if pool.count and layer.running_mean is not None and layer.running_var is not None:
            mean = pool.mean / pool.count
            layer.running_mean.copy_(mean)  # type: ignore[arg-type]
            layer.running_var.copy_(pool.square / pool.count - mean**2)  # type: ignore[arg-type]
    network.eval()
    return images
