import html
import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import make_index

from debatch.config import build_registry
from debatch.evaluate.accuracy import score_predictions
from debatch.files import Files
from debatch.report.html import build_report
from debatch.report.published import Published
from debatch.report.style import new_figure, save_figure
from debatch.report.table1 import make_table1
from debatch.screen.plan import PROBLEM_COLUMNS
from debatch.screen.splits import make_split
from debatch.tabular import write_frame, write_text


@pytest.fixture
def page(root, tmp_path):
    """Builds the page of a made-up results folder; `accuracy` gives each method's on unseen batches."""

    def build(screen="demo", accuracy=None, index=None, without=()):
        registry = build_registry({"screen": screen, "results": str(tmp_path), "seeds": 1}, root)
        files = Files(registry.results, registry.name)
        index = make_index(experiments=9, wells=8) if index is None else index
        write_frame(index, files.index())
        for name in registry.screen.splits.names:
            config = registry.screen.splits.model_copy(update={"test_batches": None})
            write_frame(make_split(name, index, config), files.split(name))
        metrics = {}
        for run in registry.runs("table1"):
            split = make_split(run.split, index, registry.screen.splits.model_copy(update={"test_batches": None}))
            test = index[index["image_id"].isin(split.loc[split["subset"] == "test", "image_id"])]
            right = np.arange(len(test)) < (accuracy or {"baseline": 0.5, "adabn": 0.9})[run.method] * len(test)
            predictions = test[["image_id", "label", "batch"]].copy()
            predictions["predicted"] = predictions["predicted_well"] = np.where(right, test["label"], 99)
            predictions["batch_predicted"] = test["batch"]
            metrics[run] = score_predictions(predictions, index, set(index["batch"]))
            folder = files.run(run.method, run.split, run.seed)
            if "runs" in without:
                continue
            write_frame(metrics[run], files.metrics(run.method, run.split, run.seed, run.inference))
            history = {"epoch": [1, 2], "loss": [2.0, 1.0], "accuracy": [0.1, 0.5]}
            write_frame(pd.DataFrame(history), f"{folder}/history.csv")
            record = {
                "method": run.method, "split": run.split, "seed": run.seed, "recipe": {"epochs": 2},
                "debatch": "0.1.0", "git_commit": None, "python": "3.11", "packages": {"torch": "2"},
                "hardware": {"device": "CPU", "cpu": "x", "threads": 1}, "wall_seconds": 1.5,
                "images_per_second": 10.0, "finished": "2026-01-01",
            }  # fmt: skip
            write_text(json.dumps(record), f"{folder}/recipe.json")
        table = make_table1(registry, metrics, Published.read(root / "resources/published/published.csv"))
        write_frame(table, files.table("table1", "csv"))
        problems = pd.DataFrame(
            [["E00", "1", "B02", "1", "2", "a.png", "broken <b>", "left out"]], columns=PROBLEM_COLUMNS
        )
        write_frame(problems, files.problems(registry.experiments[0]))
        for name in registry.targets("figures"):
            if name not in without:
                save_figure(new_figure(1, 1), files, name, pd.DataFrame())
        return build_report(registry, files)

    return build


def words(page):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)))


def test_simulated_screen_is_called_simulated_wherever_its_numbers_stand(page):
    text = page()
    assert "Every number on this page comes from simulated images" in text
    for anchor in ("qc", "table1", "figure6", "training"):
        heading = re.search(rf'id="{anchor}"><h2>(.*?)</h2>', text)[1]
        assert "simulated" in heading
    assert "not comparable" in text


def test_real_screen_is_not(page):
    assert "simulated" not in words(page("rxrx1")).replace("a simulated screen, or one of another scale", "")


def test_headline_says_who_wins_and_by_how_much(page):
    text = words(page())
    assert "AdaBN recognises 91.7 % of images from batches it never saw; Baseline 50.0 % (41.7 points less)" in text
    assert "1 training seed a method; one seed has no spread." in text
    assert "Only 3 test batches" in text


def test_headline_is_honest_when_adabn_loses_and_the_label_shift_says_why(page):
    index = make_index(experiments=9, wells=8)
    index["label"] = pd.array([int(batch[1:]) % 3 for batch in index["batch"]], dtype="Int64")
    index["perturbation"] = index["cell_type"] = [f"T{label}" for label in index["label"]]
    text = words(page(accuracy={"baseline": 1.0, "adabn": 0.3}, index=index))
    assert "AdaBN loses to the baseline here" in text
    assert "Each test batch holds only 1 of the 3 classes" in text
    assert "(total variation 0.67 on average" in text
    assert re.search(r"It did: AdaBN 3\d\.\d % against the baseline's 100\.0 %\.", text)


def test_no_label_shift_says_the_condition_holds(page):
    assert "That is the condition that adaptive batch normalization rests on" in words(page())


def test_missing_cell_is_a_dash_with_its_reason(page):
    text = words(page("rxrx1_sample"))
    assert "— the screen has no stratified split" in text


def test_page_loads_nothing(page):
    text = page()
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:image/png;base64,|#)""", text)
    assert "@import" not in text
    assert "url(" not in text
    assert "<script" not in text


def test_names_are_escaped(page):
    assert "broken &lt;b&gt;" in page()


def test_what_is_missing_is_said(page):
    text = words(page(without=("runs", "figure6")))
    assert "This figure is missing" in text
    assert "baseline/separated/seed0" in text
    assert "No training history was found" in text


def test_screen_without_labels_and_training_has_a_page_of_its_images(page):
    index = make_index(experiments=1, wells=4)
    index["label"] = pd.array([pd.NA] * len(index), dtype="Int64")
    index["perturbation"] = None
    text = page("bbbc022_sample", index=index)
    assert "Table 1" not in words(text)
    assert 'id="training"' not in text
    assert 'id="splits"' not in text
    assert "No method was trained: the page shows the images" in text
    for heading in ("Mean intensity by well", "Focus by well", "Illumination by plate and channel"):
        assert heading in text


def test_splits_show_their_balance(page):
    text = words(page())
    assert "images a class" in text
    assert re.search(r"separated train 48 66\.7 48 6 4 12 8 0 [0-9a-f]{12}", text)
