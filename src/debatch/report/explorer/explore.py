"""The explorer of a screen, from its results."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from debatch.files import UNCORRECTED, Files
from debatch.registry import Registry, Run
from debatch.registry.explored import explored_runs, predictions_of
from debatch.report.explorer.page import Facts, Look, write_page
from debatch.report.plate_format import plate_shape
from debatch.screen.nouns import stored_noun
from debatch.tabular import read_frame

# what each split's network learned from, in words, and what that means
SPLITS = {
    "separated": (
        "trained without the test batches",
        "The network saw no image of the batches that it is tested on.",
    ),
    "separated_val": (
        "trained without the validation batches",
        "The network saw no image of the batches that it is looked at in, which are not the test batches.",
    ),
    "stratified": (
        "trained on a share of every batch",
        "Another training of the same method: the network saw other wells of the batches that it is tested on.",
    ),
    "stratified_site": (
        "trained on other sites of the same wells",
        "Another training of the same method: the network saw other sites of the wells that it is tested on.",
    ),
}


def write_explorer(registry: Registry, files: Files) -> None:
    """Write the page of all that the screen's tables look at.

    Args:
        registry: the resolved configuration.
        files: where the screen's results are.
    """
    index = read_frame(files.index())
    write_page(Path(files.explorer()).parent, _facts(registry, index), index, _looks(registry, files))


def _looks(registry: Registry, files: Files) -> Iterator[Look]:
    runs = explored_runs(registry)
    several_splits = len({run.split for run in runs}) > 1
    read: dict[str, pd.DataFrame] = {}
    for run in runs:
        points, predictions = files.projections(files.folder(run)), predictions_of(run, registry, files)
        for path in (points, predictions):
            if path is not None and path not in read:
                read[path] = read_frame(path)
        yield Look(
            key=f"{run.method}.{run.split}.{run.view}",
            method=_method_title(run, registry),
            points=read[points][read[points]["view"] == run.view],
            predictions=None if predictions is None else read[predictions],
            correction=registry.correction_title(run.correction) if run.correction != UNCORRECTED else "",
            split=split_words(run.split) if several_splits and not run.external else "",
        )


def split_words(split: str) -> str:
    """What the networks of a split are trained on."""
    return SPLITS[split][0] if split in SPLITS else f"split {split}"


def _method_title(run: Run, registry: Registry) -> str:
    return registry.model.name if registry.model and run.method == registry.model.name else registry.title(run.method)


def explained(registry: Registry) -> list[tuple[str, str]]:
    """Words of the titles, with what they mean: the splits that are told apart, and the corrections that are shown."""
    runs = explored_runs(registry)
    splits = dict.fromkeys(run.split for run in runs)
    told = [SPLITS[split] for split in splits if split in SPLITS] if len(splits) > 1 else []
    shown = dict.fromkeys(run.correction for run in runs if run.correction != UNCORRECTED)
    return [*told, *((registry.correction_title(name), registry.corrections[name].description) for name in shown)]


def _facts(registry: Registry, index: pd.DataFrame) -> Facts:
    screen, noun = registry.screen, stored_noun(registry.screen)
    channels = screen.channel_names() if screen.explorer.thumbnails else []
    return Facts(
        name=registry.name,
        title=screen.title or registry.name,
        simulated=screen.simulated,
        label=screen.label,
        noun=("profile", "profiles") if registry.externals else (noun.one, noun.many),
        shape=plate_shape(index["well"], screen.plate_format),
        channels=channels,
        experiments=registry.experiments if channels else [],
        terms=explained(registry),
    )
