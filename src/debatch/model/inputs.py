"""From the store to the device: groups of images read by threads a few groups ahead, handed over as bytes."""

import math
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from debatch.errors import DataError
from debatch.model.standardize import standardize
from debatch.screen.normalization import as_arrays
from debatch.screen.store import ImageReader

GROUPS_AHEAD = 4


class Group(NamedTuple):
    """A group on the device.

    Attributes:
        positions: (n,) which images of the set.
        images: (n, C, H, W) uint8, or int32 where 16 bits are stored.
        means: (n, C) in stored pixel values.
        sds: (n, C) in stored pixel values.
    """

    positions: np.ndarray
    images: Tensor
    means: Tensor
    sds: Tensor

    def standardized(self, pixels: int) -> Tensor:
        """(n, C, pixels, pixels) float32: the network's input."""
        return standardize(self.images, self.means, self.sds, pixels)


class ImageSet:
    """Some images of a screen, with the statistics that standardise them.

    Args:
        rows: of the index.
        statistics: mean and sd of each image and stored channel.
        reader: of the stores.
        device: where the images go.
        channels: which of the stored channels, in the network's order; None: all, as stored.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        statistics: pd.DataFrame,
        reader: ImageReader,
        device: torch.device,
        channels: list[int] | None = None,
    ) -> None:
        self.rows = rows.reset_index(drop=True)
        self.experiments = self.rows["experiment"].to_numpy()
        self.store_rows = self.rows["store_row"].to_numpy()
        means, sds = as_arrays(statistics, self.rows["image_id"])
        if channels is not None:
            means, sds = means[:, channels], sds[:, channels]
        self.channels = None if channels is None else torch.tensor(channels, device=device)
        self.means, self.sds = torch.from_numpy(means).to(device), torch.from_numpy(sds).to(device)
        self.reader, self.device = reader, device
        self.memory = _Memory(pinned=device.type == "cuda")

    def __len__(self) -> int:
        return len(self.rows)

    def groups(self, positions: Iterable[np.ndarray]) -> Iterator[Group]:
        """Groups of the set's images by position, in the order asked for."""
        with ThreadPoolExecutor(1) as pool:
            waiting: deque[tuple[np.ndarray, Future[Tensor]]] = deque()
            try:
                for at in positions:
                    waiting.append((at, pool.submit(self._read, at)))
                    if len(waiting) > GROUPS_AHEAD:
                        yield self._on_device(*waiting.popleft())
                while waiting:
                    yield self._on_device(*waiting.popleft())
            finally:
                for _, future in waiting:
                    future.cancel()

    def _read(self, at: np.ndarray) -> Tensor:
        experiments, rows = self.experiments[at], self.store_rows[at]
        shape, dtype = self.reader.layout(experiments)
        if shape[-1] != shape[-2]:
            raise DataError(
                f"the stored images are {shape[-2]} x {shape[-1]} pixels; networks are trained on square ones: set "
                "`image.crop` in the screen"
            )
        images = self.memory.take((len(at), *shape), dtype)
        self.reader.read_at(experiments, rows, out=images.numpy())
        return images

    def _on_device(self, at: np.ndarray, images: "Future[Tensor]") -> Group:
        where = torch.from_numpy(at).to(self.device)
        on_device = images.result().to(self.device, non_blocking=True)
        if on_device.dtype == torch.uint16:  # for which torch has neither flips nor arithmetic
            on_device = on_device.view(torch.int16).int() & 0xFFFF
        if self.channels is not None:  # here: an image's channels are one chunk of the store, and are read together
            on_device = on_device.index_select(1, self.channels)
        return Group(at, on_device, self.means[where], self.sds[where])


class _Memory:
    """Host memory for groups, used again once nobody holds it: fresh pages cost as much time as decoding does."""

    def __init__(self, pinned: bool) -> None:
        self.pinned = pinned
        self.blocks: list[np.ndarray] = []

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> Tensor:
        """A tensor of a shape, its content arbitrary."""
        if self.pinned:  # torch keeps pinned blocks itself, and knows when a copy from one has ended
            return torch.empty(shape, dtype=torch.from_numpy(np.empty(0, dtype)).dtype, pin_memory=True)
        size = math.prod(shape) * dtype.itemsize
        # a tensor that lives holds a reference to its block: two are the list's and the question's own
        for at in range(len(self.blocks)):
            if self.blocks[at].size >= size and sys.getrefcount(self.blocks[at]) <= 2:
                break
        else:
            self.blocks.append(np.empty(size, np.uint8))
            at = -1
        return torch.from_numpy(self.blocks[at][:size].view(dtype).reshape(shape))
