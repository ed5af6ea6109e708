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

SPLITS = {
    "separated": "unseen batches",
    "separated_val": "validation batches",
    "stratified": "seen batches",
    "stratified_site": "seen wells",
}


def write_explorer(registry: Registry, files: Files) -> None:
    """Write the page of all that the screen's tables look at.

    Args:
        registry: the resolved configuration.
        files: where the screen's results are.
    """
    index = read_frame(files.index())
    write_page(Path(files.explorer()).parent, _facts(registry, index), index, _looks(registry, files))


def look_title(run: Run, registry: Registry, *, several_splits: bool) -> str:
    """A look at embeddings in words: the method, the correction, and the split where there are several."""
    model = registry.model
    words = [model.name if model and run.method == model.name else registry.title(run.method)]
    words += [registry.correction_title(run.correction)] if run.correction != UNCORRECTED else []
    words += [SPLITS.get(run.split, run.split)] if several_splits and not run.external else []
    return ", ".join(words)


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
            title=look_title(run, registry, several_splits=several_splits),
            points=read[points][read[points]["view"] == run.view],
            predictions=None if predictions is None else read[predictions],
            corrected=run.correction != UNCORRECTED,
        )


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
    )
