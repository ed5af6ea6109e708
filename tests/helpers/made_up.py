"""A results folder with made-up runs: every file that tables, figures and the report read."""

import io
import json
import shutil
from functools import cache
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pandas as pd

from debatch.config import SCREEN_FIGURES
from debatch.config.splits import Split
from debatch.evaluate.batch_effect.probe import PROBES, lda_predict
from debatch.evaluate.embeddings import cosine_metrics, seen_batch_probes
from debatch.evaluate.nulls import score_nulls
from debatch.evaluate.predictions import score_predictions
from debatch.evaluate.readouts import readout_scores
from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.cells import tidy
from debatch.report.kinds.tables import draft_table
from debatch.report.published import Published
from debatch.report.results import Results
from debatch.screen.ingest.plan import PROBLEM_COLUMNS
from debatch.screen.splits import make_split
from debatch.tabular import write_frame, write_text
from helpers.images import make_index, with_runners_up

UNSEEN = {"baseline": 0.5, "gradient_reversal": 0.5, "adabn": 0.9, "adabn_gradient_reversal": 0.9}
UNSEEN |= {"adabn_test_only": 0.8, "shuffled_labels": 0.25}


def made_up_results(
    root, folder, screen="demo", seeds=1, unseen=None, seen=0.9, index=None, without=(), statistics=64, also=()
):
    """Write the results and return them; `unseen` gives each method's accuracy on unseen batches, `seen` on others.

    A second seed is 2 points better. A method's variations are as good as itself, where `unseen` does not name them.
    `without` may hold `runs`; `also` names tables and figures that are not among the screen's targets.
    """
    index = make_index(experiments=9, wells=8, sites=2) if index is None else index
    known = tuple(sorted((unseen or UNSEEN).items()))
    registry = build_registry({"screen": screen, "results": str(folder), "seeds": seeds}, root)
    more = tuple(name for name in also if name not in registry.screen.targets)
    made = _made_once(root, index.to_parquet(), screen, seeds, known, seen, tuple(without), statistics, more)
    shutil.copytree(made.name, folder, dirs_exist_ok=True)
    return Results(registry, Files(registry.results, registry.name))


@cache
def _made_once(root, rows, screen, seeds, unseen, seen, without, statistics, also):
    """A temporary folder with the results: many tests begin with the same ones."""
    folder = TemporaryDirectory()
    index = pd.read_parquet(io.BytesIO(rows))
    _make(root, folder.name, index, screen, seeds, dict(unseen), seen, without, statistics, also)
    return folder


def _make(root, folder, index, screen, seeds, unseen, seen, without, statistics, also):
    registry = build_registry({"screen": screen, "results": str(folder), "seeds": seeds}, root)
    files = Files(registry.results, registry.name)
    write_frame(index, files.index())
    splits = {}
    shown = [*registry.targets("tables"), *registry.targets("figures"), *also]
    runs = {run for name in shown if name not in SCREEN_FIGURES for run in registry.runs(name)}
    made = [name for name in shown if name not in SCREEN_FIGURES and name in registry.targets_of.all()]
    read_out = {run for name in made if "readouts" in registry.needs(name) for run in registry.runs(name)}
    for name in dict.fromkeys([*registry.screen.splits.names, *sorted(run.split for run in runs)]):
        config = registry.screen.splits.model_copy(update={"test_batches": None, "cell_types": None})
        splits[name] = make_split(name, index, config)
        write_frame(splits[name], files.split(name))
        train, test = (splits[name].loc[splits[name]["subset"] == subset, "image_id"] for subset in ("train", "test"))
        if len(test):
            write_frame(score_nulls(index, train, test), files.nulls(name))
    write_frame(
        pd.DataFrame([["E00", "1", "B02", "1", "2", "a.png", "broken <b>", "left out"]], columns=PROBLEM_COLUMNS),
        files.problems(registry.experiments[0]),
    )
    scored = {}
    for run in runs if "runs" not in without else []:
        split = splits[run.split]
        test = index[index["image_id"].isin(split.loc[split["subset"].isin(["test", "val"]), "image_id"])]
        accuracy = (
            unseen.get(run.method, unseen.get(run.method.split("__")[0], UNSEEN["baseline"]))
            if Split.named(run.split).has_unseen_batches
            else seen
        )
        _write_run(files, run, index, test, accuracy + 0.02 * run.seed, statistics, scored)
        if run in read_out:
            train = index[index["image_id"].isin(split.loc[split["subset"] == "train", "image_id"])]
            place = files.folder(run), run.inference
            write_frame(_made_up_readouts(train.to_json(), test.to_json(), run.seed), files.readouts(*place))
    results = Results(registry, files)
    published = Published.read(root / "resources/published/published.csv")
    for name in registry.targets("tables"):
        write_frame(tidy(draft_table(name, results), name, registry, published), files.table(name, "csv"))


