"""What a user chose: `config/config.yaml` and `--config`, read as Snakemake reads them."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from debatch.config.read import nearest, read_yaml
from debatch.config.tables import SCREEN_FIGURES, FixedTarget
from debatch.errors import ConfigError
from debatch.registry import Registry, Run, build_registry

BASE = Path(__file__).resolve().parents[3]
_KEY = re.compile(r"[A-Za-z_][\w-]*\w")


def chosen_registry(overrides: Sequence[str], screen: str | None = None) -> Registry:
    """The configuration as the Snakefile reads it.

    Args:
        overrides: `key=value`, as after `--config`.
        screen: another screen than the configured one.

    Raises:
        ConfigError: anything that could not work.
    """
    own = Path("config/config.yaml")
    choice = read_yaml(own if own.exists() else BASE / own) or {}
    if not isinstance(choice, dict):
        raise ConfigError(f"{own}: expected keys and values, as in `screen: demo`")
    choice = {**choice, **dict(map(parse_override, overrides))}
    return build_registry({**choice, "screen": screen} if screen else choice, BASE)


def parse_override(text: str) -> tuple[str, Any]:
    """`seeds=2` as ("seeds", 2): a value is a number, True or False, YAML, or a text, tried in this order.

    Raises:
        ConfigError: no `key=value`, or no key that Snakemake would take.
    """
    key, equals, value = text.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise ConfigError(
            f"--config: expected key=value, as in `screen=rxrx1`, found {text!r}; targets stand before `--config`"
        )
    if value == "":
        return key, None
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return key, number(value)
    if value in {"True", "False"}:
        return key, value == "True"
    with contextlib.suppress(yaml.YAMLError):
        return key, yaml.load(value, Loader=yaml.BaseLoader)  # noqa: S506 (plain texts, lists and mappings only)
    return key, value


def runs_of(registry: Registry, targets: Sequence[str]) -> list[Run]:
    """The runs that targets are made from, each once; of the screen's own targets where none is named.

    Raises:
        ConfigError: no such target.
    """
    known = known_targets(registry)
    for target in targets:
        if target not in known:
            raise ConfigError(f"no target {target!r}{nearest(target, known)}")
    specs = [spec for target in targets or registry.screen.targets for spec in _specs(registry, target)]
    return list(dict.fromkeys(run for spec in dict.fromkeys(specs) for run in registry.runs(spec)))


def known_targets(registry: Registry) -> list[str]:
    """What can be named after `snakemake` on every screen."""
    return [*registry.tables, *registry.figures, *get_args(FixedTarget)]


def _specs(registry: Registry, target: str) -> list[str]:
    """The tables and figures of runs that a target comes to."""
    made = {**registry.tables, **registry.figures}
    if target in made:
        return [target]
    if target == "paper":
        return [name for name in registry.with_paper().shown if name in made]
    own = [name for name in registry.screen.targets if name in made]
    if target in {"report", "tables", "figures"}:
        return [name for name in own if target == "report" or name in registry.targets(target)]
    if target in {"embed", "h5ad"}:
        return [name for name in own if {"embeddings", "scores"} & set(registry.needs(name))]
    if target in {"ingest", "ome_zarr", *SCREEN_FIGURES}:
        return []
    return [name for name in made if registry.splits(name)]
