import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index
from helpers.made_up import made_up_embeddings

from debatch.embedding_table import features_of, with_direction
from debatch.errors import DataError
from debatch.evaluate.embeddings import cosine_metrics, seen_batch_probes, training_side_probes, unseen_batch_probes
from debatch.evaluate.tidy import WITHIN, of_all

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


def test_training_and_validation_batches_are_probed_together_and_each_image_once(embeddings):
    """Two cell types of two batches, of which one is for validation: within a cell type there are two to tell apart."""
    embeddings["Metadata_CellType"] = embeddings["Metadata_Batch"].map({"E00": "A", "E01": "A"}).fillna("B")
    held_out = embeddings["Metadata_Batch"].isin(["E01", "E03"])
    scores = training_side_probes(embeddings[~held_out], embeddings[held_out], INDEX)
    overall = of_all(scores).set_index(["metric", "subset"])
    for probe in ("probe_lda", "probe_knn", "probe_mlp"):
        assert overall["n"][probe, "all"] == overall["n"][probe, WITHIN] == len(embeddings)
    assert overall["value"]["probe_guess", "all"] == pytest.approx(1 / 4)
    assert overall["value"]["probe_guess", WITHIN] == pytest.approx(1 / 2)
    assert overall["value"]["probe_lda", WITHIN] > 0.6
    with pytest.raises(DataError, match="among the training images and among the validation images"):
        training_side_probes(embeddings, embeddings[held_out], INDEX)


def test_training_side_probe_is_scored_on_other_wells(embeddings):
    """An embedding that marks its well and nothing else tells no batch of another well."""
    marks = np.random.default_rng(0).normal(size=(64, 32)).repeat(2, axis=0)
    plain = embeddings.drop(columns=[column for column in embeddings if column.startswith("embedding_")])
    marked = pd.concat([plain, pd.DataFrame(marks).add_prefix("embedding_")], axis=1)
    held_out = marked["Metadata_Batch"].isin(["E01", "E03"])
    scores = of_all(training_side_probes(marked[~held_out], marked[held_out], INDEX))
    read = scores.set_index(["metric", "subset"])["value"]
    assert max(read[probe, "all"] for probe in ("probe_lda", "probe_knn", "probe_mlp")) < 0.5


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
