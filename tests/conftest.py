import os
from pathlib import Path

import pytest
from helpers import ROOT
from hypothesis import HealthCheck, settings

from debatch.config import Recipe

# the machine's load must not fail a test
settings.register_profile("debatch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# examples of all properties of tests/fuzz together
settings.register_profile("fuzz", parent=settings.get_profile("debatch"), max_examples=10_000)
settings.load_profile("debatch")

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


@pytest.fixture
def tiny_vit(monkeypatch) -> str:
    """Name of a vision transformer of timm, which is made with two small blocks."""
    from debatch.model.timm_import import import_timm

    timm = import_timm()
    create, small = timm.create_model, {"embed_dim": 16, "depth": 2, "num_heads": 2, "patch_size": 16}
    monkeypatch.setattr(timm, "create_model", lambda name, **keys: create(name, **{**small, **keys}))
    return "vit_tiny_patch16_224"
