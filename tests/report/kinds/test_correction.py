from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.images import make_index
from helpers.made_up import made_up_results

from debatch.evaluate.scores import SCORES
from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.cells import laid_out, tidy
from debatch.report.kinds.figures import draw_figure
from debatch.report.kinds.tables import draft_table
from debatch.report.kinds.tables.correction import seen_of_a_test_batch
from debatch.report.page.correction_findings import correction_headline
from debatch.report.published import Published
from debatch.report.results import Results
from debatch.screen.splits import make_split
from debatch.tabular import write_frame


def scores(**values):
    """A file of scores, by batch alike; a change by its value and standard error, of 20 degrees of freedom."""
    nothing = dict.fromkeys(("low", "high", "error", "freedom"), np.nan)
    rows = []
    for metric, value in values.items():
        every = {"metric": metric, "subset": "all", "cell_type": "", "batch": "", "value": value, **nothing, "n": 40}
        if metric.endswith("_change"):
            change, error = value
            rows.append({**every, "value": change, "error": error, "freedom": 20})
        else:
            rows.append(every)
            rows += [{**every, "cell_type": kind, "batch": f"B{n}", "n": 20} for n in range(4) for kind in ("", "C")]
    return pd.DataFrame(rows)


BEFORE = {
    "kbet": 0.1, "neighbor_same_batch": 0.8, "neighbor_same_batch_chance": 0.2, "replicate_across_batches": 0.5,
    "replicate_map": 0.6, "grit": 3.0, "separability": 0.95, "weak_separability": 0.8, "nsc": np.nan,
    "positive_control_retention": 1.0,
}  # fmt: skip


@pytest.fixture
def results(root, tmp_path):
    """The demo's runs with made-up scores: a correction has those that are given, else those from before."""

    def build(given=None, screen="demo"):
        registry = build_registry({"screen": str(screen), "results": str(tmp_path)}, root)
        files = Files(registry.results, registry.name)
        index = make_index(experiments=9, wells=8, sites=2)
        write_frame(index, files.index())
        for name in registry.screen.splits.names[:1]:
            config = registry.screen.splits.model_copy(update={"test_batches": None})
            write_frame(make_split(name, index, config), files.split(name))
        for run in registry.runs("table_correction"):
            values = {**BEFORE, **(given or {}).get((run.method, run.correction), {})}
            write_frame(scores(**values), files.scores(files.folder(run), run.view))
        return Results(registry, files)

    return build


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
    assert "n: NSC of 40 treatments, NSCB of 40 to 1,310 profiles of a treatment in a batch, each within a cell" in text
    assert "n: NSC" in " ".join(view.notes)


ACROSS = "replicate_across_batches"


def test_headline_says_how_strong_the_effect_is_what_removes_it_and_what_that_costs(results):
    given = {
        ("baseline", "harmony"): {"neighbor_same_batch": 0.22, ACROSS: 0.4, f"{ACROSS}_change": (-0.1, 0.01)},
        ("baseline", "combat"): {"neighbor_same_batch": 0.1, ACROSS: 0.8, f"{ACROSS}_change": (0.3, 0.05)},
        ("baseline", "tvn"): {ACROSS: 0.3, f"{ACROSS}_change": (-0.2, 0.09)},
        ("baseline", "sphering"): {ACROSS: 0.3, f"{ACROSS}_change": (-0.19, 0.09)},
        ("adabn", "harmony"): {ACROSS: 0.9},
    }
    found = correction_headline("table_correction", results(given))
    assert "is of the same batch in 80 % of cases, where chance is 20 %" in found.finding
    removal, biology, losses, best = found.details
    assert removal.startswith("Baseline + Harmony brings that nearest to chance: 22.0 % (uncorrected 80.0 %)")
    assert "below chance, where wells of one batch are pushed apart: ComBat (10.0 %)" in removal
    assert biology.startswith("Baseline + ComBat does best on biology")
    over = "over perturbations and batches, corrected for the number of corrections and metrics"
    assert "80.0 % (uncorrected 50.0 %); p = 2.2e-05, " + over in biology
    # TVN's loss by itself has p = 0.038, and is one of several comparisons
    assert losses.startswith(f"Lost (p < 0.05, {over}): ")
    assert losses.endswith("under Harmony (40.0 %).")
    assert best.startswith("Best of all rows on biology: AdaBN + Harmony, 90.0 %")


