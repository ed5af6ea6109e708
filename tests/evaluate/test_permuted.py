import numpy as np
import pandas as pd
import pytest
from helpers.embeddings import screen
from hypothesis import given, settings
from hypothesis import strategies as st

from debatch.embedding_table import images_of
from debatch.evaluate.batch_effect.permuted import permuted_batches
from debatch.evaluate.scores import score_embeddings
from debatch.evaluate.tidy import of_all

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
    assert movable.all()
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
