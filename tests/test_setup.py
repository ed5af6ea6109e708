"""`make setup` on made-up machines: which Python it takes, what it says, what it makes of a broken-off one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def command(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def python(folder: Path, name: str, version: str, *, venv: bool = True) -> Path:
    """A command that says it is another version, and may lack ensurepip as Debian's python3 does."""
    pretended = f"import sys; sys.version_info = ({version.replace('.', ', ')})"
    lacking = "" if venv else "; sys.modules['ensurepip'] = None"
    return command(folder / name, f'[ "$1" = -c ] && exec {sys.executable} -c "{pretended}{lacking}\n$2"')


def shim(folder: Path, name: str) -> Path:
    """What pyenv leaves on the PATH for a version that is not chosen."""
    return command(folder / name, f'echo "pyenv: {name}: command not found" >&2; exit 127')


def find(root: Path, path: Path, *asked: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["/bin/sh", root / "envs/find-python", *asked], env={"PATH": str(path)}, capture_output=True, text=True
    )


def test_the_newest_python_that_runs_is_taken(root: Path, tmp_path: Path):
    shim(tmp_path, "python3.13")
    python(tmp_path, "python3.11", "3.11")
    expected = python(tmp_path, "python3.12", "3.12")
    python(tmp_path, "python3", "3.11")
    assert find(root, tmp_path).stdout.strip() == str(expected)


def test_plain_python3_is_taken_by_its_version(root: Path, tmp_path: Path):
    python(tmp_path, "python3.11", "3.11")
    expected = python(tmp_path, "python3", "3.13")
    assert find(root, tmp_path).stdout.strip() == str(expected)


@pytest.mark.parametrize("version", ["3.9", "3.14"])
def test_versions_that_the_pins_were_not_tried_on_are_passed_over(root: Path, tmp_path: Path, version: str):
    python(tmp_path, "python3", version)
    found = find(root, tmp_path)
    assert found.returncode == 1
    assert "3.13 3.12 3.11" in found.stderr
    assert "sudo apt install python3 python3-venv" in found.stderr


def test_a_python_that_cannot_make_environments_is_passed_over(root: Path, tmp_path: Path):
    python(tmp_path, "python3.13", "3.13", venv=False)
    expected = python(tmp_path, "python3.12", "3.12")
    assert find(root, tmp_path).stdout.strip() == str(expected)


def test_debians_missing_package_is_named(root: Path, tmp_path: Path):
    python(tmp_path, "python3", "3.13", venv=False)
    found = find(root, tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.count("\n") == 1
    assert "sudo apt install python3.13-venv" in found.stderr


def test_an_empty_machine_is_told_what_to_install(root: Path, tmp_path: Path):
    found = find(root, tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.count("\n") == 1


def test_the_python_that_was_asked_for_is_taken(root: Path, tmp_path: Path):
    python(tmp_path, "python3.13", "3.13")
    asked = python(tmp_path / "a folder", "mine", "3.12")
    assert find(root, tmp_path, str(asked)).stdout.strip() == str(asked)
    assert "nonesuch" in find(root, tmp_path, "nonesuch").stderr


class Machine:
    """A clone with two pins, and Pythons whose environments hold only a pip that notes what it is asked."""

    def __init__(self, root: Path, folder: Path):
        self.folder = folder
        self.clone = folder / "clone"
        (self.clone / "envs").mkdir(parents=True)
        for name in ("set-up", "find-python"):
            shutil.copy(root / "envs" / name, self.clone / "envs" / name)
        (self.clone / "requirements.lock").write_text("# pins\npip==26.3\ntorch==2.13.0\n")
        self.venv = self.clone / ".venv"
        self.asked = folder / "asked"
        self.versions = "2.14.0, 2.13.0"
        self.pip_fails = "0"
        self.python("python3.12", "3.12")
        command(folder / "bin/uname", "echo Linux")

    def python(self, name: str, version: str) -> Path:
        body = python(self.folder / "bin", name, version).read_text().removeprefix("#!/bin/sh\n")
        inside = command(
            self.folder / f"inside-{version}",
            f"""echo "$*" >> "{self.asked}"
case "$*" in
*"pip show"*) [ -e "$(dirname "$0")/torch" ]; exit ;;
*"pip index"*) echo "Available versions: $VERSIONS"; exit ;;
*--requirement*) [ "$PIP_FAILS" = 0 ] || exit "$PIP_FAILS"; touch "$(dirname "$0")/torch"; exit ;;
*"-m pip"*) exit 0 ;;
esac
{body}""",
        )
        return command(
            self.folder / "bin" / name,
            f"""if [ "$1 $2 $3" = "-m venv --clear" ]; then
    rm -rf "$4" && mkdir -p "$4/bin" && cp "{inside}" "$4/bin/python"
    exit
fi
{body}""",
        )

    def set_up(self, *python: str) -> subprocess.CompletedProcess:
        self.asked.write_text("")
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "VERSIONS": self.versions,
            "PIP_FAILS": self.pip_fails,
        }
        return subprocess.run(
            ["envs/set-up", ".venv", *python], cwd=self.clone, env=environment, capture_output=True, text=True
        )


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Machine:
    return Machine(root, tmp_path)


def test_what_is_installed_and_how_large_is_said_first(machine: Machine):
    made = machine.set_up("python3.12")
    assert made.returncode == 0, made.stderr
    assert "Python 3.12" in made.stdout
    assert "2 packages" in made.stdout
    assert "CUDA build" in made.stdout
    assert "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make setup" in made.stdout
    assert (machine.venv / ".ready").exists()
    assert "install --quiet --requirement requirements.lock" in machine.asked.read_text(), "a pipe gets no progress"


def test_a_cpu_build_at_hand_is_what_pip_will_take(machine: Machine):
    machine.versions = "2.14.0, 2.13.0+cpu, 2.13.0"
    made = machine.set_up("python3.12").stdout
    assert "CPU build" in made
    assert "CUDA" not in made


def test_a_set_up_that_broke_off_is_made_anew_by_the_next(machine: Machine):
    machine.pip_fails = "1"
    assert machine.set_up("python3.12").returncode == 1
    assert not (machine.venv / ".ready").exists()
    (machine.venv / "half a package").touch()
    machine.pip_fails = "0"
    assert "Setting up" in machine.set_up("python3.12").stdout
    assert (machine.venv / ".ready").exists()
    assert not (machine.venv / "half a package").exists()


def test_changed_pins_go_into_the_environment_that_is_there(machine: Machine):
    machine.set_up("python3.12")
    (machine.venv / "mine").touch()
    again = machine.set_up()
    assert "Bringing .venv (Python 3.12) up to the pins" in again.stdout
    assert "GB" not in again.stdout
    assert (machine.venv / "mine").exists()


def test_another_python_makes_the_environment_anew(machine: Machine):
    machine.python("python3.13", "3.13")
    machine.set_up("python3.12")
    assert "Setting up .venv with Python 3.13" in machine.set_up("python3.13").stdout


def test_without_a_python_nothing_is_made(machine: Machine):
    made = machine.set_up("nonesuch")
    assert made.returncode != 0
    assert "nonesuch" in made.stderr
    assert not machine.venv.exists()


def test_make_hands_on_the_python_that_it_was_given(root: Path):
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "setup", "PYTHON=python3.12"],
        cwd=root, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True,
    )  # fmt: skip
    assert 'envs/set-up .venv "python3.12"' in shown.stdout
