"""What tables of classifiers of embeddings share: their metrics, their splits, what stands below them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from debatch.config.base import Section
from debatch.config.read import nearest
from debatch.config.screen import Screen
from debatch.config.splits import Split
from debatch.evaluate.metrics import METRICS, OF_READOUTS
from debatch.evaluate.uncertainty import UNKNOWN, Scale, mean_spread
from debatch.learn.collapse import collapse_of
from debatch.registry import Registry, Run
from debatch.registry.kinds import Kind
from debatch.report.cells import SEEDS, Cell, Origin, pooled, scaled_cell
from debatch.report.frames import by_batch, by_seed
from debatch.report.results import ByRun, Results

OF_MECHANISMS = ("nsc", "nsc_znorm")
NOT_DEFINED = "not defined on this screen"
FOLDS = "folds, each tested on batches of its own"


def check_readout(name: str) -> str:
    """A metric of readouts.

    Raises:
        ValueError: it is none.
    """
    if name not in OF_READOUTS:
        raise ValueError(f"no metric {name!r} of readouts{nearest(name, list(OF_READOUTS))}")
    return name


class OfReadouts(Section):
    """Keys of kinds that show several metrics of readouts."""

    metrics: list[str] = Field(min_length=1, description=f"Columns: {', '.join(OF_READOUTS)}.")

    @field_validator("metrics")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        return [check_readout(name) for name in value]


class ReadoutsKind(Kind):
    """A kind that is made from classifiers of embeddings: over all folds that the screen has, else of one split."""

    needs = ("readouts",)
    trains = True

    def splits(self, spec: Any, screen: Screen) -> list[str]:
        """All folds; else the first of the others."""
        there = [split for split in spec.splits if split in screen.splits.names]
        folds = [split for split in there if Split.named(split).form == "fold"]
        return folds or there[:1]

    def lacking(self, spec: Any, screen: Screen) -> str:
        """Mechanisms, where it is of nothing else."""
        asked = set(getattr(spec, "metrics", []))
        if asked and asked <= set(OF_MECHANISMS) and screen.columns.mechanism is None:
            return "needs to know mechanisms; name their column as `columns.mechanism`"
        return ""


def over_splits(results: Results, name: str, method: str) -> ByRun:
    """The readouts of a method's runs, on all of a table's splits."""
    parts = [results.by_seed("readouts", name, method, split) for split in results.registry.splits(name)]
    return ByRun([run for part in parts for run in part.runs], [frame for part in parts for frame in part])


def readout_cell(frames: ByRun, metric: str, lacking: str) -> Cell:
    """A metric: mean and sd over seeds, or over folds; how sure it is over test batches."""
    values = by_seed(frames, metric)
    if len({run.split for run in frames.runs}) <= 1 or not values:
        return pooled(frames, metric, lacking)
    # folds differ by their batches: to draw over both would count these twice
    batches, spread = by_batch(frames, metric), UNKNOWN
    if len(batches):
        value, stratum, n = (batches[column].to_numpy() for column in ("value", "stratum", "n"))
        scale: Scale = "share" if METRICS[metric].is_share else "plain"
        spread = mean_spread(value, stratum, n, (), scale, float(np.mean(values)))
    return scaled_cell(metric, values, spread, "", Origin.of(frames))


def repeats_of(registry: Registry, name: str) -> str:
    """What the sd of its cells is over."""
    return FOLDS if len(registry.splits(name)) > 1 else SEEDS


def training_notes(results: Results, runs: Sequence[Run], names: Mapping[str, str] | None = None) -> list[str]:
    """What was spent on each method, and where its weights began.

    Args:
        results: of the screen.
        runs: of the table.
        names: method -> what it is called there; None: by its title.
    """
    registry = results.registry
    budgets: dict[str, list[str]] = {}
    networks: dict[str, list[str]] = {}
    for record in results.records(list(runs)):
        recipe, method = record["recipe"], record["method"]
        name = names[method] if names else registry.title(method)
        start = "pretrained weights" if recipe.get("weights") else "random weights"
        if before := recipe.get("starts_from"):
            start = f"{registry.title(before)}, whose steps come on top"
        _add(networks, f"{recipe.get('backbone', 'a network')} from {start}", name)
        if recipe.get("epochs", 1) and "optimizer_steps" in record:
            images = recipe["group"] * recipe["groups_per_step"]
            _add(budgets, f"{record['optimizer_steps']:,} optimizer steps of about {images} images", name)
    notes = [f"training budget: {_by_name(budgets)}"] if budgets else []
    notes += [f"networks: {_by_name(networks)}"] if networks else []
    return notes


def _add(found: dict[str, list[str]], what: str, name: str) -> None:
    names = found.setdefault(what, [])
    if name not in names:
        names.append(name)


def _by_name(found: dict[str, list[str]]) -> str:
    if len(found) == 1:
        return f"{next(iter(found))}, the same for all"
    return "; ".join(f"{what} ({' / '.join(names)})" for what, names in found.items())


def collapsed(results: Results, runs: Sequence[Run]) -> list[str]:
    """A warning for each run whose embeddings no longer tell images apart at its last epoch."""
    found = []
    for run in dict.fromkeys(runs):
        history = results.history(run)
        if history is None or not len(history):
            continue
        reason = collapse_of(_last(history))
        if reason:
            title = results.registry.title(run.method)
            found.append(f"{title}, {run.split}, seed {run.seed} collapsed at its last epoch: {reason}")
    return found


def _last(history: pd.DataFrame) -> dict[str, float]:
    return {str(name): float(value) for name, value in history.iloc[-1].items() if pd.notna(value)}
