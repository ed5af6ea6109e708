"""What a reader takes away: where corrected embeddings, tables and figures lie, and what to do next."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from debatch.errors import UserError
from debatch.files import UNCORRECTED
from debatch.registry import Registry, Run
from debatch.report.results import Results
from debatch.screen.shared import shared
from debatch.screen.splits import make_split
from debatch.tabular import read_frame

_DEFAULT_RESULTS = "results"
_NOTHING_MORE_TRAINED = "adaptation"


@dataclass(frozen=True)
class Step:
    """Something to do next.

    Attributes:
        why: a sentence.
        command: for a shell; empty where there is none.
    """

    why: str
    command: str = ""


def command(registry: Registry, *targets: str, **options: object) -> str:
    """A call of Snakemake on this screen.

    Args:
        registry: of the screen.
        targets: what is to be made.
        options: of `--config`, beside the screen and the results folder.
    """
    chosen = {"screen": registry.chosen or registry.name}
    chosen |= {"results": registry.results} if registry.results != _DEFAULT_RESULTS else {}
    config = " ".join(shlex.quote(f"{key}={value}") for key, value in {**chosen, **options}.items())
    return " ".join(["snakemake --cores all", *targets, "--config", config])


def embedding_files(results: Results) -> list[tuple[str, str]]:
    """Title and path of the embeddings, corrected ones too, that the screen's tables and figures are made of."""
    registry, files = results.registry, results.files
    shown = [name for name in registry.shown if name in registry.targets_of.all()]
    runs = dict.fromkeys(run for name in shown for run in registry.runs(name) if run.seed == 0)
    found: dict[str, str] = {}
    for run in runs:
        path = files.embeddings(files.folder(run), run.view)
        if not registry.is_derived(run.method) and run.split not in _few(registry) and Path(path).exists():
            found.setdefault(path, _title(run, registry))
    return [(title, path) for path, title in found.items()]


def next_steps(results: Results, *, trained: bool, alarmed: bool) -> list[Step]:
    """What follows from what was made here and what was not.

    Args:
        results: of the screen.
        trained: whether networks were trained for its tables.
        alarmed: whether a null of the main table scores above chance.
    """
    registry = results.registry
    steps = []
    if alarmed:
        steps.append(
            Step("First find out why a null scores above chance; the notes below its table say what that may mean.")
        )
    if trained and registry.seeds == 1:
        steps.append(
            Step(
                "Train every method a second time: one training cannot say how much of a difference is luck.",
                command(registry, "report", seeds=2),
            )
        )
    if trained:
        steps += _adaptation(registry)
    if registry.screen.profiles and not registry.screen.splits.names and _can_be_separated(results):
        steps.append(
            Step(
                "Test on batches that a classifier has not seen: write `splits: {names: [separated]}` in the screen's "
                "file, and call it again.",
                command(registry),
            )
        )
    if not trained and not registry.screen.profiles:
        steps.append(
            Step(
                "Train the methods: write what the wells hold (`metadata:`), `splits:` and tables among the `targets:` "
                "in the screen's file, and look at the bill first.",
                f"debatch plan table1 --config screen={shlex.quote(registry.chosen or registry.name)}",
            )
        )
    if embedding_files(results):
        steps.append(
            Step(
                f"See which {'wells' if registry.externals else 'wells and images'} lie where: the explorer, a page "
                "that a double click opens.",
                command(registry, "explorer"),
            )
        )
        steps.append(
            Step("Open the embeddings in scanpy: the same files as AnnData (h5ad).", command(registry, "h5ad"))
        )
    return steps


def _can_be_separated(results: Results) -> bool:
    """Whether the screen's treatments let a split by batch be drawn: each test class must be in training too."""
    index = read_frame(results.files.index())
    if shared(index).mostly_alone:
        return False
    try:
        make_split("separated", index, results.registry.screen.splits)
    except UserError:
        return False
    return True


def _adaptation(registry: Registry) -> list[Step]:
    """Tables of AdaBN's needs that no network has to be trained for."""
    there = {_training(run) for target in registry.targets("tables") for run in registry.runs(target)}
    asked = [
        name
        for name, table in registry.tables.items()
        if table.kind == _NOTHING_MORE_TRAINED
        and name not in registry.shown
        and not registry.lacking(name)
        and {_training(run) for run in registry.runs(name)} <= there
    ]
    why = "See how many images of a new batch AdaBN needs; the networks that are trained already serve."
    return [Step(why, command(registry, *asked))] if asked else []


def _training(run: Run) -> tuple[str, str, int]:
    return run.weights, run.split, run.seed


def _few(registry: Registry) -> set[str]:
    """Splits of single draws, of which there are too many to list."""
    return {split for split in registry.split_names if split not in registry.screen.splits.names}


def _title(run: Run, registry: Registry) -> str:
    words = registry.title(run.method)
    if run.correction != UNCORRECTED:
        words += f" + {registry.correction_title(run.correction)}"
    return words if run.external else f"{words} ({run.split})"
