"""The paper's further tables and figures, from made-up results: Tables 2, 4, 5 and 6, Figures 8 and 9."""

import re
from math import isclose
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index
from helpers.made_up import UNSEEN, made_up_results

from debatch.errors import ConfigError, DataError
from debatch.evaluate.tidy import of_all
from debatch.report.cells import laid_out, tidy
from debatch.report.kinds.figures import draw_figure
from debatch.report.kinds.tables import draft_table
from debatch.report.page.html import build_report
from debatch.report.page.table_view import table_view
from debatch.report.published import Published
from debatch.tabular import read_frame, write_frame


def table_of(root, results, name):
    published = Published.read(root / "resources/published/published.csv")
    return tidy(draft_table(name, results), name, results.registry, published).set_index(["row", "column"])


def set_accuracy(results, target, accuracies):
    """Give the first runs of a target's methods an accuracy, in shares, by method that is trained for them."""
    for run in results.registry.runs(target):
        path = results.files.metrics(results.files.folder(run), run.inference)
        metrics = read_frame(path)
        metrics.loc[of_all(metrics[metrics["metric"] == "accuracy"]).index, "value"] = accuracies[run.method]
        write_frame(metrics, path)


@pytest.mark.parametrize("name", ["table2", "table5", "table6"])
def test_published_numbers_of_variations_stand_beside_their_rows(root, tmp_path, name):
    results = made_up_results(root, tmp_path, "rxrx1", also=[name], seeds=1, without=("runs",))
    table = table_of(root, results, name)
    published = pd.read_csv(root / "resources/published/published.csv")
    expected = published[(published["paper"] == "rxrx1") & (published["table"] == name)]
    table = table[table.index.get_level_values("row") != "position_only"]
    assert len(expected) == table["published_mean"].notna().sum() == len(table)
    assert sorted(expected["value"]) == sorted(table["published_mean"])
    assert set(table["verdict"]) == {"not run"}
    if name == "table2":
        assert table.loc[("default", "adabn"), "published_mean"] == 87.1
        assert table.loc[("mixup", "baseline"), "published_mean"] == 75.6
        assert table.loc[("resnet101", "adabn"), "published_mean"] == 84.6
    elif name == "table5":
        assert table.loc[("experiment_controls", "baseline"), ["published_mean", "published_sd"]].tolist() == [
            68.4,
            0.5,
        ]
    else:
        assert table.loc[("plate", "adabn"), "published_mean"] == 82.6


def test_variations_have_a_row_a_change_and_a_column_a_method(root, tmp_path):
    unseen = {**UNSEEN, "baseline__mixup": 0.25, "adabn__mixup": 0.75}
    results = made_up_results(root, tmp_path, also=["table2"], unseen=unseen)
    table = table_of(root, results, "table2")
    assert table.loc[("mixup", "baseline"), "mean"] == 25
    assert table.loc[("mixup", "adabn"), "mean"] == 75
    assert table.loc[("default", "baseline"), "mean"] == 50
    assert set(table["verdict"]) == {"not comparable"}
    text = laid_out("table2", draft_table("table2", results), results.registry)
    assert "| | Baseline (%) | AdaBN (%) |" in text
    assert "| small resnet 2 (for resnet50) |" in text
    assert "Default is also: No mixing" in text
    # the paper's default is CutMix, and this screen's is not
    assert pd.isna(table.loc[("default", "baseline"), "published_mean"])
    assert table.loc[("mixup", "baseline"), "published_mean"] == 75.6


def few_results(root, tmp_path, **options):
    """Seven batches of C0 that train and three of C1, as the demo's cell types."""
    index = make_index(experiments=12, wells=8, sites=2)
    index["cell_type"] = np.where(index["batch"] < "E08", "ALPHA", "BETA")
    return made_up_results(root, tmp_path, index=index, also=["table4"], seeds=2, **options)


def test_seeds_and_draws_stand_apart(root, tmp_path):
    """32 test images of ALPHA: half of them right with the first seed, 2 points more with the second."""
    results = few_results(root, tmp_path)
    for run in results.registry.runs("table4"):
        if run.method == "baseline" and run.split == "few_ALPHA_draw3":
            path = results.files.metrics(results.files.folder(run), run.inference)
            metrics = read_frame(path)
            metrics.loc[of_all(metrics[metrics["metric"] == "accuracy"]).index, "value"] = 0.9
            write_frame(metrics, path)
    table = table_of(root, results, "table4")
    first, drawn = table.loc[("baseline", "ALPHA")], table.loc[("baseline", "ALPHA_draws")]
    assert (first["n"], drawn["n"]) == (2, 5)
    assert drawn["mean"] == pytest.approx((4 * 50 + 90) / 5)
    assert drawn["sd"] == pytest.approx(np.std([50, 50, 50, 50, 90], ddof=1))
    assert (drawn["low"], drawn["high"]) == (50, 90)
    assert first["sd"] < 2 < drawn["sd"]
    only = table.loc[("adabn", "BETA_draws")]
    assert pd.isna(only["mean"])
    assert only["note"] == "one draw"
    text = laid_out("table4", draft_table("table4", results), results.registry)
    assert "mean ± standard deviation over 2 training seeds" in text
    assert "BETA: one draw, of all the training batches that there are" in text
    assert "trained on 3 batches of the named cell type alone" in text


