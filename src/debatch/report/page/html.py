"""The report: everything on one self-contained page."""

import base64
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from debatch.config import SCREEN_FIGURES
from debatch.config.images import ONE_PART
from debatch.config.splits import Split
from debatch.files import Files
from debatch.registry import Registry, Run
from debatch.report.page import facts
from debatch.report.page.captions import SCREEN_TITLES, figure_caption
from debatch.report.page.correction_findings import correction_headline
from debatch.report.page.curves import draw_curves
from debatch.report.page.headline import Headline, headline
from debatch.report.page.quality import quality_facts
from debatch.report.page.table_view import table_view
from debatch.report.results import Results
from debatch.report.style import as_png
from debatch.screen.names.spelling import doubtful_names
from debatch.screen.nouns import stored_noun
from debatch.tabular import read_frame
from debatch.versions import versions

PROBLEMS_SHOWN = 50


def trained_runs(registry: Registry) -> list[Run]:
    """The trainings behind a screen's tables, each once, whatever was done with its embeddings afterwards."""
    runs = [run for name in registry.targets("tables") for run in registry.runs(name)]
    own = (run for run in runs if run.weights == run.method and not run.external)
    return list({(run.method, run.split, run.seed): run for run in own}.values())


def build_report(registry: Registry, files: Files) -> str:
    """The page as HTML: what the screen's targets ask for, the paper's parts first. It loads nothing from anywhere.

    What is missing among the screen's results is said on the page.

    Args:
        registry: the resolved configuration.
        files: where the screen's results are.
    """
    index = read_frame(files.index())
    results = Results(registry, files)
    tables = registry.targets("tables")
    main = next((name for name in tables if registry.tables[name].kind == "generalization"), None)
    runs = list(dict.fromkeys(run for name in tables for run in registry.runs(name)))
    trained = trained_runs(registry)
    # of variations and of few batches there are too many for one picture
    plotted = [run for run in trained if not registry.is_derived(run.method) and Split.named(run.split).form != "few"]
    read = {run: results.history(run) for run in plotted}
    histories = {run: history for run, history in read.items() if history is not None}
    records = results.records(trained)
    has_separated = "separated" in registry.screen.splits.names
    test_batches = _test_batches(files, index) if has_separated else 0
    problems = facts.read_problems(registry, files)
    methods = list(dict.fromkeys(run.method for run in runs if not registry.is_derived(run.method)))
    sections, noun = _sections(results), stored_noun(registry.screen)
    environment = Environment(
        loader=PackageLoader("debatch.report.page"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=registry.screen.title or registry.name,
        name=registry.name,
        simulated=registry.screen.simulated,
        label=registry.screen.label,
        description=registry.screen.description,
        trained=bool(tables) and not registry.externals,
        profiles=bool(registry.externals),
        headline=headline(main, results, test_batches) if main and has_separated else _lead(sections),
        quality=quality_facts(index),
        noun=noun,
        quality_figures=[
            _figure(registry, files, name, index)
            for target in ("plates", "illumination")
            if target in registry.screen.targets
            for name in SCREEN_FIGURES[target]
        ],
        screen=facts.screen_facts(registry, index),
        channels=_channels(registry, files),
        problems=problems.head(PROBLEMS_SHOWN).to_dict("records"),
        problem_columns=list(problems.columns),
        n_problems=len(problems),
        names=doubtful_names(index, registry.screen.missing),
        splits=facts.split_facts(registry, files, index),
        sections=sections,
        main=main,
        companion=facts.companion_rows(results, main) if main else [],
        shift=facts.shift_facts(results, index, main) if main and has_separated else None,
        qc=_figure(registry, files, "qc") if "qc" in registry.targets("figures") else None,
        curves=_inline(as_png(draw_curves(registry, histories))) if histories else None,
        method_title=registry.title,
        methods=facts.method_facts(registry, methods),
        differences=_differences(registry, methods),
        recipe=_common_recipe(registry, methods),
        records=records,
        steps=facts.step_facts(records, methods),
        missing_runs=_missing(results, main),
        versions=versions(),
        corrections=facts.correction_facts(registry),
        limits=facts.limits(registry, test_batches, bool(tables)),
        about=records[0] if records else None,
        arithmetics=Counter(record.get("precision", "not recorded") for record in records),
    )


def _lead(sections: list[dict[str, Any]]) -> Headline | None:
    """Where nothing was trained to say more: what the first table of corrections says."""
    return next((section["found"] for section in sections if section["found"]), None)


def _missing(results: Results, main: str | None) -> list[Run]:
    """Runs of the main table that have no metrics."""
    runs = results.registry.runs(main) if main else []
    return [run for run in runs if results.of("metrics", run) is None]


def _sections(results: Results) -> list[dict[str, Any]]:
    """Tables and figures of trained runs: the paper's in its order, then the screen's other targets."""
    registry, files = results.registry, results.files
    sections = []
    for name in registry.shown:
        if name in registry.tables:
            is_made = Path(files.table(name, "csv")).exists() and registry.tables[name].kind == "correction"
            found = correction_headline(name, results) if is_made else None
            sections.append({"table": table_view(name, results), "figure": None, "found": found})
        elif name in registry.figures:
            sections.append({"table": None, "figure": _figure(registry, files, name), "found": None})
    return sections


def _test_batches(files: Files, index: pd.DataFrame) -> int:
    split = read_frame(files.split("separated"))
    test = split.loc[split["subset"] == "test", "image_id"]
    return int(index.loc[index["image_id"].isin(set(test)) & index["label"].notna(), "batch"].nunique())


def _channels(registry: Registry, files: Files) -> str:
    from debatch.screen.store import channel_names

    if registry.externals:
        return ""
    told = {}
    for experiment in registry.experiments:
        part, path = registry.screen.part_of(experiment), Path(files.store(experiment))
        if part not in told:  # one experiment speaks for its part
            told[part] = ", ".join(channel_names(path)) if path.exists() else "the store is not there"
    if registry.screen.parts:
        return "; ".join(f"{part}: {channels}" for part, channels in told.items())
    return told[ONE_PART]


def _figure(registry: Registry, files: Files, name: str, index: pd.DataFrame | None = None) -> dict[str, Any]:
    path = Path(files.figure(name, "png"))
    title = SCREEN_TITLES[name] if name in SCREEN_TITLES else registry.figures[name].title
    return {
        "name": name,
        "heading": name.replace("figure", "Figure ").replace("_", "") if name in registry.figures else "",
        "title": title,
        "caption": figure_caption(name, registry, index),
        "image": _inline(path.read_bytes()) if path.exists() else None,
        "file": files.figure(name, "png"),
    }


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _differences(registry: Registry, methods: list[str]) -> list[dict[str, str]]:
    """The keys in which methods differ, a row a key."""
    if not methods or registry.externals:
        return []
    recipes = {method: _recipe(registry, method) for method in methods}
    known = dict.fromkeys(key for recipe in recipes.values() for key in recipe)
    keys = [key for key in known if len({str(recipe.get(key)) for recipe in recipes.values()}) > 1]
    return [
        {"key": key, **{registry.title(method): str(recipe.get(key)) for method, recipe in recipes.items()}}
        for key in keys
    ]


def _common_recipe(registry: Registry, methods: list[str]) -> dict[str, str]:
    if not methods or registry.externals:
        return {}
    different = {row["key"] for row in _differences(registry, methods)}
    return {key: str(value) for key, value in _recipe(registry, methods[0]).items() if key not in different}


def _recipe(registry: Registry, method: str) -> dict[str, Any]:
    recipe = registry.recipes[method]
    return {**recipe.model_dump(), "test_statistics": recipe.inference}
