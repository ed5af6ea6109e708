from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.corrections import ACROSS, scored_corrections
from helpers.images import make_index
from helpers.made_up import made_up_results

from debatch.report.cells import laid_out, tidy
from debatch.report.kinds.figures import draw_figure
from debatch.report.kinds.tables import draft_table
from debatch.report.kinds.tables.correction import SHOWN, seen_of_a_test_batch
from debatch.report.page.correction_findings import correction_findings
from debatch.report.published import Published
from debatch.report.style import category_styles
from debatch.tabular import read_frame, write_frame


@pytest.fixture
def results(root, tmp_path):
    """The demo's runs with made-up scores."""
    return partial(scored_corrections, root, tmp_path)


def test_each_correction_of_each_method_is_a_row_and_says_what_it_saw(results, root):
    made = results()
    draft = draft_table("table_correction", made)
    assert len(draft.rows) == 4 * 6 + 1
    assert list(draft.rows)[:2] == ["baseline", "baseline.znorm"]
    assert draft.rows["adabn.harmony"] == "AdaBN + Harmony"
    said = {row: draft.cells[row, "sees"].words for row in draft.rows if (row, "sees") in draft.cells}
    assert said["baseline"] == "nothing"
    assert said["baseline.znorm"] == said["gradient_reversal.tvn"] == "controls"
    assert said["baseline.combat"] == "images"
    assert said["adabn"] == said["adabn.harmony"] == "images"
    assert said["adabn.znorm"] == "images, controls"
    table = tidy(draft, "table_correction", made.registry, Published.read(root / "resources/published/published.csv"))
    sees = table[table["column"] == "sees"].set_index("row")
    assert sees.loc["baseline.combat", "note"] == "images"
    assert sees["mean"].isna().all()
    units = table.drop_duplicates("column").set_index("column")["unit"]
    assert (units["kbet"], units["grit"], units["replicate_map"]) == ("%", "sd", "")


def test_normalization_of_pixels_is_part_of_what_a_method_saw(results):
    registry = results().registry
    recipe = registry.recipes["baseline"].model_copy(update={"normalization": "plate_controls"})
    seen = replace(registry, recipes={**registry.recipes, "baseline": recipe})
    assert seen_of_a_test_batch(seen, "baseline", "none") == "controls"
    assert seen_of_a_test_batch(seen, "baseline", "combat") == "images, controls"


def test_layout_is_said_where_it_limits_what_corrections_can_do(results):
    notes = " ".join(draft_table("table_correction", results()).notes)
    assert "the fewest control wells of a batch are" in notes
    assert "treatments are in one batch only" not in notes


def test_what_no_row_has_is_left_out_and_named(results):
    draft = draft_table("table_correction", results())
    assert "nsc" not in draft.columns
    assert "Mechanism, NSC" in draft.notes[-1]
    text = laid_out("table_correction", draft, results().registry)
    assert "| Baseline | nothing | 10.0 [10.0 to 10.0] |" in text
    assert "A random neighbour (null)" in text
    assert "simulated" in text


def test_mechanisms_say_of_how_many_treatments_and_profiles_they_are(results):
    made = results({("baseline", "none"): {"nsc": 0.5, "nscb": 0.25}, ("adabn", "none"): {"nsc": 0.5, "nscb": 0.25}})
    fewer = made.registry.run("adabn", "separated", 0)
    path = made.files.scores(made.files.folder(fewer), fewer.view)
    frame = pd.read_csv(path)
    frame.loc[frame["metric"] == "nscb", "n"] = 1310
    write_frame(frame, path)
    view = draft_table("table_correction", made)
    text = laid_out("table_correction", view, made.registry)
    assert "Mechanism, NSC ↑, n = 40 (%)" in text
    assert "Mechanism, NSCB ↑, n = 40 to 1,310 (%)" in text
    assert "counted: NSC of 40 treatments, NSCB of 40 to 1,310 profiles of a treatment in a batch; of" in text
    assert "counted: NSC" in " ".join(view.notes)


