import numpy as np
import pandas as pd
import pytest
from helpers.embeddings import screen
from hypothesis import given, settings
from hypothesis import strategies as st

from debatch.embedding_table import features_of, images_of
from debatch.evaluate.batch_effect.permuted import permuted_batches
from debatch.evaluate.embeddings import cosine_metrics, seen_batch_probes, unseen_batch_probes
from debatch.evaluate.replicates.cosine import cosine_similarity_distributions, kolmogorov_smirnov, wasserstein
from debatch.evaluate.replicates.permuted_cosine import permuted_distances
from debatch.evaluate.scores import score_embeddings
from debatch.evaluate.tidy import of_all
from debatch.screen.names.identifiers import well_ids

METRICS = ["kbet", "kbet_controls", "neighbor_same_batch", "neighbor_same_batch_controls"]


def found(table):
    return of_all(score_embeddings(table, table)).set_index("metric")


def test_without_a_batch_effect_every_batch_metric_is_as_under_permuted_batches():
    scores = found(screen(strength=0))
    for metric in METRICS:
        band = scores.loc[f"{metric}_permuted"]
        assert band["low"] < band["value"] < band["high"]
        # wider than 95 %: four metrics are asked at once
        assert band["low"] - 0.02 < scores.loc[metric, "value"] < band["high"] + 0.02, metric


def test_a_batch_effect_lies_outside_of_what_permuted_batches_give():
    scores = found(screen(shift=2, strength=1))
    for metric in METRICS:
        band, value = scores.loc[f"{metric}_permuted"], scores.loc[metric, "value"]
        assert value < band["low"] - 0.2 if metric.startswith("kbet") else value > band["high"] + 0.2, metric


def test_where_perturbations_are_in_one_batch_nothing_can_be_permuted():
    """Their differences would look like a batch effect, or hide one; controls, which are everywhere, still can be."""
    table = screen()
    own = (
        table["Metadata_Batch"].str[1:].astype(int)
        == table["Metadata_Perturbation"].str[-1:].replace("O", "0").astype(int) % 5
    )
    table = table[own | (table["Metadata_WellType"] == "negative_control")].reset_index(drop=True)
    scores = found(table)
    assert np.isnan(scores.loc["neighbor_same_batch_permuted", "value"])
    assert scores.loc["neighbor_same_batch_permuted", "n"] == 0
    assert np.isfinite(scores.loc["kbet_controls_permuted", "value"])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**16))
def test_permuting_keeps_the_design_and_a_wells_images_together(seed):
    rng = np.random.default_rng(seed)
    images = images_of(screen(batches=3, drugs=3, wells=2, kinds=("A", "B"), width=2))
    images.loc[rng.random(len(images)) < 0.1, "perturbation"] = None
    wells = images["experiment"] + images["well"]
    images = images[images["perturbation"].notna().groupby(wells).transform("all")]
    images = images.iloc[rng.permutation(len(images))].reset_index(drop=True)
    batches, movable = permuted_batches(images, draws=3)
    several = images.groupby(["cell_type", "perturbation"])["batch"].transform("nunique") > 1
    assert (movable == several.to_numpy()).all()
    design = ["cell_type", "perturbation", "well_type"]
    as_it_is = images[design].assign(batch=batches[:, 0]).value_counts()
    for draw in batches.T[1:]:
        assert (pd.Series(draw).groupby((images["experiment"] + images["well"]).to_numpy()).nunique() == 1).all()
        pd.testing.assert_series_equal(
            images[design].assign(batch=draw).value_counts().sort_index(), as_it_is.sort_index()
        )


def test_permutations_do_not_depend_on_the_order_of_images():
    images = images_of(screen(batches=3, drugs=3, wells=2, width=2))
    order = np.random.default_rng(0).permutation(len(images))
    first, second = permuted_batches(images), permuted_batches(images.iloc[order].reset_index(drop=True))
    assert (first.batches[order] == second.batches).all()
    assert (first.batches[:, 1:] != first.batches[:, :1]).mean() == pytest.approx(2 / 3, abs=0.1)


def test_cosine_distances_under_permuted_batches_are_those_of_permuted_files():
    """By the function that the distances themselves come from, one permutation after the other."""
    table = screen(batches=3, drugs=3, wells=2, sites=2, shift=2, kinds=("A", "B"), width=4)
    images, features = images_of(table), features_of(table)
    dealt = permuted_batches(images, draws=3).batches[:, 1:]
    columns = [images[name].to_numpy(str) for name in ("perturbation", "cell_type")]
    found = permuted_distances(features, columns[0], dealt, columns[1], well_ids(images))
    assert len(found) == 8
    for (measure, perturbation, one_well), values in found.items():
        for draw, value in zip(dealt.T, values, strict=True):
            alone = cosine_similarity_distributions(features, columns[0], draw, columns[1], well_ids(images))
            histograms = alone.histograms(one_well)
            sides = (histograms[f"{perturbation}_{where}"] for where in ("within", "across"))
            assert value == pytest.approx((kolmogorov_smirnov if measure == "ks" else wasserstein)(*sides))


def test_a_batch_effect_sets_cosines_apart_and_none_does_not():
    for shift, low, high in ((0, 0, 1.2), (2, 3, np.inf)):
        numbers, _ = cosine_metrics(screen(shift=shift, strength=1))
        values = numbers[numbers["subset"] == "other_wells"].set_index("metric")
        for metric in ("ks_same_perturbation", "ks_different_perturbation"):
            permuted = values.loc[f"{metric}_permuted"]
            assert permuted["low"] <= permuted["value"] <= permuted["high"]
            assert low * permuted["high"] <= values.loc[metric, "value"] <= high * permuted["high"], metric
        assert (values.loc["ks_controls", "value"] > 0.2) == (shift > 0)


@pytest.mark.parametrize("seen", [True, False])
def test_probes_of_permuted_batches_and_of_controls(seen):
    """A batch effect of the treated wells alone: probes read it, but neither of permuted batches nor of controls."""
    table = screen(batches=3, drugs=6, wells=4, width=8)
    treated = table["Metadata_WellType"] == "treatment"
    features = [f"f{n}" for n in range(8)]
    shifts = 8 * np.random.default_rng(1).normal(size=(3, 8))
    shift = shifts[table["Metadata_Batch"].str[1:].astype(int)]
    table[features] += (shift * treated.to_numpy()[:, None]).astype(np.float32)
    if seen:
        held = table["Metadata_Well"].str.endswith(("_2", "_3"))
        scores = seen_batch_probes(table[~held], table[held])
    else:
        scores = unseen_batch_probes(table, images_of(table))
    values = of_all(scores).set_index(["metric", "subset"])
    for probe in ("probe_lda", "probe_knn", "probe_mlp"):
        assert values.loc[(probe, "all"), "value"] > 0.65
        permuted = values.loc[(f"{probe}_permuted", "all")]
        assert 0.2 < permuted["low"] <= permuted["value"] <= permuted["high"] < 0.48
        assert values.loc[(f"{probe}_controls", "all"), "value"] < 0.65
    assert (values.loc[("probe_lda", "all"), ["low", "high"]].isna()).all()