def test_the_page_calls_ranges_over_draws_and_over_batches_by_their_names(root, tmp_path):
    results = few_results(root, tmp_path)
    frame = tidy(
        draft_table("table4", results),
        "table4",
        results.registry,
        Published.read(root / "resources/published/published.csv"),
    )
    write_frame(frame, results.files.table("table4", "csv"))
    row = table_view("table4", results)["rows"][0]["cells"]
    assert [cell["range"].startswith("(draws: ") for cell in row[:3]] == [False, False, True]
    assert re.fullmatch(r"[\[(]\d+\.\d to \d+\.\d[\])]", row[0]["range"])
    assert row[1]["range"] == ""  # a cell type of one test batch


def test_published_numbers_of_table_4(root, tmp_path):
    results = made_up_results(root, tmp_path, "rxrx1", also=[], without=("runs",))
    table = table_of(root, results, "table4")
    assert table["published_mean"].notna().sum() == 16
    assert table.loc[("adabn", "HEPG2"), ["published_mean", "published_sd"]].tolist() == [56.2, 1.6]
    assert table.loc[("gradient_reversal", "U2OS"), "published_mean"] == 3.0


def test_table_4_without_cell_types_says_what_to_do(root, tmp_path):
    results = made_up_results(root, tmp_path, "rxrx1_sample")
    with pytest.raises(ConfigError, match=r"table4 needs to know the cell types"):
        draft_table("table4", results)


@pytest.fixture
def subsets(root, tmp_path):
    """Three channels whose worth is planted: 20, 10 and 0 points above a guess, and 6 where the first two meet."""
    results = made_up_results(root, tmp_path, "tiny", also=["figure9"])
    (nothing,) = results.nulls("separated", "majority_class")
    guess = nothing[nothing["metric"] == "accuracy"]
    base = float(of_all(guess[guess["subset"] == "all"])["value"].iloc[0])
    worth = {"DNA": 0.20, "ER": 0.10, "Actin": 0.0}
    accuracies = {
        row.methods["baseline"]: base
        + sum(worth[channel] for channel in row.channels)
        + (0.06 if {"DNA", "ER"} <= set(row.channels) else 0)
        for row in results.registry.variants["figure9"]
    }
    set_accuracy(results, "figure9", accuracies)
    return results, base


def test_shapley_values_of_a_planted_truth(subsets):
    results, base = subsets
    figure, numbers = draw_figure("figure8", results)
    values = numbers.set_index("channel")["shapley"]
    assert values.to_dict() == pytest.approx({"DNA": 23, "ER": 13, "Actin": 0}, abs=1e-9)
    assert numbers["accuracy_none"].iloc[0] == pytest.approx(100 * base)
    assert values.sum() == pytest.approx(numbers["accuracy_all"].iloc[0] - numbers["accuracy_none"].iloc[0])
    assert f"\nsum 36.0 = {100 * base + 36:.1f} % (all channels)" in figure.get_suptitle()
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["DNA", "ER", "Actin"]


def test_shapley_values_need_every_subset(subsets):
    results, _ = subsets
    run = results.registry.run("baseline__channels_1_3", "separated", 0)
    Path(results.files.metrics(results.files.folder(run), run.inference)).unlink()
    with pytest.raises(DataError, match=r"1 of 7 subsets of channels have no run, as \['Actin', 'DNA'\]"):
        draw_figure("figure8", results)


def test_subsets_are_grouped_by_size_and_sorted(subsets):
    results, base = subsets
    figure, numbers = draw_figure("figure9", results)
    assert len(numbers) == 7
    by_channels = numbers.set_index("channels")
    assert by_channels.loc["DNA + ER", "mean"] == pytest.approx(100 * base + 36)
    assert by_channels["number"].value_counts().to_dict() == {1: 3, 2: 3, 3: 1}
    bars, dots = figure.axes
    heights = [bar.get_height() for bar in bars.patches]
    assert heights[:3] == sorted(heights[:3], reverse=True)
    assert heights[3:6] == sorted(heights[3:6], reverse=True)
    assert isclose(heights[6], 100 * base + 36)
    assert [text.get_text() for text in dots.get_yticklabels()] == ["DNA", "ER", "Actin"]
    filled = dots.collections[1].get_offsets()
    assert sorted(map(tuple, filled[filled[:, 0] == 3])) == [(3, 0), (3, 1)]  # the best pair: DNA and ER
    assert len(filled) == 3 + 6 + 3


def test_page_of_the_paper_has_its_parts_in_its_order(root, tmp_path):
    index = make_index(experiments=6, wells=8, sites=2)
    index["cell_type"] = np.where(index["batch"] < "E03", "ALPHA", "BETA")
    also = ["table2", "table4", "table5", "table6", "figure9"]
    results = made_up_results(root, tmp_path, "tiny", index=index, also=also)
    page = build_report(results.registry.of_page("paper"), results.files)
    order = ["table1", "figure6", "table2", "table3", "figure7", "table_s3", "table4", "figure8", "figure9", "table5"]
    places = [page.index(f'<section id="{name}"') for name in [*order, "table6", "figure10"]]
    assert places == sorted(places)
    assert "few_ALPHA_draw0" in page
    assert "few_ALPHA_draw0" not in build_report(results.registry, results.files)


def test_screen_of_another_scale_says_so_at_every_heading(root, tmp_path):
    results = made_up_results(root, tmp_path, "rxrx1_small", without=("runs",), seeds=1)
    page = build_report(results.registry, results.files)
    label = "smaller than the paper&#39;s: not comparable"
    for name in ("table1", "table3", "figure6", "table_probe"):
        section = page.split(f'<section id="{name}">')[1].split("</section>")[0]
        assert label in section
    assert "smaller than the paper's" in laid_out("table1", draft_table("table1", results), results.registry)
    assert set(table_of(root, results, "table1")["verdict"]) <= {"not run", "not comparable", "not defined"}
