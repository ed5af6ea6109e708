import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debatch.evaluate import positive_control_retention, separability, vectors, weak_separability


def screen(seed=0, perturbations=12, batches=4, controls=6, wells=1, effect=0.0, offset=0.0, width=8, shift=0.0):
    """A well or more of each perturbation in each batch; odd perturbations have an effect."""
    generator = np.random.default_rng(seed)
    batch = np.repeat(np.arange(batches), perturbations * wells + controls)
    label = np.tile(np.r_[np.repeat(np.arange(perturbations), wells), np.full(controls, -1)], batches)
    centres = effect * generator.normal(size=(perturbations, width)) * (np.arange(perturbations) % 2)[:, None]
    embeddings = generator.normal(size=(len(batch), width)) + shift
    embeddings += offset * generator.normal(size=(batches, width))[batch]
    embeddings[label >= 0] += centres[label[label >= 0]]
    return embeddings, label, batch, label < 0


def by_hand(embeddings, perturbations, batches, controls):
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    found = {}
    for at in np.flatnonzero(~controls):
        others = (perturbations == perturbations[at]) & ~controls & (np.arange(len(unit)) != at)
        reference = controls & (batches == batches[at])
        if others.any() and reference.any():
            direction = unit[others].mean(axis=0)
            ahead = unit[at] @ direction - unit[reference] @ direction
            found.setdefault(perturbations[at], []).append(((ahead > 0) + 0.5 * (ahead == 0)).mean())
    return {name: (np.mean(values), len(values)) for name, values in found.items()}


def as_dict(frame):
    return {row.perturbation: (row.separability, row.n) for row in frame.itertuples()}


def test_separability_by_hand():
    """Of two controls, the first profile is ahead of one; the second of one, and then of a tie as well."""
    angles = np.radians([0, 10, 80, 5, 20, 0])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    perturbations = np.array(["a", "a", "-", "-", "-", "-"])
    batches = np.array([0, 1, 0, 0, 1, 1])
    controls = np.array([False, False, True, True, True, True])
    # the first: its replicate is at 10 degrees, so 0 is farther than 5 and nearer than 80; the second's is at 0
    frame = separability(embeddings, perturbations, batches, controls)
    assert as_dict(frame) == {"a": (0.5, 2)}
    embeddings[5] = embeddings[1] * 3
    assert as_dict(separability(embeddings, perturbations, batches, controls)) == {"a": ((0.5 + 0.75) / 2, 2)}


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), block=st.integers(1, 9))
def test_separability_is_that_of_a_loop_in_blocks_of_any_size(seed, block):
    generator = np.random.default_rng(seed)
    embeddings = generator.normal(size=(40, 3))
    columns = generator.integers(0, 6, 40), generator.integers(0, 4, 40), generator.random(40) < 0.3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "_BLOCK", block)
        found = as_dict(separability(embeddings, *columns))
    expected = by_hand(embeddings, *columns)
    assert found.keys() == expected.keys()
    for name, (value, n) in expected.items():
        assert found[name] == (pytest.approx(value), n)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_separability_does_not_change_under_rotation_and_order(seed):
    embeddings, *columns = screen(seed, effect=1)
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.normal(size=(8, 8)))[0]
    order = generator.permutation(len(embeddings))
    changed = separability((embeddings @ rotation)[order], *(column[order] for column in columns))
    np.testing.assert_allclose(changed["separability"], separability(embeddings, *columns)["separability"])


def test_effects_stand_out_and_an_offset_of_the_batch_does_not():
    found = separability(*screen(effect=4, offset=5, wells=3, perturbations=40))
    affected = found["perturbation"] % 2 == 1
    assert found.loc[affected, "separability"].mean() > 0.8
    assert found.loc[~affected, "separability"].mean() == pytest.approx(0.5, abs=0.05)


def test_what_is_all_the_same_stands_out_from_nothing():
    _, *columns = screen()
    same = np.full((len(columns[0]), 8), 0.1, np.float32)
    assert (separability(same, *columns)["separability"] == 0.5).all()
    assert (separability(0 * same, *columns)["separability"] == 0.5).all()


