import numpy as np
import pandas as pd
import pytest
from helpers.embeddings import scored, screen

from debatch.config.corrections import Sphering, Tvn, ZNorm
from debatch.correct.apply import correct_table
from debatch.evaluate.controls import without_half
from debatch.evaluate.corrected import score_corrected
from debatch.evaluate.scores import Uncorrected, score_embeddings
from debatch.evaluate.tidy import ALL, of_all


def test_without_a_batch_effect_nothing_tells_the_batch():
    values = scored(screen())
    assert values["kbet"] > 0.9
    assert values["kbet_controls"] > 0.9
    assert values["neighbor_same_batch"] == pytest.approx(values["neighbor_same_batch_chance"], abs=0.06)
    assert values["neighbor_same_batch_chance"] == pytest.approx(0.2)
    assert values["replicate_across_batches_chance"] == pytest.approx(1 / 8)
    assert values["replicate_across_batches"] > 0.99
    assert values["replicate_map"] > 0.99
    assert values["separability"] > 0.99


def test_a_strong_batch_effect_shows_in_every_batch_metric():
    values = scored(screen(shift=8))
    assert values["kbet"] < 0.05
    assert values["kbet_controls"] < 0.05
    assert values["neighbor_same_batch"] > 0.95
    assert values["replicate_across_batches"] < 0.6
    assert values["replicate_map"] < 0.9


def test_perturbations_without_an_effect_are_at_chance():
    values = scored(screen(strength=0))
    assert values["separability"] == pytest.approx(0.5, abs=0.06)
    assert values["weak_separability"] == pytest.approx(0.5, abs=0.1)
    assert values["grit"] == pytest.approx(0, abs=0.3)
    assert values["replicate_across_batches"] == pytest.approx(1 / 8, abs=0.12)


def test_over_correction_is_seen():
    """What takes the drugs' direction away takes separability with it, though batches mix better than ever."""
    before = screen(shift=2)
    before["Metadata_WellType"] = before["Metadata_WellType"].mask(
        before["Metadata_Perturbation"].isin(["drug0", "drug1"]), "positive_control"
    )
    noise = np.random.default_rng(1).normal(size=(len(before), 16))
    after = before.assign(**{f"f{n}": noise[:, n].astype(np.float32) for n in range(16)})
    values, kept = scored(before, after), scored(before)
    assert values["kbet"] > 0.9
    assert kept["positive_control_retention"] == pytest.approx(1)
    assert abs(values["positive_control_retention"]) < 0.35
    assert kept["weak_separability"] > 0.9
    assert values["weak_separability"] == pytest.approx(0.5, abs=0.1)


def test_cell_types_are_looked_at_by_themselves():
    """Two cell types whose batches have nothing in common: across them everything would tell the batch."""
    both = screen(kinds=("A", "B"))
    features = [f"f{n}" for n in range(16)]
    both.loc[both["Metadata_CellType"] == "B", features] += 50
    values = scored(both)
    assert values["kbet"] > 0.9
    assert values["neighbor_same_batch_chance"] == pytest.approx(0.2)
    assert values["separability"] > 0.98


def test_a_cell_type_of_one_batch_says_nothing_of_batches():
    both = screen(batches=4, kinds=("A", "B"))
    both = both[(both["Metadata_CellType"] == "A") | (both["Metadata_Batch"] == "B0")].reset_index(drop=True)
    scores = score_embeddings(both, both)
    told = scores[scores["metric"].isin(["kbet", "neighbor_same_batch"]) & (scores["batch"] != ALL)]
    assert set(told["batch"]) == {f"A{n}" for n in range(4)}


def test_order_of_rows_changes_nothing():
    before = screen(shift=2)
    order = np.random.default_rng(0).permutation(len(before))
    first = score_embeddings(before, before).set_index(["metric", "batch"])
    second = score_embeddings(before, before.iloc[order].reset_index(drop=True)).set_index(["metric", "batch"])
    pd.testing.assert_frame_equal(first.drop("weak_separability"), second.drop("weak_separability"), rtol=1e-5)


