"""Classifiers of embeddings, and how batches mix: what they are fitted on, and what they must not depend on."""

import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index
from sklearn.neighbors import KNeighborsClassifier

from debatch.embedding_table import embedding_table
from debatch.errors import DataError
from debatch.evaluate.metrics import OF_READOUTS
from debatch.evaluate.readouts import readout_scores
from debatch.evaluate.tidy import ALL, of_all

INDEX = make_index(experiments=6, wells=24, sites=2)
TESTED = INDEX["batch"].isin(["E04", "E05"]).to_numpy()


def made_up(shift=3.0, scale=1.0, seed=0, labels=None, width=12):
    """Embeddings whose direction tells the label; each batch shifted and stretched by its own."""
    generator = np.random.default_rng(seed)
    labels = INDEX["label"].to_numpy(int) if labels is None else labels
    batches = pd.factorize(INDEX["batch"])[0]
    centres = generator.normal(size=(labels.max() + 1, width))
    shifts, scales = generator.normal(size=(6, width)), np.exp(scale * generator.normal(size=(6, width)) / 2)
    noise = 0.25 * generator.normal(size=(len(labels), width))
    return embedding_table(INDEX, (centres[labels] + noise) * scales[batches] + shift * shifts[batches])


def scores(table):
    found = readout_scores(table[~TESTED].reset_index(drop=True), table[TESTED].reset_index(drop=True))
    whole = of_all(found)
    return found, whole[whole["subset"] == "all"].set_index("metric")["value"]


def test_a_batch_effect_spoils_neighbours_and_standardisation_by_controls_mends_them():
    _, clean = scores(made_up(shift=0.0, scale=0.0))
    found, spoilt = scores(made_up())
    assert clean["knn_accuracy"] > 0.95
    assert clean["neighbor_same_batch_train"] < 0.4
    assert spoilt["knn_accuracy"] < 0.5
    assert spoilt["znorm_knn_accuracy"] > spoilt["knn_accuracy"] + 0.3
    assert spoilt["neighbor_same_batch_train"] > 0.95
    assert spoilt["kbet_train"] < 0.05 < clean["kbet_train"]
    assert spoilt["neighbor_same_batch_test_znorm"] < spoilt["neighbor_same_batch_test"]
    known = {*OF_READOUTS, *(f"{name}_chance" for name in OF_READOUTS)} - {"nsc", "nsc_znorm"}
    assert set(found["metric"]) <= known
    assert 0.2 < spoilt["neighbor_same_batch_train_chance"] < 0.3  # four batches


def test_neighbours_are_those_that_scikit_learn_finds_and_accuracies_are_by_batch():
    table = made_up(shift=1.0)
    found, whole = scores(table)
    features, names = table.filter(like="embedding_").to_numpy(), table["Metadata_Perturbation"].to_numpy(str)
    oracle = KNeighborsClassifier(10, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.1))
    right = oracle.fit(features[~TESTED], names[~TESTED]).predict(features[TESTED]) == names[TESTED]
    assert whole["knn_accuracy"] == pytest.approx(right.mean())
    own = found[(found["metric"] == "knn_accuracy") & (found["subset"] == "all") & (found["cell_type"] == ALL)]
    by_batch = own[own["batch"] != ALL].set_index("batch")["value"]
    batches = INDEX["batch"].to_numpy()[TESTED]
    assert by_batch.to_dict() == pytest.approx({name: right[batches == name].mean() for name in ("E04", "E05")})


def test_each_batch_is_standardised_by_all_of_its_controls_whatever_the_order_of_images():
    table = made_up()
    features = [column for column in table if column.startswith("embedding_")]
    by_hand = table.copy()
    for _, own in table.groupby("Metadata_Batch"):
        controls = own.loc[own["Metadata_WellType"] != "treatment", features]
        by_hand.loc[own.index, features] = (own[features] - controls.mean()) / controls.std(ddof=0)
    _, whole = scores(table)
    assert whole["znorm_knn_accuracy"] == pytest.approx(scores(by_hand)[1]["knn_accuracy"])
    shuffled = table.sample(frac=1, random_state=1)
    tested = shuffled["Metadata_Batch"].isin(["E04", "E05"])
    again = readout_scores(shuffled[~tested].reset_index(drop=True), shuffled[tested].reset_index(drop=True))
    ordered = readout_scores(table[~TESTED].reset_index(drop=True), table[TESTED].reset_index(drop=True))
    pd.testing.assert_frame_equal(again, ordered, check_exact=False, rtol=1e-9)


def test_labels_that_mean_nothing_give_chance():
    _, whole = scores(made_up(labels=np.random.default_rng(3).permutation(INDEX["label"].to_numpy(int))))
    most = INDEX["label"].value_counts(normalize=True).max()
    for metric in ("linear_accuracy", "knn_accuracy", "znorm_knn_accuracy", "znorm_all_knn_accuracy"):
        assert whole[metric] < most + 0.15, metric


def test_batches_without_controls_go_without_what_is_standardised_by_them(caplog):
    table = made_up()
    table.loc[TESTED, "Metadata_WellType"] = "treatment"
    _, whole = scores(table)
    assert not {"znorm_knn_accuracy", "kbet_test_znorm", "grit_test_znorm"} & set(whole.index)
    assert "znorm_all_knn_accuracy" in whole.index
    assert "are left out" in caplog.text
    table["Metadata_Perturbation"] = None
    with pytest.raises(DataError, match="no training image"):
        scores(table)
