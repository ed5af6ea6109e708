from functools import partial

import numpy as np
import pytest
from helpers.corrections import ACROSS, WEAK, changed, scored_corrections

from debatch.report.cells import laid_out
from debatch.report.kinds.figures import draw_figure
from debatch.report.kinds.tables import draft_table
from debatch.report.page.correction_findings import correction_findings
from debatch.tabular import read_frame, write_frame


@pytest.fixture
def results(root, tmp_path):
    """The demo's runs with made-up scores."""
    return partial(scored_corrections, root, tmp_path)


def test_headline_has_a_sentence_for_each_purpose_and_chooses_none_by_its_score(results):
    given = {
        ("baseline", "harmony"): {**changed("neighbor_same_batch", -0.58, 0.01), **changed(ACROSS, -0.1, 0.01)},
        ("baseline", "combat"): {**changed("neighbor_same_batch", -0.7, 0.01), **changed(ACROSS, 0.3, 0.05)},
        ("baseline", "tvn"): {**changed(ACROSS, -0.2, 0.09), **changed(WEAK, -0.1, 0.01)},
        ("baseline", "sphering"): {**changed(ACROSS, -0.19, 0.09), **changed("grit", -1.0, 0.05)},
        ("adabn", "harmony"): {ACROSS: 0.9},
    }
    found = correction_findings("table_correction", results(given))
    assert (
        "is of the same batch in 80.0 % of cases [80.0 to 80.0] (n = 40 treated images), where chance is 20.0 %"
        in found.effect[0]
    )
    by_method, batch = found.removes
    replicates, weak, losses = found.costs
    how, place = found.sure
    assert found.best == "Clearly less of it under Harmony."
    assert by_method.startswith("Nearest neighbours of the same batch, uncorrected: Baseline 80.0 %, ")
    assert place.startswith("Positions: ")
    assert "less under Harmony (22.0: -58.0 [-60.1 to -55.9])" in batch
    assert "below chance, where wells of one batch are pushed apart, under ComBat (10.0: -70.0" in batch
    assert replicates.startswith(
        "Replicates (wells whose nearest one of another batch is a replicate): uncorrected 50.0 % [50.0 to 50.0], n ="
    )
    assert "; better: ComBat (80.0: +30.0 [+19.6 to +40.4])" in replicates
    # each by itself has p = 0.04, and is one of several comparisons
    assert "; no clear change: Sphering (31.0: -19.0 [-37.8 to -0.2]; p = 0.08), TVN (30.0" in replicates
    assert "; worse: Harmony (40.0: -10.0" in replicates
    assert weak.startswith("Weak phenotypes")
    assert "; no correction is clearly better; worse: TVN (0.700: -0.100 [-0.121 to -0.079])." in weak
    assert losses == "Worse besides: mean grit under Sphering (2.00: -1.00 [-1.10 to -0.90])."
    assert "over perturbations and batches" in how
    assert "p < 0.05 after correction for 8 comparisons" in how
    assert "Where p stands beside brackets that leave 0 out: 8 changes are compared" in replicates
    assert found.loss.startswith(
        "Clear losses: replicates across batches under Harmony; weak treatments (AUROC) under TVN"
    )
    # the best row of the table is another method's: it was not compared, and is no finding
    assert "90.0" not in " ".join([*found.removes, *found.costs])


def alone(made):
    """Each treatment in one batch, controls in every one."""
    index = read_frame(made.files.index())
    treated = index["well_type"] == "treatment"
    own = index["perturbation"].where(~treated, index["perturbation"] + "_" + index["batch"])
    write_frame(index.assign(perturbation=own), made.files.index())
    return made


CONTROLS = {"neighbor_same_batch_controls": 0.8, "neighbor_same_batch_controls_chance": 0.1}


def of_controls(by, error):
    return {"neighbor_same_batch_controls": 0.8 + by, "neighbor_same_batch_controls_change": (by, error)}


def test_controls_decide_where_no_treatment_is_in_two_batches(results):
    """Treated wells then tell treatments from each other as much as batches."""
    given = {
        ("baseline", "none"): CONTROLS,
        ("baseline", "tvn"): of_controls(-0.4, 0.02),
        ("baseline", "combat"): {**of_controls(-0.01, 0.02), **changed("neighbor_same_batch", -0.5, 0.01)},
    }
    made = alone(results(given))
    found = correction_findings("table_correction", made)
    assert found.best == "By negative controls, clearly less of it under TVN."
    assert "a negative control's nearest one of another well is of the same batch in 80.0 % of cases" in found.effect[0]
    assert found.effect[1].startswith(
        "No treatment is in two batches (of 9): treated wells cannot tell batch from treatment. Negative controls,"
    )
    assert "use all wells (ComBat, Harmony) take away a treatment's effect with that of its batch" in found.effect[1]
    said = " ".join(found.removes)
    assert "less under TVN (40.0: -40.0" in said
    assert "no clear change under ComBat (79.0" in said
    assert "-50.0" not in said
    assert "correction for 2 comparisons" in found.sure[0]
    assert found.choices[0] == "To take the batch out: clearly TVN."
    figure, _ = draw_figure("figure_correction", made)
    assert figure.axes[0].collections[0].get_offsets()[0][0] == 80
    assert "negative controls (%)" in figure.axes[4].get_xlabel()
    note = next(note for note in draft_table("table_correction", made).notes if note.startswith("no treatment is in"))
    assert "(ComBat, Harmony) cannot tell batch from treatment there, and take away both" in note


