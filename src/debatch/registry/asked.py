"""What a call of the workflow asks for, and so what its jobs make of each run: that, and no more."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from debatch.config.statistics import STATISTICS
from debatch.config.tables import PLATE_TARGETS, FixedTarget
from debatch.errors import ConfigError
from debatch.files import Files, Product, product_files
from debatch.registry.explored import explored_runs
from debatch.registry.products import RunFolder, in_order, needed_products, sources_of, wanted
from debatch.registry.registry import Registry

# rules without wildcards that look at no run
STAGES = (*get_args(FixedTarget), "index", "index_profiles", "simulate_metadata", "make_plates", "make_illumination")


def asked_products(registry: Registry, files: Files, named: Iterable[str]) -> dict[RunFolder, list[Product]]:
    """What is to be made of each run for the targets of a call.

    Args:
        registry: of the screen.
        files: of the screen.
        named: targets as they were called for, rules or files; none: the screen's own.
    """
    named = list(named) or ["all"]
    needed = wanted(registry, asked_targets(registry, files, named))
    found = {run_folder: set(products) for run_folder, products in needed.items()}
    if {"embed", "h5ad"} & set(named):
        for target in embedded_targets(registry):
            for run_folder, products in wanted(registry, [target], ["embeddings"]).items():
                found.setdefault(run_folder, set()).update(products)
    if {"explorer", files.explorer()} & set(named) or ("all" in named and "explorer" in registry.screen.targets):
        for run in explored_runs(registry):
            for product in needed_products(run, "embeddings"):
                run_folder = RunFolder.of(run)
                found.setdefault(run_folder, set()).update([*sources_of(product, run_folder), product])
    for path in named:
        for run_folder, product in _of_file(registry, files, path):
            found.setdefault(run_folder, set()).update([*sources_of(product, run_folder), product])
    return {run_folder: in_order(products) for run_folder, products in found.items()}


def asked_targets(registry: Registry, files: Files, named: Iterable[str]) -> list[str]:
    """Tables and figures among the targets of a call, those of its pages, and those whose files it names.

    A call that names what is not known here, as a workflow that has this one as a module does, may need any of them.
    """
    own, specs, made = registry.screen.targets, registry.targets_of.all(), _targets_of_files(registry, files)
    pages = {"all": own, "report": own, "tables": own, "figures": own}
    pages |= {page: registry.of_page(page).screen.targets for page in registry.targets_of.pages}
    found: list[str] = []
    for name in named:
        target = made.get(name, name)
        if target in pages:
            found += pages[target]
        elif target in specs:
            found.append(target)
        elif "/" not in target and target not in STAGES:
            found += [spec for spec in specs if not registry.lacking(spec)]
    return [target for target in dict.fromkeys(found) if target in specs]


def refuse_lacking(registry: Registry, files: Files, named: Iterable[str]) -> None:
    """Look whether the screen can make the tables and figures that a call names, before anything runs.

    Raises:
        ConfigError: it cannot make one, and why.
    """
    made = _targets_of_files(registry, files)
    for name in named:
        target = made.get(name, name)
        if target in (*registry.targets_of.all(), *PLATE_TARGETS) and (reason := registry.lacking(target)):
            raise ConfigError(f"screen {registry.name!r}: {target} {reason}")


def embedded_targets(registry: Registry) -> list[str]:
    """The screen's own tables and figures that look at embeddings: theirs are what `embed` and `h5ad` make."""
    specs = registry.targets_of.all()
    return [t for t in registry.screen.targets if t in specs and {"embeddings", "scores"} & set(registry.needs(t))]


def partly_made(files: Files, products: Mapping[RunFolder, Sequence[Product]]) -> dict[str, list[int]]:
    """What is there of runs of which not all is: a run's path -> positions among its products, in their order.

    Args:
        files: of the screen; looked for from the working directory.
        products: what is asked for.
    """
    found = {}
    for run_folder, asked in products.items():
        folder = files.any_run(run_folder.path)
        paths = [product_files(files, folder, product) for product in asked]
        there = [at for at, own in enumerate(paths) if all(Path(path).exists() for path in own)]
        if 0 < len(there) < len(asked):
            found[run_folder.path] = there
    return found


def _targets_of_files(registry: Registry, files: Files) -> dict[str, str]:
    """File -> the table, figure or page that it is of."""
    specs = registry.targets_of.all()
    made = {
        files.report(): "report",
        files.explorer(): "explorer",
        **{files.page(page): page for page in registry.targets_of.pages},
    }
    made |= {files.table(target, suffix): target for target in specs for suffix in ("csv", "md", "json")}
    suffixes = registry.screen.figures.suffixes()
    return made | {files.figure(target, suffix): target for target in specs for suffix in suffixes}


def _of_file(registry: Registry, files: Files, path: str) -> Iterator[tuple[RunFolder, Product]]:
    """What a named file of a run is; any test-time statistics may be asked for in this way."""
    if "/runs/" not in path:
        return
    for run_folder, products in wanted(registry, registry.targets_of.all()).items():
        folder = files.any_run(run_folder.path)
        if not path.startswith(f"{folder}/"):
            continue
        view = re.fullmatch(rf"{re.escape(folder)}/(?:embeddings|predictions)/({STATISTICS})\.parquet", path)
        if view and not run_folder.external:
            yield run_folder, Product("view", view[1])
        for product in products:
            made = product_files(files, folder, product)
            if path in (*made, *(name.removesuffix(".parquet") + ".h5ad" for name in made)):
                yield run_folder, product