def test_every_metric_is_there_and_what_is_not_defined_is_nan():
    scores = scored(screen())
    numbers = [
        "kbet", "kbet_controls", "neighbor_same_batch", "neighbor_same_batch_controls", "replicate_across_batches",
        "replicate_map", "grit", "separability", "weak_separability",
    ]  # fmt: skip
    assert np.isfinite(scores[numbers]).all()
    assert np.isnan(scores["positive_control_retention"])


@pytest.mark.parametrize("lacking", ["controls", "batches", "labels"])
def test_a_screen_that_lacks_something_lacks_the_metrics_of_it_and_no_others(lacking):
    table = screen()
    if lacking == "controls":
        table = table[table["Metadata_WellType"] == "treatment"].reset_index(drop=True)
        undefined, defined = (
            ["kbet_controls", "replicate_map", "grit", "separability"],
            ["kbet", "replicate_across_batches"],
        )
    elif lacking == "batches":
        table = table[table["Metadata_Batch"] == "A0"].reset_index(drop=True)
        undefined, defined = ["kbet", "neighbor_same_batch", "replicate_map"], ["grit", "separability"]
    else:
        table["Metadata_Perturbation"] = None
        table["Metadata_WellType"] = "treatment"
        undefined, defined = ["grit", "replicate_across_batches", "replicate_map"], ["kbet"]
    values = scored(table)
    assert values[undefined].isna().all()
    assert values[defined].notna().all()


def test_embeddings_that_are_not_finite_are_left_out_and_counted():
    table = screen()
    table.loc[3, "f0"] = np.nan
    values = scored(table)
    assert values["left_out"] == 1
    assert values["kbet"] > 0.9


def test_embeddings_that_are_all_zero_find_nothing():
    """A network that gives up on images is not to gain by it."""
    table = screen()
    features = [f"f{n}" for n in range(16)]
    gave_up = table["Metadata_Perturbation"].isin(["drug0", "drug1"])
    table.loc[gave_up, features] = 0
    assert scored(table)["replicate_across_batches"] == pytest.approx(6 / 8, abs=0.01)


def test_a_correction_is_not_held_against_the_controls_that_it_was_fitted_on():
    """Noise alone, few controls, each treatment in one batch: against its own controls it would seem to stand out."""
    table = screen(batches=4, drugs=6, wells=1, sites=1, strength=0, width=60)
    own = table["Metadata_Perturbation"] + "_" + table["Metadata_Batch"]
    treated = table["Metadata_WellType"] == "treatment"
    table["Metadata_Perturbation"] = table["Metadata_Perturbation"].where(
        ~treated, own.str.replace("[1-5]_", "0_", regex=True)
    )
    more = table[~treated].assign(Metadata_Image=lambda rows: rows["Metadata_Image"] + "x", Metadata_Well="x")
    noise = np.random.default_rng(3).normal(size=(len(more), 60)).astype(np.float32)
    table = pd.concat([table, more.assign(**{f"f{n}": noise[:, n] for n in range(60)})], ignore_index=True)
    znorm = ZNorm(kind="znorm", reference="controls")
    held_out = [correct_table(without_half(table, half), znorm) for half in (0, 1)]
    flattered = scored(table, correct_table(table, znorm))["separability"]
    fair = score_embeddings(table, correct_table(table, znorm), held_out)
    fair = of_all(fair).set_index("metric")["value"]["separability"]
    assert flattered > 0.6
    assert fair < flattered - 0.1
    scores = score_corrected(Uncorrected(table), correct_table(table, znorm), znorm)
    assert of_all(scores).set_index("metric")["value"]["separability"] == pytest.approx(fair)


