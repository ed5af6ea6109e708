"""Illumination profiles: the mean image of each plate and channel, over all that was stored of it."""

import dask
import numpy as np
import pandas as pd

from debatch.screen.access import OpenScreen

BLOCKS = 32


def illumination_profiles(screen: OpenScreen, threads: int) -> dict[tuple[str, str], np.ndarray]:
    """Each plate's mean image, in blocks, relative to its mean.

    Where fields were cut into tiles, the profile is that of the field.

    Args:
        screen: its index and images.
        threads: that read.

    Returns:
        (experiment, plate) -> (C, b, b'), at most 32 blocks a side; 1 is the mean of the plate and channel, NaN where
        that is 0.
    """
    names = list(zip(screen.index["experiment"], screen.index["plate"], strict=True))
    plates = list(dict.fromkeys(names))
    number_of = {plate: number for number, plate in enumerate(plates)}
    numbers = np.array([number_of[name] for name in names])
    means = [_mean_field(screen, np.flatnonzero(numbers == number)) for number in range(len(plates))]
    with dask.config.set(scheduler="threads", num_workers=threads):
        computed = dask.compute(*means)
    return {plate: _relative(_in_blocks(mean)) for plate, mean in zip(plates, computed, strict=True)}


def profile_table(profiles: dict[tuple[str, str], np.ndarray], channels: list[str]) -> pd.DataFrame:
    """How uneven each profile is.

    Args:
        profiles: of plates of one part.
        channels: of that part.

    Returns:
        experiment, plate, channel, darkest, brightest (blocks, relative to the mean) and corners (the four corner
        blocks' mean relative to the four central ones').
    """
    rows = []
    for (experiment, plate), profile in profiles.items():
        for name, blocks in zip(channels, profile, strict=True):
            height, width = blocks.shape
            centre = blocks[(height - 1) // 2 : height // 2 + 1, (width - 1) // 2 : width // 2 + 1].mean()
            corners = blocks[:: max(1, height - 1), :: max(1, width - 1)].mean()
            rows.append(
                {
                    "experiment": experiment,
                    "plate": plate,
                    "channel": name,
                    "darkest": float(blocks.min()),
                    "brightest": float(blocks.max()),
                    "corners": float(corners / centre),
                }
            )
    return pd.DataFrame(rows)


def _mean_field(screen: OpenScreen, positions: np.ndarray) -> "dask.array.Array":
    tile = screen.index["site"].iloc[positions].str.extract(r"\.(\d+)$")[0]
    if tile.isna().any():
        return screen.images[positions].mean(axis=0, dtype=np.float64)
    numbers = tile.astype(int).to_numpy()
    side = round(numbers.max() ** 0.5)
    means = [screen.images[positions[numbers == at + 1]].mean(axis=0, dtype=np.float64) for at in range(side * side)]
    rows = [dask.array.concatenate(means[row * side : (row + 1) * side], axis=2) for row in range(side)]
    return dask.array.concatenate(rows, axis=1)


def _in_blocks(mean: np.ndarray) -> np.ndarray:
    """(C, H, W) to at most `BLOCKS` block means a side."""
    height, width = mean.shape[1:]
    step = max(1, -(-max(height, width) // BLOCKS))
    inner = mean[:, : height - height % step or None, : width - width % step or None]
    channels, high, wide = inner.shape
    return inner.reshape(channels, high // step, step, wide // step, step).mean(axis=(2, 4))


def _relative(blocks: np.ndarray) -> np.ndarray:
    mean = blocks.mean(axis=(1, 2), keepdims=True)
    return np.divide(blocks, mean, out=np.full_like(blocks, np.nan), where=mean > 0)
