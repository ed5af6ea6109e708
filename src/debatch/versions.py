"""Versions of all that a result may depend on."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from debatch import __version__

PACKAGES = ("torch", "timm", "numpy", "pandas", "zarr", "tensorstore", "snakemake")


def versions() -> dict[str, Any]:
    """Versions of everything that a result may depend on."""
    packages: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = None
    return {
        "debatch": __version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "packages": packages,
    }


def git_commit() -> str | None:
    """The commit of the source tree, with `+` where it was edited since; None outside of one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