@pytest.mark.parametrize("correction", [ZNorm(kind="znorm"), Sphering(kind="sphering"), Tvn(kind="tvn")])
def test_positive_controls_are_not_scored_by_a_fit_that_they_are_in(correction):
    """Pure noise, few wells, many features: those that were fitted on lie nearer to the middle than held-out ones, and
    would seem to stand out less than by chance (0.34 to 0.39)."""
    found = []
    for seed in range(4):
        table = screen(batches=4, drugs=4, wells=2, sites=1, strength=0, width=128, seed=seed)
        table["Metadata_WellType"] = table["Metadata_WellType"].replace("treatment", "positive_control")
        scores = score_corrected(Uncorrected(table), correct_table(table, correction), correction)
        found.append(of_all(scores).set_index("metric")["value"]["separability"])
    assert 0.45 < np.mean(found) < 0.6


def test_controls_are_not_neighbours_by_a_fit_that_they_are_in():
    """Pure noise: a batch's own mean taken away sets its controls apart from each other, and nearer to all others'."""
    table = screen(batches=4, drugs=2, wells=4, sites=1, strength=0, width=64)
    znorm = ZNorm(kind="znorm", reference="controls")
    scores = of_all(score_corrected(Uncorrected(table), correct_table(table, znorm), znorm)).set_index("metric")
    assert scores.loc["neighbor_same_batch_controls", "value"] > 0.12
    flattered = of_all(score_embeddings(table, correct_table(table, znorm))).set_index("metric")
    assert flattered.loc["neighbor_same_batch_controls", "value"] < 0.1


def test_weak_ones_are_a_quarter_where_few_controls_leave_ties():
    """All stand out from the two controls that each half of a batch has: by these alone, all would be the weakest."""
    table = screen(batches=4, drugs=16, wells=2, sites=1, strength=6)
    control = table["Metadata_WellType"] == "negative_control"
    table = pd.concat([table[~control], table[control].groupby("Metadata_Batch").head(4)], ignore_index=True)
    scores = of_all(score_embeddings(table, table)).set_index("metric")
    assert scores.loc["separability", "value"] > 0.99
    assert 4 <= scores.loc["weak_separability", "n"] <= 12


def test_wells_that_differ_are_no_batch_effect():
    """With all images of a well as each other's neighbours k-BET would reject a third of them."""
    table = screen(strength=0, sites=4)
    wells = table.groupby(["Metadata_Batch", "Metadata_Well"]).ngroup().to_numpy()
    features = [f"f{n}" for n in range(16)]
    table[features] += (2 * np.random.default_rng(0).normal(size=(wells.max() + 1, 16)))[wells].astype(np.float32)
    assert scored(table)["kbet"] > 0.92


def test_halves_of_the_controls_share_no_well():
    table = screen()
    held = [without_half(table, half)["Metadata_WellType"] == "held_out" for half in (0, 1)]
    assert not (held[0] & held[1]).any()
    assert ((held[0] | held[1]) == (table["Metadata_WellType"] == "negative_control")).all()
    places = table["Metadata_Plate"] + table["Metadata_Well"]
    assert not set(places[held[0]]) & set(places[held[1]])
    assert table.loc[held[0], "Metadata_Batch"].nunique() == table["Metadata_Batch"].nunique()


def test_without_controls_to_hold_out_nothing_is_held_against_them():
    table = screen()
    values = score_embeddings(table, table, [])
    values = of_all(values).set_index("metric")["value"]
    assert values[["grit", "replicate_map", "separability", "kbet_controls"]].isna().all()
    assert values[["kbet", "replicate_across_batches"]].notna().all()


def test_change_is_of_the_same_rows_and_sure_only_where_compounds_agree():
    before, after = screen(shift=6), screen(shift=0)
    scores = score_embeddings(before, after).set_index(["metric", "batch"])
    change = scores.loc[("replicate_across_batches_change", ALL)]
    values = [scored(table)["replicate_across_batches"] for table in (before, after)]
    assert change["value"] == pytest.approx(values[1] - values[0])
    assert 0 < change["low"] <= change["value"] <= change["high"]
    same = score_embeddings(before, before).set_index(["metric", "batch"]).loc[("grit_change", ALL)]
    assert (same["value"], same["low"], same["high"]) == (0, 0, 0)


