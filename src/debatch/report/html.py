"""The report: everything on one self-contained page."""

import base64
import json
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from debatch.config import SCREEN_FIGURES, Registry, Run
from debatch.files import Files
from debatch.report import facts
from debatch.report.captions import HEADINGS, SCREEN_TITLES, figure_caption
from debatch.report.curves import draw_curves
from debatch.report.quality import quality_facts
from debatch.report.style import as_png
from debatch.tabular import read_frame

PROBLEMS_SHOWN = 50
TABLE = "table1"


def build_report(registry: Registry, files: Files) -> str:
    """The page as HTML. It loads nothing from anywhere.

    What is missing among the screen's results is said on the page.

    Args:
        registry: the resolved configuration.
        files: where the screen's results are.
    """
    index = read_frame(files.index())
    runs = registry.runs(TABLE) if TABLE in registry.targets("tables") else []
    histories, records, metrics = _read_runs(files, runs)
    trained = TABLE in registry.targets("tables")
    has_table = trained and Path(files.table(TABLE, "csv")).exists()
    table = pd.read_csv(files.table(TABLE, "csv")) if has_table else None
    has_separated = "separated" in registry.screen.splits.names
    test_batches = _test_batches(files, index) if has_separated else 0
    problems = facts.read_problems(registry, files)
    methods = list(dict.fromkeys(run.method for run in runs))
    environment = Environment(
        loader=PackageLoader("debatch.report"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=registry.screen.title or registry.name,
        name=registry.name,
        simulated=registry.screen.simulate is not None,
        description=registry.screen.description,
        trained=trained,
        headline=None if table is None else facts.headline(registry, table, test_batches),
        quality=quality_facts(index),
        quality_figures=[
            _figure(registry, files, name)
            for target in ("plates", "illumination")
            if target in registry.screen.targets
            for name in SCREEN_FIGURES[target]
        ],
        screen=facts.screen_facts(registry, index),
        channels=_channels(registry, files),
        problems=problems.head(PROBLEMS_SHOWN).to_dict("records"),
        problem_columns=list(problems.columns),
        n_problems=len(problems),
        splits=facts.split_facts(registry, files, index),
        headings=HEADINGS,
        table=None if table is None else facts.table_cells(table, registry.tables[TABLE].methods),
        table_title=registry.tables[TABLE].title,
        seeds=0 if table is None else int(table["n"].max()),
        chance=_chance(metrics, index),
        companion=facts.companion_rows(registry, metrics),
        shift=facts.shift_facts(registry, files, index, table) if has_separated and table is not None else None,
        qc=_figure(registry, files, "qc") if "qc" in registry.targets("figures") else None,
        figures=[_figure(registry, files, name) for name in registry.targets("figures") if name in registry.figures],
        curves=_inline(as_png(draw_curves(registry, histories))) if histories else None,
        method_title=registry.title,
        methods={registry.title(method): registry.methods[method].description for method in methods},
        differences=_differences(registry, methods),
        recipe=_common_recipe(registry, methods),
        records=records,
        missing_runs=[run for run in runs if run not in metrics],
        limits=facts.limits(registry, test_batches, trained),
        about=records[0] if records else None,
    )


def _read_runs(
    files: Files, runs: list[Run]
) -> tuple[dict[Run, pd.DataFrame], list[dict[str, Any]], dict[Run, pd.DataFrame]]:
    histories, records, metrics = {}, [], {}
    for run in runs:
        folder = Path(files.run(run.weights, run.split, run.seed))
        trained = run.weights == run.method  # else the training is shown where it belongs
        if trained and (folder / "history.csv").exists():
            histories[run] = pd.read_csv(folder / "history.csv")
        if trained and (folder / "recipe.json").exists():
            records.append(json.loads((folder / "recipe.json").read_text()))
        path = Path(files.metrics(run.weights, run.split, run.seed, run.inference))
        if path.exists():
            metrics[run] = pd.read_csv(path)
    return histories, records, metrics


def _test_batches(files: Files, index: pd.DataFrame) -> int:
    split = read_frame(files.split("separated"))
    test = split.loc[split["subset"] == "test", "image_id"]
    return int(index.loc[index["image_id"].isin(set(test)), "batch"].nunique())


def _channels(registry: Registry, files: Files) -> str:
    from debatch.screen.store import channel_names

    path = Path(files.store(registry.experiments[0]))
    return ", ".join(channel_names(path)) if path.exists() else "the store is not there"


def _chance(metrics: dict[Run, pd.DataFrame], index: pd.DataFrame) -> dict[str, str] | None:
    """What a guess scores on the separated test set."""
    for run, frame in metrics.items():
        if run.split == "separated":
            share = float(frame.loc[frame["metric"] == "majority_share", "value"].iloc[0])
            return {"majority": f"{100 * share:.1f}", "uniform": f"{100 / index['label'].nunique():.1f}"}
    return None


def _figure(registry: Registry, files: Files, name: str) -> dict[str, Any]:
    path = Path(files.figure(name, "png"))
    title = SCREEN_TITLES[name] if name in SCREEN_TITLES else registry.figures[name].title
    return {
        "name": name,
        "title": title,
        "caption": figure_caption(name, registry),
        "image": _inline(path.read_bytes()) if path.exists() else None,
        "file": files.figure(name, "png"),
    }


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _differences(registry: Registry, methods: list[str]) -> list[dict[str, str]]:
    """The keys in which methods differ, a row a key."""
    if not methods:
        return []
    recipes = {method: _recipe(registry, method) for method in methods}
    first = recipes[methods[0]]
    keys = [key for key in first if len({str(recipe[key]) for recipe in recipes.values()}) > 1]
    return [
        {"key": key, **{registry.title(method): str(recipe[key]) for method, recipe in recipes.items()}} for key in keys
    ]


def _common_recipe(registry: Registry, methods: list[str]) -> dict[str, str]:
    if not methods:
        return {}
    different = {row["key"] for row in _differences(registry, methods)}
    return {key: str(value) for key, value in _recipe(registry, methods[0]).items() if key not in different}


def _recipe(registry: Registry, method: str) -> dict[str, Any]:
    recipe = registry.recipes[method]
    return {**recipe.model_dump(), "test_statistics": recipe.inference}
