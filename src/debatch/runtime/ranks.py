"""The processes that train one run together, one a device; a process alone is the only rank."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")

# a rank that waits for another one's checkpoint on a slow disk must not give up: a rank that died is seen by its parent
TIMEOUT = timedelta(hours=2)


class Ranks:
    """This process among those that train together. Each must make the same calls in the same order."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """Whether this is the one that writes, logs and decides."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """What of a step's groups is this process's: every `count`-th, from the rank on."""
        return items[self.rank :: self.count]

    def sum_(self, tensor: Tensor) -> Tensor:
        """The tensor, in place the sum of all processes'."""
        if self.count > 1:
            distributed.all_reduce(tensor)
        return tensor

    def from_first(self, make: Callable[[], T]) -> T:
        """What the first process makes, in all of them; tensors within must be on the CPU."""
        if self.count == 1:
            return make()
        made = [make() if self.first else None]
        distributed.broadcast_object_list(made, 0, device=torch.device("cpu"))
        return made[0]  # type: ignore[return-value]

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Fill the tensors with the first process's."""
        if self.count > 1:
            for tensor in tensors:
                plain = tensor.contiguous()  # of channels-last weights a copy: not every backend takes them
                distributed.broadcast(plain, 0)
                tensor.copy_(plain)

    def agree(self, value: str) -> bool:
        """Whether all processes have the same value."""
        if self.count == 1:
            return True
        values: list[str] = [""] * self.count
        distributed.all_gather_object(values, value)
        return len(set(values)) == 1


ALONE = Ranks()


def started_together() -> bool:
    """Whether torchrun started this process, as one of several or as the only one."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Ranks]:
    """This process's rank among those that torchrun started, who wait for each other here.

    Control traffic goes over the CPU, so that it never makes a device wait.
    """
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=TIMEOUT)
    yield Ranks(distributed.get_rank(), distributed.get_world_size())
    # not where an error passes: others may still be within a collective, and this would wait for them
    distributed.destroy_process_group()


def sum_gradients(parameters: Iterable[torch.nn.Parameter], ranks: Ranks) -> None:
    """Sum each parameter's gradient over the processes; one that had no group in this step adds zeros.

    No DistributedDataParallel: it averages over processes, and knows nothing of groups, of which a step has as many as
    it has, not one a process.
    """
    if ranks.count == 1:
        return
    known = list(parameters)
    # what no process has a gradient of keeps none: an optimizer would let zeros decay it
    had = ranks.sum_(torch.tensor([parameter.grad is not None for parameter in known], dtype=torch.int32))
    trained = [parameter for parameter, times in zip(known, had.tolist(), strict=True) if times]
    for parameter in trained:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    for dtype in dict.fromkeys(parameter.dtype for parameter in trained):
        gradients = [parameter.grad for parameter in trained if parameter.dtype == dtype]
        flat = ranks.sum_(torch.cat([gradient.flatten() for gradient in gradients]))  # type: ignore[union-attr]
        sizes = [gradient.numel() for gradient in gradients]  # type: ignore[union-attr]
        for gradient, part in zip(gradients, flat.split(sizes), strict=True):
            gradient.copy_(part.view(gradient.shape))  # type: ignore[union-attr]
