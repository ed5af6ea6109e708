"""What a user chose: `config/config.yaml` and `--config`, read as Snakemake reads them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from debatch.config.read import nearest, read_yaml
from debatch.config.tables import SCREEN_FIGURES, FixedTarget
from debatch.errors import ConfigError
from debatch.registry import Registry, Run, build_registry
from debatch.registry.explored import explored_runs

BASE = Path(__file__).resolve().parents[3]


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
    choice = {**choice, **parse_overrides(overrides)}
    return build_registry({**choice, "screen": screen} if screen else choice, BASE)


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """`seeds=2` as {"seeds": 2}, by Snakemake's own rules.

    Raises:
        ConfigError: no `key=value`, or no key that Snakemake would take.
    """
    if not texts:
        return {}
    from snakemake.cli import parse_config  # type: ignore[import-untyped]  # a second, for calls with --config alone

    try:
        return dict(parse_config(texts))
    except ValueError as error:
        raise ConfigError(
            f"--config: expected key=value, as in `screen=rxrx1`, found {' '.join(texts)}; targets stand before "
            f"`--config` ({error})"
        ) from None


def runs_of(registry: Registry, targets: Sequence[str]) -> list[Run]:
    """The runs that targets are made from, each once; of the screen's own targets where none is named.

    Raises:
        ConfigError: no such target.
    """
    known = known_targets(registry)
    for target in targets:
        if target not in known:
            raise ConfigError(f"no target {target!r}{nearest(target, known)}")
    named = targets or registry.screen.targets
    specs = [spec for target in named for spec in _specs(registry, target)]
    explored = explored_runs(registry) if "explorer" in named else []
    return list(dict.fromkeys([*(run for spec in dict.fromkeys(specs) for run in registry.runs(spec)), *explored]))


def known_targets(registry: Registry) -> list[str]:
    """What can be named after `snakemake` on every screen."""
    return [*registry.tables, *registry.figures, *registry.targets_of.pages, *get_args(FixedTarget)]


def _specs(registry: Registry, target: str) -> list[str]:
    """The tables and figures of runs that a target comes to."""
    made = {**registry.tables, **registry.figures}
    if target in made:
        return [target]
    if target in registry.targets_of.pages:
        return [name for name in registry.of_page(target).shown if name in made]
    own = [name for name in registry.screen.targets if name in made]
    if target in {"report", "tables", "figures"}:
        return [name for name in own if target == "report" or name in registry.targets(target)]
    if target in {"embed", "h5ad"}:
        return [name for name in own if {"embeddings", "scores"} & set(registry.needs(name))]
    if target in {"ingest", "ome_zarr", "explorer", *SCREEN_FIGURES}:
        return []
    return [name for name in made if registry.splits(name)]
