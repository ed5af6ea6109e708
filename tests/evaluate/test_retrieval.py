import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from debatch.evaluate import replicate_map
from debatch.evaluate.replicates import retrieval
from debatch.evaluate.replicates.retrieval import replicate_precision

FROZEN = np.sin(0.7 * np.arange(40) + 0.2).reshape(8, 5)
FROZEN_PERTURBATIONS = np.array(list("aaabbccc"))


def made_up(seed, n=30, width=4):
    generator = np.random.default_rng(seed)
    columns = generator.integers(0, 4, n).astype(str), generator.integers(0, 3, n), generator.random(n) < 0.3
    return generator.normal(size=(n, width)), *columns


def by_scikit_learn(embeddings, perturbations, batches, controls):
    """A loop over queries, each with the labels and similarities of what it is to be told apart from."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    asking = np.ones(len(unit), bool) if controls is None else ~controls
    found = {}
    for query in np.flatnonzero(asking):
        same = (perturbations == perturbations[query]) & asking
        positive = same & (batches != batches[query])
        negative = ~same if controls is None else controls
        if positive.any() and negative.any():
            of = positive | negative
            similarity = np.round(unit @ unit[query], 12)
            precision = average_precision_score(positive[of], similarity[of])
            found.setdefault(perturbations[query], []).append(precision)
    rows = [(name, np.mean(values), len(values)) for name, values in sorted(found.items())]
    return pd.DataFrame(rows, columns=["perturbation", "map", "n"])


def same(first, second):
    assert first["perturbation"].tolist() == second["perturbation"].tolist()
    assert first["n"].tolist() == second["n"].tolist()
    np.testing.assert_allclose(first["map"].astype(float), second["map"].astype(float), atol=1e-9)


def test_map_of_copairs_by_its_frozen_values():
    found = replicate_map(FROZEN, FROZEN_PERTURBATIONS, np.arange(8)).set_index("perturbation")
    assert found["map"].to_dict() == pytest.approx({"a": 0.345238, "b": 0.154762, "c": 0.345238}, abs=1e-5)
    assert found["n"].tolist() == [3, 2, 3]
    precisions = [0.392857, 0.226190, 0.416667, 0.142857, 0.166667, 0.416667, 0.226190, 0.392857]
    one_by_one = replicate_precision(FROZEN, FROZEN_PERTURBATIONS, np.arange(8))
    np.testing.assert_allclose(one_by_one, precisions, atol=1e-5)


@pytest.mark.parametrize("with_controls", [False, True])
def test_map_is_that_of_copairs(with_controls):
    copairs = pytest.importorskip("copairs.map", reason="copairs is not installed")
    logging.getLogger("copairs").setLevel(logging.ERROR)
    embeddings, perturbations, batches, controls = made_up(0, n=80)
    meta = pd.DataFrame({"perturbation": perturbations, "batch": batches, "control": controls})
    if with_controls:
        meta.loc[controls, "perturbation"] = "control"
    against = ["control"] if with_controls else ["perturbation"]
    precisions = copairs.average_precision(
        meta, embeddings, ["perturbation"], ["batch"], [], against, progress_bar=False
    )
    asked = precisions[precisions["n_pos_pairs"] > 0]
    expected = asked.groupby("perturbation")["average_precision"].mean().drop("control", errors="ignore")
    found = replicate_map(embeddings, meta["perturbation"], batches, controls if with_controls else None)
    pd.testing.assert_series_equal(
        found.set_index("perturbation")["map"], expected, check_names=False, check_dtype=False, atol=1e-5
    )


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), with_controls=st.booleans(), copies=st.booleans(), block=st.integers(1, 9))
def test_map_is_that_of_scikit_learn_in_blocks_of_any_size(seed, with_controls, copies, block):
    embeddings, perturbations, batches, controls = made_up(seed)
    if copies:
        embeddings = embeddings[np.random.default_rng(seed).integers(0, 5, len(embeddings))]
    controls = controls if with_controls else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "_BLOCK", block)
        found = replicate_map(embeddings, perturbations, batches, controls)
    same(found, by_scikit_learn(embeddings, perturbations, batches, controls))


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_map_does_not_change_under_rotation_length_and_order(seed):
    embeddings, *columns = made_up(seed)
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    scales, order = generator.uniform(0.1, 10, (30, 1)), generator.permutation(30)
    changed = replicate_map((embeddings @ rotation * scales)[order], *(column[order] for column in columns))
    same(changed, replicate_map(embeddings, *columns))


def test_embeddings_that_are_all_the_same_get_the_share_of_positives():
    """copairs ranks positives before negatives that are as similar, and says 1."""
    found = replicate_map(np.ones((9, 3)), np.repeat(["a", "b", "c"], 3), np.arange(9))
    np.testing.assert_allclose(found["map"], 2 / 8)


def test_shuffled_perturbations_give_chance_and_replicates_that_are_close_give_1():
    generator = np.random.default_rng(0)
    perturbations, batches = np.repeat(np.arange(30), 6), np.tile(np.arange(6), 30)
    centres = generator.normal(size=(30, 40))
    embeddings = centres[perturbations] + 0.05 * generator.normal(size=(180, 40))
    assert (replicate_map(embeddings, perturbations, batches)["map"] == 1).all()
    shuffled = replicate_map(embeddings, generator.permutation(perturbations), batches)["map"].mean()
    assert shuffled == pytest.approx(5 / 179, abs=0.04)


def test_without_a_replicate_in_another_batch_a_perturbation_is_left_out():
    batches = np.array([0, 0, 1, 0, 0, 0, 1, 2])
    found = replicate_map(FROZEN, FROZEN_PERTURBATIONS, batches)
    assert found["perturbation"].tolist() == ["a", "c"]
    empty = replicate_map(FROZEN, FROZEN_PERTURBATIONS, np.zeros(8))
    assert empty.empty
    assert empty.columns.tolist() == found.columns.tolist()
    no_negatives = replicate_map(FROZEN, FROZEN_PERTURBATIONS, np.arange(8), np.zeros(8, bool))
    assert no_negatives.empty


def test_embeddings_without_a_direction_are_left_out():
    embeddings, *columns = made_up(3)
    embeddings[[1, 5]] = [[0], [np.nan]]
    embeddings[7, 2] = np.inf
    kept = np.delete(np.arange(30), [1, 5, 7])
    same(replicate_map(embeddings, *columns), replicate_map(embeddings[kept], *(column[kept] for column in columns)))


def test_lengths_must_match():
    with pytest.raises(ValueError, match="8 embeddings, but 7 batches"):
        replicate_map(FROZEN, FROZEN_PERTURBATIONS, np.arange(7))