BAND = (0.18, 0.22)


def with_band(frame, metric, low, high):
    row = frame.iloc[:1].assign(metric=f"{metric}_permuted", value=(low + high) / 2, low=low, high=high)
    return pd.concat([frame, row], ignore_index=True)


def test_permuted_batches_are_a_row_with_a_band_and_the_figure_draws_it(results):
    made = results({("baseline", "none"): {"neighbor_same_batch": 0.21}})
    run = next(run for run in made.registry.runs("table_correction") if run.method == "baseline")
    path = made.files.scores(made.files.folder(run), run.view)
    write_frame(with_band(read_frame(path), "neighbor_same_batch", *BAND), path)
    draft = draft_table("table_correction", made)
    cell = draft.cells["baseline.permuted", "neighbor_same_batch"]
    assert (cell.mean, cell.low, cell.high) == pytest.approx((20, 18, 22))
    assert "baseline.permuted" in draft.nulls
    assert draft.rows["baseline.permuted"] == "Baseline, batches permuted (null)"
    assert any(note.startswith("batches permuted: what no batch effect would give") for note in draft.notes)
    found = correction_findings("table_correction", made)
    assert found.effect[0].endswith(
        "chance is 20.0 % and permuted batches give 18.0 to 22.0 %: this metric finds no batch effect."
    )
    assert found.is_there is False
    figure, numbers = draw_figure("figure_correction", made)
    for axis in figure.axes:
        # a method's own, and no other's
        bands = [(band.get_x(), band.get_x() + band.get_width()) for band in axis.patches]
        assert bands == ([pytest.approx((18, 22))] if axis.get_title() == "Baseline" else [])
    assert numbers.loc[numbers["metric"] == "neighbor_same_batch_permuted", "low"].dropna().tolist() == [18]


def test_layouts_that_repeat_are_said_in_table_and_headline(results):
    """Each perturbation stands in one place of every plate."""
    beside = {f"{ACROSS}_other_positions": 0.3, f"{ACROSS}_position_only": 1.0, "control_same_position": 0.24}
    registry = results().registry
    runs = registry.runs("table_correction")
    made = results({(run.method, run.correction): {**beside, "control_same_position_chance": 0.016} for run in runs})
    draft = draft_table("table_correction", made)
    columns = list(draft.columns)
    assert columns[columns.index(ACROSS) + 1] == f"{ACROSS}_other_positions"
    assert draft.cells["baseline", f"{ACROSS}_other_positions"].mean == pytest.approx(30)
    assert draft.cells["position_only", ACROSS].mean == pytest.approx(100)
    said = next(note for note in draft.notes if note.startswith("positions: "))
    assert "hold the same perturbation in 100 % of pairs (wells in any two positions: 33.3 %)" in said
    assert "cannot be told from what its perturbation does" in said
    assert "in the same position in 24 % of 40 cases (chance 1.6 %)" in said
    (line,) = (line for line in correction_findings("table_correction", made).sure if line.startswith("Positions: "))
    assert "is a replicate: 30.0 % (with them 50.0 %)" in line
    # the same wells, each plate laid out anew
    index = read_frame(made.files.index())
    rng, plates = np.random.default_rng(0), index["experiment"]
    moved = {plate: rng.permutation(index["well"].unique()) for plate in plates.unique()}
    number = index["well"].str[1:].astype(int) - 2
    wells = [moved[plate][n] for plate, n in zip(plates, number, strict=True)]
    write_frame(index.assign(well=wells), made.files.index())
    assert not any(key.endswith("_other_positions") for key in draft_table("table_correction", made).columns)


