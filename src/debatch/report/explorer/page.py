"""Write the explorer's folder: a page, its scripts, and the data of one screen."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from debatch.digests import sha256_of_text
from debatch.files import UNCORRECTED, Files
from debatch.registry import Registry, Run
from debatch.registry.explored import explored_runs, predictions_of
from debatch.report.explorer.columns import index_columns, place_columns, plate_names, predicted_columns
from debatch.report.explorer.packed import pack_codes, pack_numbers, pack_texts, write_script
from debatch.report.explorer.points import in_steps
from debatch.report.plate_format import plate_shape
from debatch.report.qc import channel_colours
from debatch.screen.nouns import stored_noun
from debatch.tabular import read_frame, write_text

STATIC = Path(__file__).parent / "static"
SPLITS = {
    "separated": "unseen batches",
    "separated_val": "validation batches",
    "stratified": "seen batches",
    "stratified_site": "seen wells",
}


def write_explorer(registry: Registry, files: Files) -> int:
    """Write the page and its data, the page itself last.

    Returns:
        How many looks at embeddings it shows.
    """
    folder = Path(files.explorer()).parent
    shutil.rmtree(folder / "data", ignore_errors=True)
    index = read_frame(files.index())
    runs = explored_runs(registry)
    several_splits = len({run.split for run in runs}) > 1
    written: dict[str, str] = {}
    projected: dict[str, pd.DataFrame] = {}
    views = []
    for number, run in enumerate(runs):
        predictions = predictions_of(run, registry, files)
        if predictions is not None and predictions not in written:
            written[predictions] = f"data/predictions-{len(written)}.js"
            value = predicted_columns(read_frame(predictions), index)
            write_script(written[predictions], value, folder / written[predictions])
        file = f"data/view-{number}.js"
        places = files.projections(files.folder(run))
        if places not in projected:
            projected[places] = read_frame(places)
        points = projected[places][projected[places]["view"] == run.view]
        write_script(file, _points(points, index), folder / file)
        views.append(
            {
                "key": f"{run.method}.{run.split}.{run.view}",
                "title": view_title(run, registry, several_splits=several_splits),
                "file": file,
                "projection": str(points["projection"].iloc[0]) if len(points) else "UMAP",
                "predictions": written.get(predictions or ""),
                "corrected": run.correction != UNCORRECTED,
            }
        )
    write_script("data/screen.js", _screen(registry, index, views), folder / "data/screen.js")
    for source in sorted(STATIC.iterdir()):
        if source.name != "index.html":
            write_text(source.read_text(encoding="utf-8"), folder / "static" / source.name)
    write_text((STATIC / "index.html").read_text(encoding="utf-8"), folder / "index.html")
    return len(views)


def view_title(run: Run, registry: Registry, *, several_splits: bool) -> str:
    """One look at embeddings in people's words: the method, the correction, and the split where there are several."""
    model = registry.model
    words = [model.name if model and run.method == model.name else registry.title(run.method)]
    words += [registry.correction_title(run.correction)] if run.correction != UNCORRECTED else []
    words += [SPLITS.get(run.split, run.split)] if several_splits and not run.external else []
    return ", ".join(words)


def _screen(registry: Registry, index: pd.DataFrame, views: Sequence[dict[str, Any]]) -> dict[str, Any]:
    screen = registry.screen
    channels = screen.channel_names() if screen.explorer.thumbnails else []
    noun = stored_noun(screen)
    rows, columns = plate_shape(index["well"], screen.plate_format)
    flags = index["qc_flags"].tolist() if "qc_flags" in index else [""] * len(index)
    told = sorted({flag for flag in flags if flag})
    numbers = {flag: number + 1 for number, flag in enumerate(told)}
    return {
        "name": registry.name,
        "title": screen.title or registry.name,
        "simulated": screen.simulated,
        "label": screen.label,
        "noun": ["profile", "profiles"] if registry.externals else [noun.one, noun.many],
        "count": len(index),
        # of a selection that was sent: rows are those of the same images
        "digest": sha256_of_text("\n".join(index["image_id"]))[:8],
        "ids": pack_texts(index["image_id"].tolist()),
        "columns": index_columns(index),
        "flags": {"names": ["", *told], "codes": pack_codes(np.array([numbers.get(flag, 0) for flag in flags]))},
        "format": [rows, columns],
        "places": place_columns(index, plate_names(index)),
        "views": list(views),
        "channels": [[name, colour] for name, colour in zip(channels, channel_colours(len(channels)), strict=True)],
        "experiments": registry.experiments if channels else [],
    }


def _points(projection: pd.DataFrame, index: pd.DataFrame) -> dict[str, Any]:
    """Points in a random order: drawn in that of the index, the last batch would hide the others where they mix."""
    at = pd.Index(index["image_id"]).get_indexer(pd.Index(projection["image_id"]))
    order = np.random.default_rng(0).permutation(np.flatnonzero(at >= 0))
    steps = in_steps(projection[["x", "y"]].to_numpy(np.float64)[order])
    return {
        "rows": pack_numbers(at[order].astype(np.uint32)),
        "x": pack_numbers(steps[:, 0]),
        "y": pack_numbers(steps[:, 1]),
    }