def test_profiles_without_a_replicate_or_a_control_do_not_count():
    embeddings, label, batch, controls = screen(perturbations=3, batches=2)
    first = np.flatnonzero((label == 0) & (batch == 0))
    label[first] = 7  # now neither 0 nor 7 has a replicate
    found = separability(embeddings, label, batch, controls)
    assert found["perturbation"].tolist() == [1, 2]
    lonely = separability(embeddings, label, np.where(controls, 0, batch), controls)
    assert lonely["n"].tolist() == [1, 1]
    empty = separability(embeddings, label, batch, np.zeros(len(label), bool))
    assert empty.empty
    assert empty.columns.tolist() == ["perturbation", "separability", "n"]


def test_retention_tells_kept_from_lost():
    embeddings, label, batch, controls = screen(effect=3, offset=3, perturbations=20)
    positive = (label >= 0) & (label % 2 == 1)
    lost = np.random.default_rng(1).normal(size=embeddings.shape)
    columns = label, batch, controls, positive
    assert positive_control_retention(embeddings, embeddings, *columns) == 1
    assert positive_control_retention(embeddings, lost, *columns) == pytest.approx(0, abs=0.25)
    assert np.isnan(positive_control_retention(np.ones_like(lost), embeddings, *columns))
    assert np.isnan(positive_control_retention(embeddings, embeddings, label, batch, controls, controls & False))
    with pytest.raises(ValueError, match="24 of 104 profiles are both"):
        positive_control_retention(embeddings, embeddings, label, batch, controls, controls)


@pytest.mark.parametrize("shift", [0.0, 2.0])
@pytest.mark.parametrize("kept", [True, False])
def test_noise_is_at_chance_before_and_after_however_the_weak_are_chosen(shift, kept):
    """A perturbation's wells are in one batch, with few controls: those controls would choose it, and score it."""
    values, naive = [], []
    for seed in range(40):
        embeddings, label, batch, controls = screen(seed, perturbations=5, batches=20, wells=4, shift=shift)
        label = np.where(controls, -1, label + 5 * batch)
        after = embeddings if kept else np.random.default_rng(seed).normal(size=embeddings.shape) + shift
        values.append(weak_separability(embeddings, after, label, batch, controls))
        scores = separability(embeddings, label, batch, controls)["separability"]
        naive.append(scores[scores <= scores.quantile(0.25)].mean())
    assert np.mean(values) == pytest.approx(0.5, abs=3.5 * np.std(values) / 40**0.5)
    assert np.std(values) < 0.1
    assert np.mean(naive) < 0.35  # what choosing and scoring on the same would give


def test_weak_ones_are_the_weak_ones():
    embeddings, *columns = screen(effect=4, perturbations=40, wells=2)
    strong = weak_separability(embeddings, embeddings, *columns, share=1)
    assert strong > weak_separability(embeddings, embeddings, *columns) + 0.1
    affected = embeddings + 20 * (columns[0] % 2 == 0)[:, None] * ~columns[2][:, None]  # only weak ones gain
    assert weak_separability(embeddings, affected, *columns) > 0.9


def test_weak_separability_does_not_depend_on_the_order_of_rows():
    embeddings, *columns = screen(effect=1, wells=3)
    after = embeddings[:, ::-1] ** 3
    order = np.random.default_rng(0).permutation(len(embeddings))
    changed = weak_separability(embeddings[order], after[order], *(column[order] for column in columns))
    assert changed == pytest.approx(weak_separability(embeddings, after, *columns))


def test_weak_separability_needs_four_profiles_and_a_share():
    embeddings, *columns = screen(batches=3)
    assert np.isnan(weak_separability(embeddings, embeddings, *columns))
    with pytest.raises(ValueError, match="above 0 and at most 1, not 0"):
        weak_separability(embeddings, embeddings, *columns, share=0)


def test_bad_embeddings_are_refused():
    embeddings, *columns = screen()
    with pytest.raises(ValueError, match="72 embeddings, but 71 perturbations"):
        separability(embeddings, columns[0][1:], *columns[1:])
    with pytest.raises(ValueError, match="71 embeddings after, but 72 perturbations"):
        weak_separability(embeddings, embeddings[1:], *columns)
    embeddings[[3, 9], 1] = np.nan
    with pytest.raises(ValueError, match="2 of 72 embeddings have a value that is NaN"):
        separability(embeddings, *columns)
