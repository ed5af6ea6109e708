"""Which jobs are still to be run: Snakemake's own answer."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from debatch.cli.choice import BASE, known_targets
from debatch.config import Registry
from debatch.config.read import nearest
from debatch.errors import ConfigError, UserError


class Job(NamedTuple):
    """One job: its rule, and its wildcards by name."""

    rule: str
    wildcards: dict[str, str]


def dry_run(registry: Registry, targets: Sequence[str], overrides: Sequence[str]) -> list[Job]:
    """The jobs that targets need and that are not done, in Snakemake's order. Nothing is written.

    Args:
        registry: of the same choice.
        targets: rules or files; none: the screen's own.
        overrides: `key=value`, as after `--config`.

    Raises:
        ConfigError: there is no such target.
        UserError: Snakemake cannot plan; its own words say why.
    """
    arguments = ["--dry-run", "--nocolor", "--snakefile", str(BASE / "Snakefile"), *targets]
    arguments += ["--config", *overrides] if overrides else []
    with tempfile.TemporaryDirectory(prefix="debatch-plan-") as scratch:
        command = [sys.executable, "-m", "debatch.cli.dry_run_child", scratch, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        told = Path(scratch, "told.json")
        found: dict[str, list[Any]] = json.loads(told.read_text()) if told.exists() else {"errors": []}
    if done.returncode == 0:
        return [Job(**job) for job in found["jobs"]]
    words = "\n".join(found["errors"]) or done.stderr[-2000:]
    known = known_targets(registry)
    for target in targets:
        if target not in known and "/" not in target and target in words:
            raise ConfigError(f"no target {target!r}{nearest(target, known)}")
    raise UserError(f"Snakemake cannot plan this: {words}")