def test_headline_of_one_batch_says_that_there_is_nothing_to_tell(results):
    nothing = dict.fromkeys(SHOWN, np.nan)
    registry = results().registry
    given = {(run.method, run.correction): nothing for run in registry.runs("table_correction")}
    found = correction_findings("table_correction", results(given))
    assert found.effect[0].startswith("Nothing tells here how strong the batch effect is")
    figure, _ = draw_figure("figure_correction", results(given))
    assert "No batch or no biology metric" in figure.texts[0].get_text()


def test_figure_has_a_point_for_each_row_in_each_panel(results):
    figure, numbers = draw_figure("figure_correction", results())
    assert len(figure.axes) == 2 * 4
    assert [axis.get_title() for axis in figure.axes[:4]] == [
        "Baseline", "Gradient reversal", "AdaBN", "AdaBN + gradient reversal",
    ]  # fmt: skip
    for axis in figure.axes:
        assert len(axis.collections) == 6
        assert axis.xaxis_inverted()
    shown = numbers[numbers["metric"] == "kbet"]
    assert len(shown) == 24
    assert set(shown["correction"]) == {"uncorrected", "Z-norm (controls)", "Sphering", "TVN", "ComBat", "Harmony"}
    labels = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert {"uncorrected", "Harmony", "a random neighbour"} <= set(labels)


def test_points_have_bars_and_few_points_do_not_look_like_much(results):
    """50.0 and 52.0 % on an axis of two points would seem far apart."""
    made = results({("baseline", "combat"): {ACROSS: 0.52}})
    run = next(run for run in made.registry.runs("figure_correction") if run.correction == "combat")
    path = made.files.scores(made.files.folder(run), run.view)
    frame = read_frame(path)
    every = (frame["metric"] == ACROSS) & (frame["batch"].fillna("") == "")
    write_frame(frame.assign(error=frame["error"].mask(every, 0.03)), path)
    figure, numbers = draw_figure("figure_correction", made)
    low, high = figure.axes[0].get_ylim()
    assert high - low >= 20
    kept = numbers[(numbers["metric"] == ACROSS) & (numbers["method"] == "Baseline")]
    (bar,) = kept.loc[kept["correction"] == "ComBat", ["low", "high"]].to_numpy().tolist()
    assert bar[1] > 52 > bar[0] - 1
    assert bar in [list(line.get_ydata()) for line in figure.axes[0].lines]


def test_corrections_of_one_set_of_profiles_stand_side_by_side_with_a_legend(results, tmp_path):
    screen = {"profiles": {"cp": {"file": "x.csv", "title": "CellProfiler"}}, "corrections": ["combat", "harmony"]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(screen))
    made = results(
        {("cp", "combat"): {"neighbor_same_batch": 0.3, "replicate_across_batches": 0.9}}, tmp_path / "mine.yaml"
    )
    figure, _ = draw_figure("figure_correction", made)
    assert len(figure.axes) == 2
    named = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"uncorrected", "ComBat", "Harmony"} <= named
    draft = draft_table("table_correction", made)
    assert draft.cells["cp", "sees"].words == "as made"
    assert draft.cells["cp.combat", "sees"].words == "images"


def test_missing_scores_are_said_and_are_no_zero(root, tmp_path):
    made = made_up_results(root, tmp_path, index=make_index(experiments=9, wells=8, sites=2), without=("runs",))
    draft = draft_table("table_correction", made)
    cell = draft.cells["baseline.znorm", "kbet"]
    assert (cell.mean, cell.note) == (None, "not run")


def test_corrections_and_batches_have_looks_of_their_own(results):
    """Two of one colour cannot be told in a legend; a share has no tick beyond 1."""
    figure, _ = draw_figure("figure_correction", results())
    handles = figure.legends[0].legend_handles[:6]
    assert len({handle.get_color() for handle in handles}) == 6
    assert len({handle.get_marker() for handle in handles}) == 6
    assert max(max(axis.get_yticks()) for axis in figure.axes[4:]) <= 1
    assert len({colour for colour, _ in category_styles([f"Week{n}" for n in range(10)]).values()}) == 10
