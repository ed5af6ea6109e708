"""The report: everything on one self-contained page."""

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
from debatch.report.page.correction_findings import brief, correction_findings
from debatch.report.page.curves import draw_curves
from debatch.report.page.figure_view import figure_view, inline
from debatch.report.page.findings import Findings, answers
from debatch.report.page.prediction_findings import prediction_findings
from debatch.report.page.quality import quality_facts
from debatch.report.page.readout_findings import readout_findings
from debatch.report.page.table_view import table_view
from debatch.report.page.terms import with_terms
from debatch.report.page.use_this import embedding_files, next_steps
from debatch.report.results import Results
from debatch.report.style import as_svg
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
    is_trained = bool(tables) and not registry.externals
    alarmed = any(section["table"]["alarms"] for section in sections if section["table"])
    following = next_steps(results, trained=is_trained, alarmed=alarmed)
    found = _found(results, sections, main if has_separated else None, test_batches)
    environment = Environment(
        loader=PackageLoader("debatch.report.page"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        title=registry.screen.title or registry.name,
        titled=bool(registry.screen.title),
        several_cell_types=index["cell_type"].nunique() > 1,
        name=registry.name,
        simulated=registry.screen.simulated,
        label=registry.screen.label,
        description=registry.screen.description,
        trained=is_trained,
        profiles=bool(registry.externals),
        answers=answers(found, [step.why for step in following]),
        steps_next=[step for step in following if step.command],
        embedding_files=embedding_files(results),
        choices=[line for own in found for line in own.choices],
        folders=_folders(files, registry),
        quality=quality_facts(index),
        noun=noun,
        quality_figures=[
            figure_view(registry, files, name, index)
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
        qc=figure_view(registry, files, "qc") if "qc" in registry.targets("figures") else None,
        curves=inline(as_svg(draw_curves(registry, histories)), "svg") if histories else None,
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
    return with_terms(page, facts.batch_words(registry.screen))


def _found(results: Results, sections: list[dict[str, Any]], main: str | None, test_batches: int) -> list[Findings]:
    """What the summary is made of: the table of predictions, then what embeddings themselves tell."""
    corrections = [section["found"] for section in sections if section["found"]][:1]
    if main:
        return [prediction_findings(main, results, test_batches), *map(brief, corrections)]
    if corrections:
        return corrections
    made = [section["table"] for section in sections if section["table"] and section["table"]["rows"]]
    readouts = [table["name"] for table in made if table["kind"] == "readouts"]
    return [readout_findings(readouts, results)] if readouts else []


def _folders(files: Files, registry: Registry) -> list[tuple[str, str, str]]:
    """Where tables and figures lie: what, folder, formats."""
    found = []
    if registry.targets("tables"):
        found.append(("Tables", str(Path(files.table("x", "csv")).parent), "csv, md, json"))
    if registry.targets("figures"):
        suffixes = ", ".join(registry.screen.figures.suffixes())
        found.append(("Figures and their numbers", str(Path(files.figure("x", "csv")).parent), suffixes))
    return found


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
            found = correction_findings(name, results) if is_made else None
            view = table_view(name, results)
            if found and any(line.startswith("Positions:") for line in found.sure):  # once is enough
                view["notes"] = [note for note in view["notes"] if not note.startswith("positions:")]
            sections.append({"table": view, "figure": None, "found": found})
        elif name in registry.figures:
            sections.append({"table": None, "figure": figure_view(registry, files, name), "found": None})
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
