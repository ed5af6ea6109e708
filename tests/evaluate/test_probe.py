import numpy as np
import pandas as pd
import pytest

from debatch.evaluate.batch_effect.probe import batch_probe, probe_seen_batches, probe_unseen_batches
from debatch.evaluate.tidy import WITHIN


def planted(shift, n=600, batches=4, width=16, seed=0):
    """Embeddings whose batch shifts them."""
    generator = np.random.default_rng(seed)
    of = generator.integers(0, batches, n)
    return generator.normal(size=(n, width)) + shift * generator.normal(size=(batches, width))[of], of


def images_of(batches, cell_types=None):
    kinds = np.full(len(batches), "A") if cell_types is None else cell_types
    return pd.DataFrame({"batch": batches.astype(str), "cell_type": kinds})


def row(scores, metric="probe_lda", subset="all", cell_type=""):
    return scores.set_index(["metric", "subset", "cell_type", "batch"]).loc[(metric, subset, cell_type, "")]


def value(*which, **of):
    return row(*which, **of)["value"]


def across_sides(embeddings, batches, side, metric="probe_lda"):
    return value(probe_unseen_batches(embeddings, images_of(batches), side), metric)


def test_probe_finds_a_planted_batch_and_nothing_where_there_is_none():
    for shift, low, high in ((2.0, 0.95, 1.0), (0.0, 0.15, 0.35)):
        embeddings, batches = planted(shift)
        accuracy = batch_probe(embeddings[:400], batches[:400], embeddings[400:], batches[400:])
        assert low <= accuracy <= high
        for metric in ("probe_lda", "probe_knn"):
            assert low <= across_sides(embeddings, batches, np.arange(600) % 2 == 0, metric) <= high


def test_shuffled_batches_give_chance():
    embeddings, batches = planted(2.0)
    shuffled = np.random.default_rng(1).permutation(batches)
    assert batch_probe(embeddings[:400], shuffled[:400], embeddings[400:], shuffled[400:]) < 0.35
    some, side = slice(300), np.arange(300) % 2 == 0
    assert across_sides(embeddings[some], batches[some], side, "probe_mlp") > 0.95
    assert 0.15 < across_sides(embeddings[some], shuffled[some], side, "probe_mlp") < 0.35


def test_mlp_reads_a_batch_that_shows_only_in_how_two_features_go_together(recwarn):
    """Each feature alone has the same distribution in both batches, so that no linear probe can tell them."""
    features = np.random.default_rng(0).normal(size=(600, 8))
    batches = (features[:, 0] * features[:, 1] > 0).astype(int)
    side = np.arange(600) % 2 == 0
    read = {probe: across_sides(features, batches, side, f"probe_{probe}") for probe in ("lda", "mlp")}
    assert read["lda"] < 0.6
    assert read["mlp"] > 0.75
    assert across_sides(features, batches, side, "probe_mlp") == read["mlp"], "the same numbers give the same"
    assert not recwarn


def test_scale_of_a_feature_and_a_constant_one_do_not_matter():
    embeddings, batches = planted(0.3)
    scaled = embeddings * np.logspace(-3, 3, 16)
    scaled = np.c_[scaled, np.full(600, 7.0)]
    first = batch_probe(embeddings[:400], batches[:400], embeddings[400:], batches[400:])
    assert batch_probe(scaled[:400], batches[:400], scaled[400:], batches[400:]) == pytest.approx(first, abs=0.02)


