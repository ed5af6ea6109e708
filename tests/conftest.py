import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from debatch.config import Recipe
from debatch.screen.ingest.measure import measure
from debatch.screen.normalization import normalization_statistics

# the machine's load must not fail a test
settings.register_profile("debatch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("debatch")

ROOT = Path(__file__).resolve().parents[1]
# minutes each: two processes of tests end together where these come first
LONGEST = ("test_planted_truth.py", "test_workflow.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, then the others that run the workflow."""
    items.sort(key=lambda item: (item.path.name not in LONGEST, item.get_closest_marker("workflow") is None))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(os.environ.get("DEBATCH_REAL_DATA", ROOT.parent / "shared/data"))
    if not (folder / "rxrx1_images").is_dir():
        pytest.skip(f"real data is not at {folder}; set DEBATCH_REAL_DATA")
    return folder


@pytest.fixture
def tiny_recipe() -> Recipe:
    return Recipe(
        backbone="small_resnet",
        pixels=32,
        embedding_width=16,
        group=8,
        groups_per_step=2,
        epochs=3,
        warmup_epochs=1,
        optimizer="adamw",
        learning_rate=0.004,
        learning_rate_images=16,
        statistics_images=48,
    )


def with_objective(recipe: Recipe, **keys) -> Recipe:
    """A recipe with other keys of its objective."""
    return recipe.model_copy(update={"objective": recipe.objective.model_copy(update=keys)})


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
