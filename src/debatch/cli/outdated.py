"""Which finished trainings Snakemake would start again, and why: it is asked, as it alone knows what made a file."""

import re
from collections.abc import Sequence
from dataclasses import replace

from debatch.cli.planning.dry_run import dry_run
from debatch.cli.run_state import RunState
from debatch.errors import UserError
from debatch.files import Files
from debatch.registry import Registry

# Snakemake's words, before a colon and files where it names some, and ours
REASONS = {
    "Updated input files": "{files} changed",
    "Input files updated by another job": "{files} will be made again",
    "Incomplete output files": "its last job was broken off",
    "Set of input files has changed": "it is made from other files",
    "Code has changed": "the workflow's code changed",
    "Software environment definition has changed": "its software environment changed",
}
SETTINGS = "Params have changed"
UNLESS = "trains again, unless its images, labels, settings and code come to the same"


def with_outdated(
    registry: Registry, files: Files, states: list[RunState], overrides: Sequence[str]
) -> tuple[list[RunState], str]:
    """Finished trainings that Snakemake would start again as `outdated`.

    Args:
        registry: of the screen.
        files: of the screen.
        states: as read from files.
        overrides: `key=value`, as after `--config`.

    Returns:
        The states, and why Snakemake could not be asked; empty where it could.
    """
    done = {_model(files, state): state for state in states if state.state == "done"}
    if not done:
        return states, ""
    try:
        jobs = dry_run(registry, [*done], overrides)
    except UserError as error:
        return states, str(error).splitlines()[0]
    again = {
        files.model(files.run(job.wildcards["method"], job.wildcards["split"], job.wildcards["seed"])): job.reason
        for job in jobs
        if job.rule == "train"
    }
    return [_outdated(files, state, again.get(_model(files, state))) for state in states], ""


def _model(files: Files, state: RunState) -> str:
    return files.model(files.run(state.method, state.split, state.seed))


def _outdated(files: Files, state: RunState, reason: str | None) -> RunState:
    if state.state != "done":
        return state
    changed = f"settings that changed: {', '.join(state.changed)}" if state.changed else ""
    if reason is None:
        # Snakemake goes by its own records, which are not there of results that were copied
        detail = f"{changed}; Snakemake will not train it again by itself" if changed else state.detail
        return replace(state, detail=detail)
    left = None if state.epoch_seconds is None else state.epochs * state.epoch_seconds
    detail = (
        f"will be trained again: {changed}"
        if changed
        else f"its job will run again: {_words(files, reason)}; it {UNLESS}"
    )
    return replace(state, state="outdated", epochs_done=0, seconds_left=left, detail=detail)


def _words(files: Files, reason: str) -> str:
    """Snakemake's reason in our words, files by their paths below the screen's results."""
    found = []
    for theirs, ours in REASONS.items():
        if at := re.search(rf"{theirs}[^:;]*(?:: ([^;]*))?", reason):
            paths = {path.strip().removeprefix(f"{files.root}/") for path in (at[1] or "").split(",")}
            found.append(ours.format(files=", ".join(sorted(paths))))
    if SETTINGS in reason:
        found.append("its settings changed")
    return " and ".join(found) or reason
