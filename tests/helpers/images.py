"""A screen's index and its images, in memory."""

import numpy as np
import pandas as pd

from debatch.config.images import Store
from debatch.embedding_table import top_columns
from debatch.screen.ingest.measure import measure
from debatch.screen.normalization import normalization_statistics
from debatch.screen.store import ImageReader, StoreWriter


def with_runners_up(predictions: pd.DataFrame, second: pd.Series | np.ndarray | int) -> pd.DataFrame:
    """Predictions whose second most probable class is given, and which hold no other."""
    classes = dict.fromkeys(top_columns("class"), -1) | {"class_1": predictions["predicted"], "class_2": second}
    return predictions.assign(**classes)


def make_index(experiments: int, wells: int, sites: int = 1, classes: int = 4, cell_types: int = 1) -> pd.DataFrame:
    """An index of `experiments` batches with `wells` wells each, classes in turn."""
    rows = []
    for e in range(experiments):
        for w in range(wells):
            for s in range(1, sites + 1):
                well, experiment = f"B{w + 2:02d}", f"E{e:02d}"
                label = w % classes
                rows.append(
                    {
                        "image_id": f"{experiment}_1_{well}_{s}",
                        "experiment": experiment,
                        "plate": "1",
                        "well": well,
                        "site": str(s),
                        "cell_type": f"C{e % cell_types}",
                        "well_type": "negative_control" if label == classes - 1 else "treatment",
                        "perturbation": f"T{label}",
                        "label": label,
                        "batch": experiment,
                        "part": "all",
                        "store_row": w * sites + s - 1,
                    }
                )
    return pd.DataFrame(rows).astype({"label": "Int64"})


class MemoryReader:
    """Stands in for the store: images by (experiment, store row)."""

    def __init__(self, index: pd.DataFrame, images: np.ndarray) -> None:
        places = zip(index["experiment"], index["store_row"], strict=True)
        self.at = {place: n for n, place in enumerate(places)}
        self.images = images
        self.names = [f"c{channel}" for channel in range(images.shape[1])]

    def channels(self, experiments: np.ndarray) -> list[str]:
        return self.names

    def layout(self, experiments: np.ndarray) -> tuple[tuple[int, ...], np.dtype]:
        return self.images.shape[1:], self.images.dtype

    def read(self, rows: pd.DataFrame) -> np.ndarray:
        return self.read_at(rows["experiment"], rows["store_row"])

    def read_at(self, experiments: np.ndarray, rows: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        images = self.images[[self.at[place] for place in zip(experiments, rows, strict=True)]]
        if out is not None:
            out[...] = images
        return images


def make_images(index: pd.DataFrame, channels: int = 3, side: int = 32, seed: int = 0) -> np.ndarray:
    """Images (N, channels, side, side) uint8 whose stripes tell the class, with a gain for each batch."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 60, (len(index), channels, side, side))
    for n, (label, batch) in enumerate(zip(index["label"], index["batch"], strict=True)):
        images[n, label % channels, :: 2 + int(label)] += 80
        images[n] += 5 * (sum(map(ord, batch)) % 7)
    return images.clip(0, 255).astype(np.uint8)


def self_statistics(index: pd.DataFrame, images: np.ndarray) -> pd.DataFrame:
    names = [f"c{channel}" for channel in range(images.shape[1])]
    return normalization_statistics(index, measure(images).moments, names, "self")


def in_parts(folder, sizes=((32, 32), (32, 32))):
    """Stores of two parts that share the channels c0 and c1 in another order, and each has one of its own."""
    index = make_index(experiments=4, wells=12)
    index["part"] = np.where(index["experiment"] < "E02", "square", "other")
    images = make_images(index, channels=4, side=max(max(size) for size in sizes))
    held = {"square": [0, 1, 2], "other": [3, 1, 0]}
    stores, statistics, expected = {}, [], []
    for (experiment, rows), size in zip(index.groupby("experiment"), np.repeat(sizes, 2, axis=0), strict=True):
        own = np.ascontiguousarray(images[rows.index][:, held[rows["part"].iloc[0]], : size[0], : size[1]])
        names = [f"c{channel}" for channel in held[rows["part"].iloc[0]]]
        stores[experiment] = folder / f"{experiment}.zarr"
        with StoreWriter(stores[experiment], own.shape, Store(), {"channels": names}) as writer:
            writer.append(own, measure(own).moments)
        statistics.append(normalization_statistics(rows, measure(own).moments, names, "self"))
        expected += list(images[rows.index][:, [1, 0], : size[0], : size[1]])
    return index, pd.concat(statistics), ImageReader(stores, 1), expected
