"""`snakemake --logger debatch` for real, on rules that do nothing: piped, and on a terminal."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

RULES = """
rule all:
    input: "E-1.txt", "E-2.txt"

rule ingest_experiment:
    output: "{experiment}.txt"
    log: "{experiment}.log"
    shell:
        "echo said by itself $DEBATCH_ON_TERMINAL >&2; echo 'Error: broken image' > {log};"
        "[ {wildcards.experiment} != $BROKEN ] && touch {output}"
"""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def command(tmp_path):
    (tmp_path / "Snakefile").write_text(RULES)
    return [sys.executable, "-m", "snakemake", "--cores", "1", "--show-failed-logs", "--logger", "debatch"]


def environment(**more):
    return {**os.environ, "BROKEN": "none", "COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1", **more}


def on_a_terminal(command, folder: Path, **more) -> tuple[int, str]:
    """Status and all that came to the terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=folder, env=environment(**more), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        told = b""
        try:
            while chunk := os.read(ours, 65536):
                told += chunk
        except OSError:  # how Linux says that nobody writes there any more
            pass
    os.close(ours)
    return process.returncode, told.decode()


def test_piped_output_is_plain_lines(command, tmp_path):
    done = subprocess.run(command, cwd=tmp_path, env=environment(FORCE_COLOR="1"), capture_output=True, text=True)
    assert done.returncode == 0
    lines = re.sub(r"\d+ s\b", "N s", done.stderr).splitlines()
    assert lines[0] == "3 jobs to do"
    assert sorted(lines[1:5]) == sorted(
        ["said by itself warnings"] * 2
        + [f"{at} of 3: reading images of E-{e}, N s" for at, e in enumerate(_order(lines), 1)]
    )
    assert lines[5].startswith("3 jobs done in N s; log: .snakemake/log/")
    assert "\x1b" not in done.stderr


def _order(lines):
    return [re.search(r"E-(\d)", line)[1] for line in lines if "reading" in line]


def test_on_a_terminal_a_failure_stands_above_the_bar_and_the_bar_goes(command, tmp_path):
    status, told = on_a_terminal(command, tmp_path, BROKEN="E-1")
    assert status == 1
    # as they stand in the end: a return begins a line anew
    lines = [CONTROL.sub("", line).rstrip("\r").split("\r")[-1] for line in told.split("\n")]
    at = lines.index("Failed: reading images of E-1")
    assert lines[at + 1 : at + 3] == ["    Error: broken image", "  Its log: E-1.log"]
    assert re.match(r"1 of 3 jobs failed, [12] more were not begun; log: ", lines[-2])
    assert "Traceback" not in told
    assert "0 of 3 jobs" in told
    assert "  reading images of E-" in told
    assert "said by itself warnings" in lines
    assert told.count("\x1b[?25l") == told.count("\x1b[?25h") == 1  # the cursor, hidden and back