def test_changes_of_controls_are_judged_by_batches():
    """They are of one perturbation, so that none is drawn: without an error a correction could not be told to work."""
    scores = of_all(score_embeddings(screen(shift=6), screen(shift=0))).set_index("metric")
    change = scores.loc["neighbor_same_batch_controls_change"]
    assert change["high"] < 0
    assert change["freedom"] == 4
    assert scores.loc["kbet_controls_change", "low"] > 0


def test_chance_bars_what_either_column_bars():
    """Wells whose compound is not known still bar those of their perturbation."""
    table = screen(batches=2, drugs=3, wells=1, sites=1)
    table["Metadata_Compound"] = table["Metadata_Perturbation"].where(table["Metadata_Perturbation"] != "drug0")
    # two batches of three drugs: of the four of other drugs, two are of the same batch
    assert scored(table)["neighbor_same_batch_chance"] == pytest.approx(0.5)


def mechanisms(rows):
    """Wells of one image: batch, drug, compound, mechanism and a direction in degrees."""
    table = pd.DataFrame(rows, columns=["Batch", "Perturbation", "Compound", "Mechanism", "angle"])
    angles = np.radians(table.pop("angle").to_numpy(float))
    table = table.add_prefix("Metadata_")
    table["Metadata_Image"] = table["Metadata_Well"] = [f"w{n}" for n in range(len(table))]
    table["Metadata_Experiment"] = table["Metadata_Plate"] = table["Metadata_Batch"]
    table["Metadata_Site"], table["Metadata_CellType"], table["Metadata_Label"] = "1", "A", 0
    table["Metadata_WellType"] = np.where(table["Metadata_Mechanism"] == "none", "negative_control", "treatment")
    return table.assign(f0=np.cos(angles).astype(np.float32), f1=np.sin(angles).astype(np.float32))


def test_mechanisms_by_hand():
    """Of another compound: a_1 -> b, a_2 -> b, c -> d and d -> c are right, b -> e is wrong; e could never be right.

    Of another batch too: a_1 -> b, a_2 -> b and b -> a_2 are right; c, d and e could never be.
    """
    rows = [
        ("X", "a_1", "a", "actin", 0), ("X", "a_2", "a", "actin", 10), ("Y", "b_1", "b", "actin", 15),
        ("X", "c_1", "c", "tubulin", 100), ("X", "d_1", "d", "tubulin", 105), ("Y", "e_1", "e", "unique", 18),
        ("X", "dmso", "dmso", "none", 60), ("Y", "dmso", "dmso", "none", 60),
    ]  # fmt: skip
    scores = score_embeddings(mechanisms(rows), mechanisms(rows))
    found = of_all(scores).set_index("metric")
    assert found.loc["nsc", "n"] == 5
    assert found.loc["nsc", "value"] == pytest.approx(4 / 5)
    assert found.loc["nscb", "n"] == 3
    assert found.loc["nscb", "value"] == pytest.approx(1)


def test_mechanism_is_of_the_mean_profile_of_a_treatment():
    rows = [
        ("X", "a_1", "a", "actin", -40), ("Y", "a_1", "a", "actin", 40), ("X", "b_1", "b", "actin", 5),
        ("X", "c_1", "c", "tubulin", 45), ("Y", "d_1", "d", "tubulin", 60),
    ]  # fmt: skip
    scores = score_embeddings(mechanisms(rows), mechanisms(rows))
    found = of_all(scores).set_index("metric")
    assert (found.loc["nsc", "n"], found.loc["nsc", "value"]) == (4, 1)
    # by batch the second a is nearest to c
    assert found.loc["nscb", "value"] < 1
