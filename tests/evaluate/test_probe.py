import numpy as np
import pandas as pd
import pytest

from debatch.evaluate.probe import batch_probe, probe_seen_batches, probe_unseen_batches


def planted(shift, n=600, batches=4, width=16, seed=0):
    """Embeddings whose batch shifts them."""
    generator = np.random.default_rng(seed)
    of = generator.integers(0, batches, n)
    return generator.normal(size=(n, width)) + shift * generator.normal(size=(batches, width))[of], of


def images_of(batches, cell_types=None):
    kinds = np.full(len(batches), "A") if cell_types is None else cell_types
    return pd.DataFrame({"batch": batches.astype(str), "cell_type": kinds})


def value(scores, metric="probe_lda", group="all"):
    return scores.set_index(["metric", "group"]).loc[(metric, group), "value"]


def across_wells(embeddings, batches, wells, metric="probe_lda"):
    return value(probe_unseen_batches(embeddings, images_of(batches), wells), metric)


def test_probe_finds_a_planted_batch_and_nothing_where_there_is_none():
    for shift, low, high in ((2.0, 0.95, 1.0), (0.0, 0.15, 0.35)):
        embeddings, batches = planted(shift)
        accuracy = batch_probe(embeddings[:400], batches[:400], embeddings[400:], batches[400:])
        assert low <= accuracy <= high
        for metric in ("probe_lda", "probe_knn"):
            assert low <= across_wells(embeddings, batches, np.arange(600), metric) <= high


def test_shuffled_batches_give_chance():
    embeddings, batches = planted(2.0)
    shuffled = np.random.default_rng(1).permutation(batches)
    assert batch_probe(embeddings[:400], shuffled[:400], embeddings[400:], shuffled[400:]) < 0.35


def test_scale_of_a_feature_and_a_constant_one_do_not_matter():
    embeddings, batches = planted(0.3)
    scaled = embeddings * np.logspace(-3, 3, 16)
    scaled = np.c_[scaled, np.full(600, 7.0)]
    first = batch_probe(embeddings[:400], batches[:400], embeddings[400:], batches[400:])
    assert batch_probe(scaled[:400], batches[:400], scaled[400:], batches[400:]) == pytest.approx(first, abs=0.02)


def test_wells_stay_on_one_side():
    """Two sites of a well that are nearly copies tell nothing of the batch, unless the well is on both sides."""
    generator = np.random.default_rng(0)
    wells = np.repeat(np.arange(60), 2)
    embeddings = generator.normal(size=(60, 100))[wells] + 0.01 * generator.normal(size=(120, 100))
    batches = (np.arange(60) % 3)[wells]
    assert across_wells(embeddings, batches, wells) < 0.55
    assert across_wells(embeddings, batches, np.arange(120)) > 0.8


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
    for group in ("cell_type=A", "cell_type=B", "within"):
        assert 0.35 < value(scores, group=group) < 0.65
    assert value(scores, "probe_guess") < 0.35
    assert 0.45 < value(scores, "probe_guess", "within") < 0.6


def test_a_cell_type_of_one_batch_has_nothing_to_tell_apart():
    embeddings, batches = planted(2.0)
    kinds = np.where(batches == 0, "A", "B")
    scores = probe_seen_batches(
        embeddings[:400], images_of(batches[:400], kinds[:400]), embeddings[400:], images_of(batches[400:], kinds[400:])
    )
    assert np.isnan(value(scores, group="cell_type=A"))
    assert value(scores, group="within") == value(scores, group="cell_type=B") > 0.95


def test_what_cannot_be_probed_is_not_a_number():
    embeddings, batches = planted(1.0, n=40)
    one = np.zeros(40)
    assert np.isnan(batch_probe(embeddings, one, embeddings, one))
    assert np.isnan(batch_probe(embeddings, batches, embeddings[:0], batches[:0]))
    assert np.isnan(across_wells(embeddings, one, np.arange(40)))
    assert np.isnan(across_wells(embeddings[:8], batches[:8], np.arange(8)))
