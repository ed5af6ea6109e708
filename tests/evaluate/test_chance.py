import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index
from scipy.stats import binom

from debatch.evaluate.chance import chance_of, permutation_of, reached_by_permutations


def split_of(index, test):
    subsets = np.where(index["experiment"].isin(test), "test", "train")
    return pd.DataFrame({"image_id": index["image_id"], "subset": subsets})


def test_wells_and_not_their_images_are_the_draws_of_chance():
    """8 wells of 4 classes: 5 of 8 right happens once in 37 guesses, 4 of 8 once in 9."""
    tested = make_index(1, 8, sites=50)
    chance = chance_of("accuracy", tested)
    assert (chance.level, chance.highest, chance.units, chance.unit) == (0.25, 4 / 8, 8, "wells")
    assert binom.sf(4, 8, 0.25) < 0.05 < binom.sf(3, 8, 0.25)


def test_the_best_guess_names_the_most_frequent_classes():
    tested = make_index(1, 40, classes=10)
    tested["label"] = pd.array([0] * 20 + [1] * 10 + list(range(10)), dtype="Int64")
    assert chance_of("accuracy", tested).level == 21 / 40
    assert chance_of("accuracy_well", tested).level == 21 / 40
    assert chance_of("accuracy_top5", tested).level == (21 + 11 + 3) / 40
    by_class = chance_of("accuracy_macro", tested)
    assert (by_class.level, by_class.units, by_class.unit) == (pytest.approx(1 / 10), 10, "classes")


def test_where_there_is_one_class_all_of_it_is_chance():
    chance = chance_of("accuracy", make_index(1, 4, classes=1))
    assert (chance.level, chance.highest) == (1.0, 1.0)


def test_few_wells_may_keep_their_labels_and_many_do_not():
    few = make_index(3, 6, sites=2)
    kept = [permutation_of(few, split_of(few, ["E02"]), seed) for seed in range(30)]
    assert {own.wells for own in kept} == {12}
    # of 12 wells two classes have 4 and two have 2
    assert {round(own.expected, 6) for own in kept} == {round((16 + 16 + 4 + 4) / 12, 6)}
    assert np.mean([own.kept for own in kept]) == pytest.approx(40 / 12, abs=0.8)
    assert {own.is_poor for own in kept} == {True, False}
    assert all(own.is_poor == (own.kept - own.expected > 0.6) for own in kept)
    many = make_index(21, 40)
    assert not any(permutation_of(many, split_of(many, ["E20"]), seed).is_poor for seed in range(3))


def test_how_far_permutations_alone_bring_a_network():
    """Four classes, each right once in four times, whatever the number of wells."""
    few = make_index(3, 8)
    reached = reached_by_permutations("accuracy", few, split_of(few, ["E02"]), few[few["experiment"] == "E02"], 100)
    assert set(reached) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert np.mean(reached > 0.25) == pytest.approx(binom.sf(1, 4, 0.25), abs=0.12)
    many = make_index(6, 80, classes=40)
    tested = many[many["experiment"] == "E05"]
    assert reached_by_permutations("accuracy", many, split_of(many, ["E05"]), tested, 20).max() < 0.2
    assert reached_by_permutations("accuracy_top5", many, split_of(many, ["E05"]), tested, 20).max() > 0.1
