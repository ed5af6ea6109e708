"""Well position confounded with treatment, and not."""

import numpy as np
import pandas as pd
import pytest
from helpers.embeddings import scored, screen

from debatch.evaluate.replicates.grit import grit
from debatch.evaluate.replicates.retrieval import replicate_precision

ELSEWHERE = "_other_positions"


def plates(layout, position=0.0, strength=0.0, batches=4, drugs=10, controls=6, seed=0):
    """Plates of one well a drug and several controls; `position` is the strength of each place's own effect."""
    table = screen(batches=batches, drugs=drugs, wells=1, sites=1, strength=strength, seed=seed)
    control = table["Metadata_WellType"] == "negative_control"
    table = pd.concat([table[~control], *[table[control].iloc[::3]] * controls], ignore_index=True)
    rng = np.random.default_rng(seed)
    count = len(table) // batches
    at = table.groupby("Metadata_Batch").cumcount().to_numpy().copy()
    if layout != "fixed":
        for batch in table["Metadata_Batch"].unique()[:: 2 if layout == "half shuffled" else 1]:
            own = (table["Metadata_Batch"] == batch).to_numpy()
            at[own] = rng.permutation(count)
    table["Metadata_Well"] = [f"{'ABCD'[n // 6]}{n % 6 + 1:02}" for n in at]
    table["Metadata_Image"] = table["Metadata_Batch"] + "_" + table["Metadata_Well"]
    effects = position * rng.normal(size=(count, 16))
    features = [f"f{n}" for n in range(16)]
    noise = rng.normal(size=(len(table), 16))  # the controls were copied
    table[features] = (table[features].to_numpy() * strength + effects[at] + noise).astype(np.float32)
    return table


def test_place_alone_looks_like_a_replicate_where_layouts_repeat():
    values = scored(plates("fixed", position=3))
    assert values["replicate_across_batches"] > 0.9
    assert values["control_same_position"] > 0.8
    assert values["control_same_position_chance"] == pytest.approx(1 / 6)
    # all of them are in the same place: without those nothing is left to say
    assert np.isnan(values[f"replicate_across_batches{ELSEWHERE}"])
    assert np.isnan(values[f"replicate_map{ELSEWHERE}"])
    assert np.isnan(values[f"grit{ELSEWHERE}"])
    assert values["replicate_across_batches_position_only"] == 1
    assert values["replicate_map_position_only"] == 1


def test_barring_the_same_place_takes_away_what_it_adds_and_nothing_else():
    placed = scored(plates("half shuffled", position=3, strength=0.5, batches=8))
    for metric in ("replicate_across_batches", "replicate_map", "grit"):
        assert placed[metric + ELSEWHERE] < 0.8 * placed[metric]
    free = scored(plates("shuffled", strength=2, batches=8))
    for metric in ("replicate_across_batches", "replicate_map", "grit"):
        assert free[metric + ELSEWHERE] == pytest.approx(free[metric], rel=0.05)
    assert free["control_same_position"] < 0.5


def test_place_alone_by_hand():
    """Of other batches: a and b swap places in Y; c stays where it is."""
    table = plates("fixed", batches=2, drugs=3, controls=2)
    swap = {"A01": "A02", "A02": "A01"}
    second = table["Metadata_Batch"] == "A1"
    table["Metadata_Well"] = table["Metadata_Well"].mask(second, table["Metadata_Well"].replace(swap))
    values = scored(table)
    assert values["replicate_across_batches_position_only"] == pytest.approx(1 / 3)
    # two controls of each batch are its negatives in turn: a and b find nothing before them
    assert 1 / 3 < values["replicate_map_position_only"] < 1


def test_grit_and_map_bar_rows_by_hand():
    rng = np.random.default_rng(0)
    profiles = rng.normal(size=(9, 5))
    groups, controls = np.array(["a"] * 4 + ["dmso"] * 5), np.arange(9) > 3
    place = np.array(["1", "1", "2", "3", "1", "2", "3", "4", "5"])
    barred = grit(profiles, groups, controls, place)
    left_out = grit(np.delete(profiles, 1, axis=0), np.delete(groups, 1), np.delete(controls, 1))
    assert barred[0] == pytest.approx(left_out[0])  # without the one in its own place
    assert barred[3] == pytest.approx(grit(profiles, groups, controls)[3])
    batches = np.arange(9)
    precision = replicate_precision(profiles, groups, batches, controls, place)
    kept = np.delete(np.arange(9), [1, 4])  # the control in that place too
    alone = replicate_precision(profiles[kept], groups[kept], batches[kept], controls[kept])
    assert precision[0, 1] == pytest.approx(alone[0])
    np.testing.assert_array_equal(precision[:, 0], replicate_precision(profiles, groups, batches, controls))
