import itertools
import re
import tomllib
from pathlib import Path

import yaml


def pins(lines):
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def test_conda_environment_has_the_lock_files_pins(root: Path):
    environment = yaml.safe_load((root / "envs/debatch.yaml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert set(pip) == pins((root / "requirements.lock").read_text().splitlines()), "run `make envs`"


def test_every_dependency_is_pinned_exactly(root: Path):
    assert all("==" in pin for pin in pins((root / "requirements.lock").read_text().splitlines()))


def test_what_only_tests_take_is_pinned_exactly_and_is_not_in_the_lock_file(root: Path):
    """`pip install` of the lock file would bring what it asks for: two frameworks that train."""
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    locked = {pin.split("==")[0].lower() for pin in pins((root / "requirements.lock").read_text().splitlines())}
    for pin in itertools.chain.from_iterable(groups.values()):
        name, version = pin.split("==")
        assert version
        assert name not in locked
    assert "install --quiet --no-deps --group oracle" in (root / "envs/set-up").read_text()


def test_nothing_names_a_path_of_a_developers_machine(root: Path):
    for folder in ("src", "workflow", "config", "profiles", "docs", "benchmarks"):
        for path in (root / folder).rglob("*"):
            if path.suffix in {".py", ".smk", ".yaml", ".md", ".j2"}:
                text = path.read_text()
                assert "/home/" not in text, path


def test_container_has_the_lock_files_pins(root: Path):
    lines = (root / "envs/Containerfile").read_text().replace("\\\n", " ").splitlines()
    installed = [line for line in lines if " pip install " in f" {line} ".replace("-m pip", "pip")]
    assert len(installed) == 1
    assert installed[0].split("pip install")[1].split() == [
        "--no-cache-dir", "--requirement", "/opt/debatch/requirements.lock",
    ]  # fmt: skip
    assert "COPY requirements.lock /opt/debatch/requirements.lock" in lines


def test_conda_container_and_ci_take_the_oldest_python_that_make_finds(root: Path):
    found = re.search(r'^versions="(.+)"$', (root / "envs/find-python").read_text(), re.MULTILINE)
    assert found
    oldest = min(found[1].split(), key=lambda version: int(version.split(".")[1]))
    environment = yaml.safe_load((root / "envs/debatch.yaml").read_text())
    assert f"python={oldest}" in environment["dependencies"]
    assert f"RUN python{oldest} -m venv" in (root / "envs/Containerfile").read_text()
    assert f"make setup PYTHON=python{oldest}" in (root / ".ci/run").read_text()
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == f">={oldest}"
    assert project["tool"]["mypy"]["python_version"] == oldest
    assert project["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
