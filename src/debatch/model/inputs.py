"""From the store to the device: groups of images read by threads a few groups ahead, handed over as bytes.

The images of a group are of one part of the screen: parts differ in size and in channels.
"""

import copy
import math
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from debatch.config.recipe import Recipe
from debatch.config.trained import channel_positions
from debatch.errors import DataError
from debatch.model.standardize import standardize
from debatch.screen.normalization import as_arrays, statistics_channels
from debatch.screen.order import nearly_equal_groups
from debatch.screen.store import ImageReader

GROUPS_AHEAD = 4


class Group(NamedTuple):
    """A group on the device.

    Attributes:
        positions: (n,) which images of the set.
        images: (n, C, H, W) uint8, or int32 where 16 bits are stored.
        means: (n, C) in stored pixel values.
        sds: (n, C) in stored pixel values.
        channels: C names.
    """

    positions: np.ndarray
    images: Tensor
    means: Tensor
    sds: Tensor
    channels: tuple[str, ...] = ()

    def standardized(self, pixels: int | list[int]) -> Tensor:
        """(n, C, height, width) float32: the network's input, by its side or its [height, width]."""
        return standardize(self.images, self.means, self.sds, pixels)


class ImageSet:
    """Some images of a screen, with the statistics that standardise them.

    Args:
        rows: of the index.
        statistics: mean and sd of each image and channel.
        reader: of the stores.
        device: where the images go.
        channels: those of the stored channels that the network sees, by name and in its order, or of each part those
            of its images; None: all, as stored. `channels_seen` makes it of a recipe.

    Attributes:
        parts: (N,) number of the part that each image is of.
        channels: C names, of all parts.
        channel_sets: of each part, the names of its channels.

    Raises:
        DataError: an image lacks a channel; or the images of several parts differ in size.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        statistics: pd.DataFrame,
        reader: ImageReader,
        device: torch.device,
        channels: list[str] | Mapping[str, list[str]] | None = None,
    ) -> None:
        self.rows = rows.reset_index(drop=True)
        self.experiments = self.rows["experiment"].to_numpy()
        self.store_rows = self.rows["store_row"].to_numpy()
        self.parts, names = pd.factorize(self.rows["part"])
        self.chosen = channels is not None
        if isinstance(channels, Mapping):
            self.channel_sets = [tuple(channels[name]) for name in names]
            self.channels = tuple(dict.fromkeys(name for own in self.channel_sets for name in own))
        else:
            self.channels = tuple(channels or statistics_channels(statistics))
            self.channel_sets = [self.channels] * len(names)
        means, sds = self._arrays(statistics)
        self.means, self.sds = torch.from_numpy(means).to(device), torch.from_numpy(sds).to(device)
        self.reader, self.device = reader, device
        if len(names) > 1 and not isinstance(channels, Mapping):
            self._require_one_size()
        self.memory = _Memory(pinned=device.type == "cuda")

    def __len__(self) -> int:
        return len(self.rows)

    def beside(self) -> "ImageSet":
        """The same images, which can be read while others of this set are on their way."""
        again = copy.copy(self)
        again.memory = _Memory(self.memory.pinned)
        return again

    def cut(self, order: np.ndarray, size: int) -> list[np.ndarray]:
        """Positions (n,) in their order as groups as near to `size` as equal parts allow, each of one part."""
        parts = self.parts[order]
        return [group for part in np.unique(parts) for group in nearly_equal_groups(order[parts == part], size)]

    def groups(self, positions: Iterable[np.ndarray]) -> Iterator[Group]:
        """Groups of the set's images by position, in the order asked for."""
        with ThreadPoolExecutor(1) as pool:
            waiting: deque[tuple[np.ndarray, Future[tuple[Tensor, list[int] | None]]]] = deque()
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

    def _arrays(self, statistics: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """(N, C) means and sds; of a channel that an image's part lacks 0 and 1, which nothing reads."""
        means, sds = (np.full((len(self), len(self.channels)), value, np.float32) for value in (0, 1))
        for part, own in enumerate(self.channel_sets):
            rows = np.flatnonzero(self.parts == part)
            at = np.ix_(rows, np.array(channel_positions(list(own), list(self.channels))))
            means[at], sds[at] = as_arrays(statistics, self.rows["image_id"].iloc[rows], list(own))
        return means, sds

    def _require_one_size(self) -> None:
        """Area averaging would show cells of one part smaller than those of another."""
        seen: dict[tuple[int, ...], str] = {}
        for experiment, rows in self.rows.groupby("experiment", sort=False):
            shape, _ = self.reader.layout(np.array([experiment]))
            seen.setdefault(shape[1:], str(rows["part"].iloc[0]))
        if len(seen) > 1:
            sizes = "; ".join(f"{part}: {height} x {width}" for (height, width), part in seen.items())
            raise DataError(
                f"the parts differ in the size of their images ({sizes}), and a network takes one: name the `parts` "
                "that it is trained on, or crop them alike by `image.crop`"
            )

    def _read(self, at: np.ndarray) -> tuple[Tensor, list[int] | None]:
        """Images as they are stored, and where the network's channels stand; None: they are those that are stored."""
        experiments, rows = self.experiments[at], self.store_rows[at]
        shape, dtype = self.reader.layout(experiments)
        images = self.memory.take((len(at), *shape), dtype)
        self.reader.read_at(experiments, rows, out=images.numpy())
        if not self.chosen:
            return images, None
        wanted = list(self.channel_sets[self.parts[at[0]]])
        positions = channel_positions(wanted, self.reader.channels(experiments))
        return images, None if positions == list(range(shape[0])) else positions

    def _on_device(self, at: np.ndarray, read: "Future[tuple[Tensor, list[int] | None]]") -> Group:
        where = torch.from_numpy(at).to(self.device)
        images, positions = read.result()
        on_device = images.to(self.device, non_blocking=True)
        if on_device.dtype == torch.uint16:  # for which torch has neither flips nor arithmetic
            on_device = on_device.view(torch.int16).int() & 0xFFFF
        if positions is not None:  # here: an image's channels are one chunk of the store, and are read together
            on_device = on_device.index_select(1, torch.tensor(positions, device=self.device))
        own = self.channel_sets[self.parts[at[0]]]
        means, sds = self.means[where], self.sds[where]
        if own != self.channels:
            columns = torch.tensor([self.channels.index(name) for name in own], device=self.device)
            means, sds = means.index_select(1, columns), sds.index_select(1, columns)
        return Group(at, on_device, means, sds, own)


def channels_seen(recipe: Recipe, rows: pd.DataFrame, reader: ImageReader) -> list[str] | dict[str, list[str]] | None:
    """By which channels a recipe's network sees images: the `channels` of an `ImageSet`.

    Args:
        recipe: of the run.
        rows: of the index.
        reader: of the stores.

    Returns:
        Where its stem knows channels by name: of each part those that it has of the recipe's. Else the recipe's own.
    """
    if not recipe.names_channels:
        return recipe.channels
    seen = {}
    for part, own in rows.groupby("part", sort=False):
        stored = reader.channels(own["experiment"].unique())
        seen[str(part)] = [name for name in stored if recipe.channels is None or name in recipe.channels]
    return seen


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