def made_up_embeddings(rows, seed=0, width=6):
    """Embeddings whose direction tells the label and, less, the batch."""
    generator = np.random.default_rng(seed)
    labels, batches = rows["label"].fillna(0).to_numpy(int), pd.factorize(rows["batch"])[0]
    centres, shifts = generator.random((labels.max() + 1, width)), generator.random((batches.max() + 1, width))
    values = centres[labels] + 0.4 * shifts[batches] + 0.8 * generator.random((len(rows), width))
    names = {"image_id": "Image", "cell_type": "CellType", "well_type": "WellType"}
    frame = pd.DataFrame(values.astype(np.float32), columns=[f"embedding_{n}" for n in range(width)])
    columns = ("image_id", "experiment", "plate", "well", "cell_type", "well_type", "perturbation", "batch")
    for column in columns:
        frame[f"Metadata_{names.get(column, column.capitalize())}"] = rows[column].to_numpy()
    return frame


@cache
def _made_up_metrics(rows):
    """Of the same made-up embeddings for every run: they take longer than all else."""
    test = pd.read_json(io.StringIO(rows), dtype=False)
    embeddings = made_up_embeddings(test)
    with patch.dict(PROBES, mlp=lda_predict):  # most of the time would be the MLP's
        return *cosine_metrics(embeddings), seen_batch_probes(embeddings, embeddings)


@cache
def _made_up_readouts(train, test, seed):
    return readout_scores(
        *(made_up_embeddings(pd.read_json(io.StringIO(rows), dtype=False), seed) for rows in (train, test))
    )


def _made_up_accuracy(run, index, test, accuracy, statistics):
    right = np.random.default_rng(0).permutation(np.arange(len(test)) < round(accuracy * len(test)))
    predictions = test[["image_id", "label", "batch"]].copy()
    predictions["predicted"] = predictions["predicted_well"] = np.where(right, test["label"].fillna(0), 99)
    predictions["batch_predicted"] = test["batch"]
    predictions["statistics_images"] = statistics
    predictions = with_runners_up(predictions, np.where(np.arange(len(test)) % 2, test["label"].fillna(0), 98))
    seen = set(index["batch"]) if run.split.startswith("stratified") else set()
    return score_predictions(predictions, index, seen)


def _write_run(files, run, index, test, accuracy, statistics, scored):
    place = files.folder(run), run.inference
    if (run.split, accuracy) not in scored:
        scored[run.split, accuracy] = _made_up_accuracy(run, index, test, accuracy, statistics)
    write_frame(scored[run.split, accuracy], files.metrics(*place))
    if (
        run.seed == 0 and "__" not in run.method and Split.named(run.split).form != "few"
    ):  # the others would only cost time
        distances, histograms, probes = _made_up_metrics(test.to_json())
        write_frame(distances, files.cosine(*place))
        write_frame(histograms, files.cosine_histograms(*place))
        write_frame(probes, files.probe(*place))
    by_epoch = {"epoch": [1, 2], "metric": "accuracy", "value": [accuracy / 2, accuracy], "n": len(test)}
    epochs = pd.DataFrame(by_epoch)
    write_frame(epochs, files.epochs(*place))
    folder = files.folder(run)
    history = {"epoch": [1, 2], "loss": [2.0, 1.0], "accuracy": [0.1, 0.5]}
    write_frame(pd.DataFrame(history), f"{folder}/history.csv")
    record = {
        "method": run.weights, "split": run.split, "seed": run.seed, "recipe": {"epochs": 2},
        "debatch": "0.1.0", "git_commit": None, "python": "3.11", "packages": {"torch": "2"},
        "hardware": {"device": "CPU", "cpu": "x", "threads": 1}, "precision": "float32", "wall_seconds": 1.5,
        "images_per_second": 10.0, "finished": "2026-01-01",
    }  # fmt: skip
    write_text(json.dumps(record), f"{folder}/recipe.json")
