"""`debatch status`: how far the trainings are."""

import argparse
import time
from collections import Counter
from datetime import datetime
from statistics import median
from typing import Any

from rich.console import Console

from debatch.cli.choice import chosen_registry, runs_of
from debatch.cli.outdated import with_outdated
from debatch.cli.run_state import STATES, RunState, read_state, trainings
from debatch.cli.terminal import console, count, duration, note, print_json, table
from debatch.files import Files
from debatch.registry import Registry


def run(options: argparse.Namespace) -> int:
    """Print the trainings of targets; 1 where one failed."""
    registry = chosen_registry(options.config)
    files = Files(registry.results, registry.name)
    read = [read_state(registry, files, place) for place in trainings(registry, runs_of(registry, options.targets))]
    states, unasked = with_outdated(registry, files, read, options.config)
    summary = summarize(states)
    if options.json:
        runs = [_as_json(state) for state in states]
        print_json({"screen": registry.name, **summary, "outdated_is_known": not unasked, "runs": runs})
    else:
        out = console()
        _show(out, registry, states, summary)
        if unasked:
            out.print(note(f"Whether Snakemake trains finished runs again is not known: {unasked}"))
    return 1 if summary["failed"] else 0


def summarize(states: list[RunState], now: float | None = None) -> dict[str, Any]:
    """Counts, epochs, and how long it will take if as many train at once as do now.

    A run that has no epoch yet is taken to need as long an epoch as others on its split, or else as any other.
    """
    counts = Counter(state.state for state in states)
    lefts = {id(state): _seconds_left(state, states) for state in states if state.state != "done"}
    running = [state for state in states if state.state == "running"]
    seconds = None if None in lefts.values() else sum(left or 0.0 for left in lefts.values())
    finish = None
    # failed runs wait for someone to start them again: no date is known
    if running and seconds is not None and not counts["failed"]:
        longest = max(left or 0.0 for left in lefts.values())
        finish = (time.time() if now is None else now) + max(seconds / len(running), longest)
    return {
        "trainings": len(states),
        **{state: counts[state] for state in STATES},
        "epochs_done": sum(state.epochs_done for state in states),
        "epochs": sum(state.epochs for state in states),
        "training_seconds_left": seconds,
        "estimated_finish": None
        if finish is None
        else datetime.fromtimestamp(finish).astimezone().isoformat(timespec="minutes"),
    }


def _seconds_left(state: RunState, states: list[RunState]) -> float | None:
    if state.seconds_left is not None:
        return state.seconds_left
    of_split = [other.epoch_seconds for other in states if other.split == state.split and other.epoch_seconds]
    known = of_split or [other.epoch_seconds for other in states if other.epoch_seconds]
    return state.epochs * median(known) if known else None


def _show(out: Console, registry: Registry, states: list[RunState], summary: dict[str, Any]) -> None:
    title = f": {registry.screen.title}" if registry.screen.title else ""
    out.print(f"Screen {registry.name}{title}")
    if not states:
        out.print("These targets need no training.")
        return
    if summary["waiting"] == len(states) and not summary["epochs_done"]:
        out.print(f"Nothing has been trained yet: {count(len(states))} trainings wait.")
        return
    shown = [state for state in STATES if state != "outdated" or summary[state]]
    out.print(", ".join(f"{summary[state]} {state}" for state in shown), end="\n\n")
    heads = ["method", "split", "seed", "state", "epochs", "an epoch", "left", "what"]
    out.print(table("", heads, _rows(states), ["epochs", "an epoch", "left"]))
    out.print(f"\nEpochs {count(summary['epochs_done'])} of {count(summary['epochs'])}")
    if summary["done"] == len(states):
        out.print("All trainings are done.")
        return
    left = duration(summary["training_seconds_left"])
    if summary["estimated_finish"]:
        finish = summary["estimated_finish"][:16].replace("T", " ")
        out.print(f"Left: {left} of training; with {summary['running']} at once until about {finish}")
    else:
        if summary["failed"]:
            reason = "failed runs must be started again"
        else:
            reason = "no epoch is done yet" if summary["running"] else "nothing runs now"
        out.print(f"Left: {left} of training; when it will be done is not known: {reason}")
    out.print(
        note(
            "Read from files, and of finished runs asked of Snakemake: `squeue` lists what waits in a cluster's queue. "
            "Embeddings and tables come on top."
        )
    )


def _rows(states: list[RunState]) -> list[tuple[str, ...]]:
    """A line a run; those of a method and split that are done or outdated alike, or wait for the first time, as one."""
    rows: list[tuple[str, ...]] = []
    for method, split in dict.fromkeys((state.method, state.split) for state in states):
        own = [state for state in states if (state.method, state.split) == (method, split)]
        for kind in STATES:
            alike: dict[str, list[RunState]] = {}
            for state in (state for state in own if state.state == kind):
                first_wait = kind == "waiting" and not state.epochs_done and not state.detail
                if kind in {"done", "outdated"} or first_wait:
                    alike.setdefault(state.detail, []).append(state)
                else:
                    rows.append(_row(state))
            rows += [_joined(group) for group in alike.values()]
    return rows


def _joined(states: list[RunState]) -> tuple[str, ...]:
    """Runs of several seeds as one line."""
    first = states[0]
    epochs = f"{sum(state.epochs_done for state in states):,}/{sum(state.epochs for state in states):,}"
    return (
        first.method,
        first.split,
        _seeds([state.seed for state in states]),
        first.state,
        epochs,
        "",
        "",
        first.detail,
    )


def _row(state: RunState) -> tuple[str, ...]:
    each = "" if state.epoch_seconds is None else duration(state.epoch_seconds)
    left = "" if state.state == "done" else duration(state.seconds_left)
    epochs = f"{state.epochs_done:,}/{state.epochs:,}"
    return state.method, state.split, str(state.seed), state.state, epochs, each, left, state.detail


def _seeds(seeds: list[int]) -> str:
    """`0-4`, or `0, 2`."""
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    return ", ".join(map(str, seeds))


def _as_json(state: RunState) -> dict[str, Any]:
    return {
        "method": state.method,
        "split": state.split,
        "seed": state.seed,
        "state": state.state,
        "epochs_done": state.epochs_done,
        "epochs": state.epochs,
        "seconds_per_epoch": state.epoch_seconds,
        "training_seconds_left": state.seconds_left,
        "detail": state.detail,
    }
