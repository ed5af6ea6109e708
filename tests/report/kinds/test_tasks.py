"""Tables and heat maps of named tasks, from the scores of runs."""

import pandas as pd
import pytest
from helpers.images import make_index
from helpers.made_up import made_up_embeddings, made_up_results

from debatch.evaluate.tasks import COLUMNS
from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.cells import laid_out, tidy
from debatch.report.kinds.figures import umap_tasks
from debatch.report.kinds.figures.task_classes import draw_task_classes
from debatch.report.kinds.figures.umap_tasks import draw_umap_tasks
from debatch.report.kinds.tables import draft_table
from debatch.report.published import Published
from debatch.report.results import Results
from debatch.tabular import write_frame

SCORES = {("three", "Task_one"): 0.9, ("three", "Task_two"): 0.5, ("four", "Task_two"): 0.3}


def scores(shift):
    rows = [("task_f1", part, task, "", value + shift, 40) for (part, task), value in SCORES.items()]
    rows += [
        ("class_f1", part, task, name, value + shift, 20) for (part, task), value in SCORES.items() for name in "ab"
    ]
    rows += [("ood_f1", "three", "", "", 0.5 + shift, 1), ("ood_f1", "four", "", "", 0.3 + shift, 1)]
    rows.append(("ood_f1", "", "", "", 0.4 + shift, 2))
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture
def results(root, tmp_path):
    registry = build_registry({"screen": "demo_channels", "results": str(tmp_path), "seeds": 2}, root)
    files = Files(registry.results, registry.name)
    for run in {run for name in ("chammi_table2", "chammi_table3") for run in registry.runs(name)}:
        shift = 0.02 * run.seed + (0.05 if run.method.endswith("__swad") else 0)
        write_frame(scores(shift), files.tasks(files.folder(run), run.inference))
    return Results(registry, files)


def test_means_out_of_distribution_come_first_then_each_task_of_each_part(root, results):
    draft = draft_table("chammi_table2", results)
    assert list(draft.columns) == ["ood", "ood_three", "ood_four", "three_Task_one", "three_Task_two", "four_Task_two"]
    # without pretrained weights the two changes come to the same
    assert [row for row in draft.rows if row.startswith("depthwise")] == ["depthwise.trained"]
    cell = draft.cells["depthwise.trained", "three_Task_two"]
    assert (cell.mean, cell.n) == (pytest.approx(0.51), 2)
    assert cell.sd == pytest.approx(0.01414, abs=1e-4)
    assert draft.cells["depthwise.trained", "ood"].mean == pytest.approx(0.41)
    assert "is also: fine-tuned" in laid_out("chammi_table2", draft, results.registry)


def test_changes_are_rows_by_the_papers_names_and_familiar_tasks_are_left_out(root, results):
    draft = draft_table("chammi_table3", results)
    assert "three_Task_one" not in draft.columns
    assert draft.rows["slice_param.swad"] == "SliceParam, SWAD"
    assert draft.cells["slice_param.swad", "ood"].mean == pytest.approx(0.46)
    published = Published.read(root / "resources/published/published.csv")
    table = tidy(draft, "chammi_table3", results.registry, published).set_index(["row", "column"])
    assert table.loc[("slice_param.swad", "ood"), "published_mean"] == 0.598
    assert table.loc[("fixed_channels.plain", "ood"), "published_mean"] == 0.614
    assert set(table["verdict"]) == {"not comparable"}


def test_a_heat_map_has_a_panel_a_task_and_orders_methods_by_their_mean():
    both = pd.concat([scores(0.1).assign(method="better"), scores(0.0).assign(method="worse")])
    figure, numbers = draw_task_classes(both, "title")
    panels = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title() for axis in panels] == ["three, Task one", "three, Task two", "four, Task two"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["worse", "better"]
    assert [label.get_text() for label in panels[0].get_xticklabels()] == ["a (20)", "b (20)"]
    assert len(numbers) == 2 * 3 * 2


def test_a_screen_without_tasks_lacks_the_table(root, tmp_path):
    registry = made_up_results(root, tmp_path, "tiny", without=("runs",)).registry
    assert "needs one of the splits tasks" in registry.lacking("chammi_table2")


def test_tasks_are_projected_on_what_was_fitted_on_training_images_alone(monkeypatch):
    """By the plain projection: the real one compiles for half a minute."""
    monkeypatch.setattr(umap_tasks, "FEWEST_POINTS", 10**6)
    index = make_index(experiments=3, wells=8)
    every = made_up_embeddings(index)
    training, task = every[every["Metadata_Batch"] != "E02"], every[every["Metadata_Batch"] == "E02"]
    figure, numbers = draw_umap_tasks({"one, three": {"training": training, "Task_one": task}}, "title")
    assert [axis.get_title() for axis in figure.axes] == ["one, three: training", "one, three: Task one"]
    again = draw_umap_tasks({"one, three": {"training": training, "Task_one": task.iloc[:3]}}, "title")[1]
    of_task = numbers[numbers["panel"] == "Task_one"].set_index("image")[["x", "y"]]
    fewer = again[again["panel"] == "Task_one"].set_index("image")[["x", "y"]]
    pd.testing.assert_frame_equal(fewer, of_task.loc[fewer.index])
    assert len(numbers) == len(every)
