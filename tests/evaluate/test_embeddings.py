import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index
from helpers.made_up import made_up_embeddings

from debatch.embedding_table import features_of, with_direction
from debatch.evaluate.embeddings import cosine_metrics, seen_batch_probes, unseen_batch_probes
from debatch.evaluate.tidy import of_all

INDEX = make_index(experiments=4, wells=16, sites=2)


@pytest.fixture
def embeddings():
    return made_up_embeddings(INDEX)


def cell(numbers, metric, subset="all"):
    return numbers[(numbers["metric"] == metric) & (numbers["subset"] == subset)].iloc[0]


def test_cosine_metrics_are_tidy_and_the_histograms_hold_every_pair(embeddings):
    numbers, histograms = cosine_metrics(embeddings)
    images = len(embeddings)
    kinds = ["same_within", "different_within", "same_across", "different_across"]
    assert histograms[kinds].to_numpy().sum() == images * (images - 1) // 2
    one_well = images // 2  # two sites a well
    others = histograms[[f"other_wells_{kind}" for kind in kinds]].to_numpy().sum()
    assert others == images * (images - 1) // 2 - one_well
    row = cell(numbers, "ks_same_perturbation")
    assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1
    assert row["n"] == histograms["same_across"].sum()


def test_all_zero_embeddings_and_unknown_perturbations_are_left_out(embeddings):
    features = [column for column in embeddings if column.startswith("embedding_")]
    embeddings.loc[:2, features] = np.float32(0)
    embeddings.loc[5, "Metadata_Perturbation"] = None
    numbers, histograms = cosine_metrics(embeddings)
    assert cell(numbers, "left_out")["value"] == 3
    left = len(embeddings) - 4
    assert histograms[["same_within", "different_within", "same_across", "different_across"]].to_numpy().sum() == (
        left * (left - 1) // 2
    )
    embeddings.loc[7, features[0]] = np.nan
    assert len(with_direction(embeddings)) == len(embeddings) - 4
    for scores in (seen_batch_probes(embeddings, embeddings), unseen_batch_probes(embeddings, INDEX)):
        assert 0 < of_all(scores).set_index(["metric", "subset"])["n"]["probe_lda", "all"] <= len(embeddings) - 4
        assert of_all(scores)["value"].notna().all()


def test_unseen_probe_looks_at_two_of_four_quarters_of_wells_in_any_order(embeddings):
    scores = unseen_batch_probes(embeddings, INDEX)
    assert of_all(scores).set_index(["metric", "subset"])["n"]["probe_lda", "all"] == 4 * 16
    shuffled = unseen_batch_probes(embeddings.sample(frac=1, random_state=0), INDEX.sample(frac=1, random_state=1))
    lda = scores["metric"] == "probe_lda"
    pd.testing.assert_frame_equal(shuffled[lda], scores[lda])


def test_features_are_every_column_that_is_no_metadata(embeddings):
    assert features_of(embeddings).shape == (128, 6)


def test_one_batch_has_nothing_to_compare(embeddings):
    one = embeddings[embeddings["Metadata_Batch"] == "E00"]
    numbers, _ = cosine_metrics(one)
    assert np.isnan(cell(numbers, "ks_same_perturbation")["value"])
    scores = of_all(unseen_batch_probes(one, INDEX)).set_index(["metric", "subset"])["value"]
    assert np.isnan(scores["probe_lda", "all"])
    assert np.isnan(scores["probe_guess", "all"])


def test_nothing_left_has_no_score(embeddings):
    scores = unseen_batch_probes(embeddings[:0], INDEX)
    assert scores["value"].isna().all()