@pytest.mark.parametrize("metric", ["probe_lda", "probe_knn", "probe_mlp"])
def test_statistics_of_their_own_on_each_side_tell_nothing_where_there_is_no_batch(metric):
    """A sample's own mean is subtracted, as batch statistics do: shared by both sides, it would be a batch's mark."""
    generator = np.random.default_rng(0)
    batches, quarter = np.repeat(np.arange(4), 100), np.tile(np.arange(100) // 25, 4)
    features = generator.normal(size=(400, 128))
    looked_at, side = np.isin(quarter, (1, 3)), quarter == 1
    own, shared = features.copy(), features.copy()
    for batch in range(4):
        for reference, of in ((0, 1), (2, 3)):
            mine = batches == batch
            own[mine & (quarter == of)] -= features[mine & (quarter == reference)].mean(axis=0)
            shared[mine & (quarter == of)] -= features[mine & np.isin(quarter, (0, 2))].mean(axis=0)
    scores = [across_sides(values[looked_at], batches[looked_at], side[looked_at], metric) for values in (own, shared)]
    assert scores[0] < 0.34
    assert scores[1] > scores[0] + 0.1


def test_within_cell_types_the_cell_type_does_not_help():
    generator = np.random.default_rng(0)
    cell_types = np.array(["A", "B"])[generator.integers(0, 2, 800)]
    batches = generator.integers(0, 2, 800) + 2 * (cell_types == "B")
    embeddings = generator.normal(size=(800, 8)) + 5 * (cell_types == "B")[:, None]
    assert batch_probe(embeddings[:500], batches[:500], embeddings[500:], batches[500:]) > 0.4  # of four, by cell type
    scores = probe_seen_batches(
        embeddings[:500], images_of(batches[:500], cell_types[:500]),
        embeddings[500:], images_of(batches[500:], cell_types[500:]),
    )  # fmt: skip
    assert value(scores) > 0.4
    for group in ({"cell_type": "A"}, {"cell_type": "B"}, {"subset": WITHIN}):
        assert 0.35 < value(scores, **group) < 0.65
    assert value(scores, "probe_guess") < 0.35
    assert 0.45 < value(scores, "probe_guess", WITHIN) < 0.6


def test_a_cell_type_of_one_batch_has_nothing_to_tell_apart():
    embeddings, batches = planted(2.0)
    kinds = np.where(batches == 0, "A", "B")
    scores = probe_seen_batches(
        embeddings[:400], images_of(batches[:400], kinds[:400]), embeddings[400:], images_of(batches[400:], kinds[400:])
    )
    assert np.isnan(value(scores, cell_type="A"))
    assert value(scores, subset=WITHIN) == value(scores, cell_type="B") > 0.95


def test_what_cannot_be_probed_is_not_a_number():
    embeddings, batches = planted(1.0, n=40)
    one = np.zeros(40)
    assert np.isnan(batch_probe(embeddings, one, embeddings, one))
    assert np.isnan(batch_probe(embeddings, batches, embeddings[:0], batches[:0]))
    side = np.arange(40) % 2 == 0
    assert np.isnan(across_sides(embeddings, one, side))
    assert np.isnan(across_sides(embeddings, batches, batches == 0))  # a batch on one side only
    nothing = probe_seen_batches(embeddings[:0], images_of(batches[:0]), embeddings[:0], images_of(batches[:0]))
    assert nothing["value"].isna().all()


def test_one_image_a_batch_fits_no_probe():
    embeddings, batches = planted(1.0, n=40, batches=4)
    first = np.unique(batches, return_index=True)[1]
    assert np.isnan(batch_probe(embeddings[first], batches[first], embeddings, batches))
    scores = probe_seen_batches(embeddings[first], images_of(batches[first]), embeddings, images_of(batches))
    assert scores["value"].isna().all()
    both = np.concatenate([first, first])
    assert np.isnan(across_sides(embeddings[both], batches[both], np.arange(8) < 4))


def test_guess_is_on_the_images_that_the_probe_was_scored_on():
    embeddings, batches = planted(2.0, n=400)
    kinds = np.where(batches < 2, "A", "B")
    side = np.arange(400) % 2 == 0
    side[batches == 0] = True  # so that nothing can be probed within A
    scores = probe_unseen_batches(embeddings, images_of(batches, kinds), side)
    assert np.isnan(value(scores))
    assert np.isnan(value(scores, "probe_guess"))
    for metric in ("probe_lda", "probe_guess"):
        assert row(scores, metric, WITHIN)["n"] == (kinds == "B").sum()
