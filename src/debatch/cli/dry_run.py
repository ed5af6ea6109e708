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
from debatch.registry.products import Place, rule_of_form, wanted


class Job(NamedTuple):
    """One job.

    Attributes:
        rule: its name; of the forms of one rule, that of the rule.
        wildcards: by name; those of a run are its method, split and seed, or `external`.
        products: what it makes of a run.
    """

    rule: str
    wildcards: dict[str, str]
    products: tuple[Product, ...] = ()


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
        planned = Path(scratch, "planned.json")
        found: dict[str, list[Any]] = json.loads(planned.read_text()) if planned.exists() else {"errors": []}
    if done.returncode == 0:
        files = Files(registry.results, registry.name)
        runs = wanted(registry, registry.targets_of.all())
        places = {place.path: (place, products) for place, products in runs.items()}
        return [_as_job(job, files, places) for job in found["jobs"]]
    words = "\n".join(found["errors"]) or done.stderr[-2000:]
    known = known_targets(registry)
    for target in targets:
        if target not in known and "/" not in target and target in words:
            raise ConfigError(f"no target {target!r}{nearest(target, known)}")
    raise UserError(f"Snakemake cannot plan this: {words}")


def _as_job(job: dict[str, Any], files: Files, places: dict[str, tuple[Place, list[Product]]]) -> Job:
    """A job from the child's record of it: a run by its parts, and what it makes of it by its files."""
    rule, wildcards = rule_of_form(job["rule"]), dict(job["wildcards"])
    if wildcards.get("run") not in places:
        return Job(rule, wildcards)
    place, products = places[wildcards.pop("run")]
    named = {"external": place.weights} if place.external else {
        "method": place.weights, "split": place.split, "seed": str(place.seed)
    }  # fmt: skip
    folder, made = files.any_run(place.path), set(job["output"])
    own = tuple(product for product in products if made.issuperset(product_files(files, folder, product)))
    return Job(rule, {**wildcards, **named}, own)
