"""Which jobs are still to be run: Snakemake's own answer."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from debatch.cli.choice import BASE, known_targets
from debatch.config.read import nearest
from debatch.errors import ConfigError, UserError
from debatch.files import Files, Product, product_files
from debatch.registry import Registry
from debatch.registry.products import RunFolder, rule_of_form, wanted


class Job(NamedTuple):
    """One job.

    Attributes:
        rule: its name; of the forms of one rule, that of the rule.
        wildcards: by name; those of a run are its method, split and seed, or `external`.
        products: what it makes of a run.
        reason: why it is to be run, in Snakemake's words.
    """

    rule: str
    wildcards: dict[str, str]
    products: tuple[Product, ...] = ()
    reason: str = ""


RunFoldersByPath = dict[str, tuple[RunFolder, list[Product]]]


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
        command = [sys.executable, "-m", "debatch.cli.planning.dry_run_child", scratch, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        answer = Path(scratch, "answer.json")
        found: dict[str, list[Any]] = json.loads(answer.read_text()) if answer.exists() else {"errors": []}
    if done.returncode == 0:
        files, run_folders = Files(registry.results, registry.name), run_folders_by_path(registry)
        return [_as_job(listed, files, run_folders) for listed in found["jobs"]]
    words = "\n".join(found["errors"]) or done.stderr[-2000:]
    known = known_targets(registry)
    for target in targets:
        if target not in known and "/" not in target and target in words:
            raise ConfigError(f"no target {target!r}{nearest(target, known)}")
    raise UserError(f"Snakemake cannot plan this: {words}")


def run_folders_by_path(registry: Registry) -> RunFoldersByPath:
    """The runs that a screen's tables and figures are made from, and what is made of each, by path below `runs`."""
    runs = wanted(registry, registry.targets_of.all())
    return {run_folder.path: (run_folder, products) for run_folder, products in runs.items()}


def with_run(wildcards: dict[str, str], run_folders: RunFoldersByPath) -> dict[str, str]:
    """Wildcards in which a run is named by its parts in place of its path."""
    if wildcards.get("run") not in run_folders:
        return dict(wildcards)
    run_folder, _ = run_folders[wildcards["run"]]
    parts = {"external": run_folder.weights} if run_folder.external else {
        "method": run_folder.weights, "split": run_folder.split, "seed": str(run_folder.seed)
    }  # fmt: skip
    return {**{key: value for key, value in wildcards.items() if key != "run"}, **parts}


def _as_job(listed: dict[str, Any], files: Files, run_folders: RunFoldersByPath) -> Job:
    """A job as Snakemake lists it: a run by its parts, and what it makes of it by its files."""
    rule, wildcards = rule_of_form(listed["rule"]), listed["wildcards"]
    if wildcards.get("run") not in run_folders:
        return Job(rule, dict(wildcards), reason=listed["reason"])
    run_folder, products = run_folders[wildcards["run"]]
    folder, made = files.any_run(run_folder.path), set(listed["output"])
    own = tuple(product for product in products if made.issuperset(product_files(files, folder, product)))
    return Job(rule, with_run(wildcards, run_folders), own, listed["reason"])