def test_headline_does_not_praise_what_makes_it_worse(results):
    registry = results().registry
    worse = {"neighbor_same_batch": 0.9, ACROSS: 0.2, f"{ACROSS}_change": (-0.3, 0.05)}
    given = {("baseline", c): worse for c in registry.corrections_of("table_correction") if c != "none"}
    found = correction_headline("table_correction", results(given))
    assert found.details[0] == "No correction brings that nearer to chance."
    assert found.details[1].startswith("No correction improves biology")
    assert not any("does best" in line for line in found.details)


def test_headline_of_a_gain_that_may_be_none_says_so(results):
    given = {("baseline", "combat"): {ACROSS: 0.55, f"{ACROSS}_change": (0.05, 0.07)}}
    found = correction_headline("table_correction", results(given))
    assert any(
        "does best on biology" in line and "not told from no change, over perturbations" in line
        for line in found.details
    )


def test_headline_passes_over_corrections_that_a_metric_is_not_defined_for(results):
    given = {
        ("baseline", "combat"): {ACROSS: np.nan},
        ("baseline", "tvn"): {ACROSS: 0.6, f"{ACROSS}_change": (0.1, 0.05)},
    }
    found = correction_headline("table_correction", results(given))
    assert any(line.startswith("Baseline + TVN does best on biology") for line in found.details)
    assert "—" not in " ".join(found.details)


def test_headline_of_one_batch_says_that_there_is_nothing_to_tell(results):
    nothing = dict.fromkeys(SCORES, np.nan)
    registry = results().registry
    given = {(run.method, run.correction): nothing for run in registry.runs("table_correction")}
    found = correction_headline("table_correction", results(given))
    assert found.finding.startswith("Nothing tells here how strong the batch effect is")
    figure, _ = draw_figure("figure_correction", results(given))
    assert "No batch or no biology metric" in figure.texts[0].get_text()


def test_figure_has_a_point_for_each_row_in_each_panel(results):
    figure, numbers = draw_figure("figure_correction", results())
    assert len(figure.axes) == 2
    for axis in figure.axes:
        assert len(axis.collections) == 24
        assert axis.xaxis_inverted()
    shown = numbers[numbers["metric"] == "kbet"]
    assert len(shown) == 24
    assert set(shown["correction"]) == {"uncorrected", "Z-norm (controls)", "Sphering", "TVN", "ComBat", "Harmony"}
    labels = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert {"AdaBN", "Harmony"} <= set(labels)


def test_corrections_of_one_set_of_profiles_are_named_beside_their_points(results, tmp_path):
    screen = {"profiles": {"cp": {"file": "x.csv", "title": "CellProfiler"}}, "corrections": ["combat", "harmony"]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(screen))
    made = results(
        {("cp", "combat"): {"neighbor_same_batch": 0.3, "replicate_across_batches": 0.9}}, tmp_path / "mine.yaml"
    )
    figure, _ = draw_figure("figure_correction", made)
    named = {text.get_text() for text in figure.axes[0].texts}
    assert {"uncorrected", "ComBat", "Harmony"} <= named
    assert not figure.legends
    draft = draft_table("table_correction", made)
    assert draft.cells["cp", "sees"].words == "as made"
    assert draft.cells["cp.combat", "sees"].words == "images"


def test_missing_scores_are_said_and_are_no_zero(root, tmp_path):
    made = made_up_results(root, tmp_path, index=make_index(experiments=9, wells=8, sites=2), without=("runs",))
    draft = draft_table("table_correction", made)
    cell = draft.cells["baseline.znorm", "kbet"]
    assert (cell.mean, cell.note) == (None, "not run")
