import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.workflow import own_folder, snakemake


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """The tiny screen, run once from raw images to its report, and a copy for each process of tests.

    DEBATCH_TINY names the folder of one that this checkout has just made by `snakemake --config screen=tiny`.
    """
    folder = tmp_path_factory.mktemp("tiny")
    made = Path(os.environ["DEBATCH_TINY"]) if "DEBATCH_TINY" in os.environ else _tiny_made_once(tmp_path_factory)
    shutil.copytree(made, folder, copy_function=shutil.copy2, dirs_exist_ok=True)
    return folder


def _tiny_made_once(tmp_path_factory) -> Path:
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    made = shared / "made"
    with FileLock(shared / "made.lock"):
        if not made.exists():
            folder = own_folder(tmp_path_factory.mktemp("making"))
            snakemake(folder, screen="tiny")
            folder.rename(made)
    return made


@pytest.fixture
def tiny_copy(tiny, tmp_path) -> Path:
    """A copy of the finished tiny screen, to change something in."""
    folder = tmp_path / "copy"
    shutil.copytree(tiny, folder, copy_function=shutil.copy2)
    return folder
