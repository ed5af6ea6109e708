"""Which training images a network learns from, and what it is without learning."""

import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index
from helpers.tiny_trainer import SHARED, files, make_dealt_trainer, make_trainer

from debatch.config import Recipe
from debatch.errors import DataError
from debatch.learn.collapse import collapse_of
from debatch.learn.data import training_data

INDEX = make_index(experiments=3, wells=24, sites=2)
SPLIT = pd.DataFrame({"image_id": INDEX["image_id"], "subset": np.where(INDEX["batch"] == "E02", "test", "train")})


def learnt(rule):
    return training_data(INDEX, SPLIT, False, 0, rule).rows


def test_settings_keep_controls_treatments_or_half_of_either_reading():
    every = learnt("all")
    controls = every["well_type"] != "treatment"
    assert controls.any()
    assert set(learnt("controls")["image_id"]) == set(every.loc[controls, "image_id"])
    assert set(learnt("treatments")["image_id"]) == set(every.loc[~controls, "image_id"])
    half = learnt("half_of_treatments")
    assert set(half.loc[half["well_type"] != "treatment", "image_id"]) == set(every.loc[controls, "image_id"])
    kept, all_treatments = (set(rows.loc[rows["well_type"] == "treatment", "label"]) for rows in (half, every))
    assert len(kept) == len(all_treatments) // 2
    # what stays of a treatment stays whole
    own = every[every["label"].isin(kept)]
    assert set(own["image_id"]) <= set(half["image_id"])
    images = learnt("half_of_images")
    assert set(images["label"]) == set(every["label"])
    assert (images["well_type"] == "treatment").sum() * 2 == pytest.approx((~controls).sum(), abs=len(all_treatments))


def test_nothing_to_learn_from_is_said():
    treated = INDEX.assign(well_type="treatment")
    with pytest.raises(DataError, match="none of the split's training images is left under `learn_from: controls`"):
        training_data(treated, SPLIT, False, 0, "controls")


def test_mechanisms_are_numbered_over_the_screen_and_wells_without_one_do_not_train():
    known = INDEX.assign(mechanism=INDEX["perturbation"].map({"T0": "kinase", "T1": "actin", "T2": "kinase"}))
    data = training_data(known, SPLIT, False, 0, label="mechanism")
    assert set(data.rows["perturbation"]) == {"T0", "T1", "T2"}, "T3, the control, has no mechanism"
    assert data.classes == 2
    assert dict(zip(data.rows["perturbation"], data.labels, strict=True)) == {"T0": 1, "T1": 0, "T2": 1}
    for unknown in (INDEX, INDEX.assign(mechanism=None)):
        with pytest.raises(DataError, match=r"no image of the screen has a mechanism; see `columns.mechanism`"):
            training_data(unknown, SPLIT, False, 0, label="mechanism")
    only_tested = known.assign(mechanism=known["mechanism"].where(known["batch"] == "E02"))
    with pytest.raises(DataError, match="no training image of the split has a mechanism"):
        training_data(only_tested, SPLIT, False, 0, label="mechanism")


def test_a_network_that_is_not_trained_is_as_it_starts_but_for_its_statistics(tmp_path):
    recipe = Recipe(**SHARED).model_copy(update={"epochs": 0, "embedding_width": None})
    trainer = make_trainer(recipe)
    start = {key: value.clone() for key, value in trainer.network.named_parameters()}
    assert trainer.fit(files(tmp_path)).empty
    assert all(start[key].equal(value) for key, value in trainer.network.named_parameters())
    assert trainer.network.width == 128
    assert not dict(trainer.network.named_buffers())["backbone.stem.1.running_mean"].equal(
        make_trainer(recipe).network.backbone.stem[1].running_mean
    )


def test_a_collapse_is_told_from_a_history_and_once_in_the_log(tmp_path, caplog, monkeypatch):
    assert collapse_of({"loss": 1.0, "accuracy": 0.5}) == ""
    healthy = {"embedding_sd": 0.3, "effective_rank": 9.0, "teacher_entropy": 0.88}
    assert collapse_of(healthy) == ""
    assert "one direction" in collapse_of({**healthy, "effective_rank": 1.2})
    assert "nearly the same" in collapse_of({**healthy, "embedding_sd": 1e-6})
    assert "entropy 0.999 of ln K" in collapse_of({**healthy, "teacher_entropy": 0.999})
    monkeypatch.setattr("debatch.learn.collapse.FEWEST_DIRECTIONS", 1000.0)
    small = {"kind": "dino", "local_views": 0, "head_width": 16, "bottleneck": 8, "prototypes": 8, "head_norm": True}
    make_dealt_trainer(Recipe(**{**SHARED, "epochs": 1}, objective=small)).fit(files(tmp_path))
    assert caplog.text.count("collapsed in epoch 1: embeddings vary along one direction") == 1