def test_where_treatments_are_shared_both_wells_speak(results):
    given = {
        ("baseline", "none"): CONTROLS,
        ("baseline", "tvn"): of_controls(-0.4, 0.02),
        ("baseline", "combat"): changed("neighbor_same_batch", -0.5, 0.01),
    }
    found = correction_findings("table_correction", results(given))
    assert found.best == (
        "Clearly less of it under ComBat, by treated wells; by negative controls clearly less under TVN."
    )
    assert [line.split(" (")[0] for line in found.removes[1:]] == ["Treated wells", "Negative controls"]


def test_whom_a_nearest_neighbour_may_be_is_what_the_screen_knows(results):
    made = results()
    index = read_frame(made.files.index())
    write_frame(index.assign(compound=index["perturbation"], mechanism="m"), made.files.index())
    first = correction_findings("table_correction", made).effect[0]
    assert "nearest treated one of another compound and mechanism is of the same batch" in first


def test_a_number_has_one_interval_in_table_figure_and_summary(results):
    """That of batches alone would be narrower than the one over perturbations too."""
    made = results()
    for run in made.registry.runs("table_correction"):
        path = made.files.scores(made.files.folder(run), run.view)
        frame = read_frame(path)
        every = (frame["metric"] == ACROSS) & (frame["batch"].fillna("") == "")
        write_frame(frame.assign(error=frame["error"].mask(every, 0.05)), path)
    cell = draft_table("table_correction", made).cells["baseline", ACROSS]
    assert cell.low < 40 < 60 < cell.high
    _, numbers = draw_figure("figure_correction", made)
    own = numbers[(numbers["metric"] == ACROSS) & (numbers["method"] == "Baseline")].iloc[0]
    assert (own["low"], own["high"]) == pytest.approx((cell.low, cell.high))
    found = correction_findings("table_correction", made)
    assert f"uncorrected 50.0 % [{cell.low:.1f} to {cell.high:.1f}], n = 40" in found.costs[0]
    text = laid_out("table_correction", draft_table("table_correction", made), made.registry)
    assert "in brackets a 95 % interval over perturbations and batches, both drawn; of negative controls" in text


def test_headline_does_not_praise_what_makes_it_worse_or_may_be_nothing(results):
    registry = results().registry
    worse = {**changed("neighbor_same_batch", 0.1, 0.01), **changed(ACROSS, -0.3, 0.05)}
    given = {("baseline", c): worse for c in registry.corrections_of("table_correction") if c != "none"}
    given["baseline", "combat"] = changed(ACROSS, 0.05, 0.07)
    found = correction_findings("table_correction", results(given))
    assert "more under " in found.removes[1]
    assert "less under" not in found.removes[1]
    assert found.best == "No correction clearly does."
    assert "; no correction is clearly better; no clear change: ComBat (55.0" in found.costs[0]


def test_headline_judges_no_change_that_has_no_error(results):
    """Of three batches there is none: the change is said, and no verdict."""
    given = {("baseline", "combat"): {ACROSS: 0.8, f"{ACROSS}_change": (0.3, np.nan)}}
    given["baseline", "tvn"] = changed(ACROSS, 0.2, 0.01)
    found = correction_findings("table_correction", results(given))
    line = next(line for line in found.costs if line.startswith("Replicates"))
    assert found.best == ""
    without = {("baseline", "combat"): {ACROSS: 0.8, f"{ACROSS}_change": (0.3, np.nan)}}
    without["baseline", "tvn"] = changed(WEAK, 0.1, 0.01)
    said = correction_findings("table_correction", results(without)).loss
    assert said.endswith("Of replicates nothing can be judged: too few batches.")
    assert found.choices[0] == "To take the batch out: too few batches to judge."
    assert "For replicates: clearly better than uncorrected: TVN; cannot be judged: " in found.choices[1]
    assert "; better: TVN (70.0: +20.0 [" in line
    assert "; too few batches to judge: ComBat (80.0: +30.0)." in line
    assert any("after correction for 1 comparison (Holm)." in line for line in found.sure)
    assert any(line.startswith("A change without brackets cannot be judged") for line in found.sure)


def test_headline_passes_over_corrections_that_a_metric_is_not_defined_for(results):
    given = {("baseline", "combat"): {ACROSS: np.nan}, ("baseline", "tvn"): changed(ACROSS, 0.2, 0.01)}
    found = correction_findings("table_correction", results(given))
    said = " ".join([*found.removes, *found.costs])
    assert "; better: TVN (70.0: +20.0" in said
    assert "ComBat" not in said
    assert "—" not in said


def test_headline_says_mechanism_where_the_screen_knows_of_it(results):
    registry = results().registry
    given = {(run.method, run.correction): {"nsc": 0.3, "nscb": 0.2} for run in registry.runs("table_correction")}
    given["baseline", "tvn"] = {"nsc": 0.3, "nscb": 0.4, "nscb_change": (0.2, 0.02), "nsc_change": (-0.1, 0.01)}
    found = correction_findings("table_correction", results(given))
    line, without_batch = (line for line in found.costs if line.startswith("Mechanism"))
    assert "(NSCB)): uncorrected 20.0 % [20.0 to 20.0], n = 40 profiles of a treatment in a batch" in line
    assert "; better: TVN (40.0: +20.0" in line
    assert "(NSC)): uncorrected 30.0 %" in without_batch
    assert "; worse: TVN (30.0: -10.0" in without_batch
    assert (
        found.loss == "Clear losses: mechanism (NSC) under TVN. Clear gains: mechanism across batches (NSCB) under TVN."
    )
    assert "For mechanism: clearly better by one number and worse by another: TVN." in " ".join(found.choices)
