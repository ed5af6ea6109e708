"""Tasks of a simulated screen: what each holds, and that nothing of what is new trains."""

import numpy as np
import pandas as pd
import pytest

from debatch.config import SimulationConfig
from debatch.screen.simulate.experiment import planted_effects, plate_layouts, simulate_experiment

TASKS = {
    "one": {"share": 0.25},
    "two": {"cell_types": ["BETA"]},
    "three": {"experiments": ["ALPHA-03"]},
    "four": {"classes": ["W-T03"]},
}


def screen(**changes):
    given = {"experiments": {"ALPHA": 3, "BETA": 1}, "treatments": 4, "treatment_wells": 4, "positive_controls": 0,
             "plates": 1, "sites": 1, "prefix": "W-", "tasks": TASKS}  # fmt: skip
    return SimulationConfig(**{**given, **changes})


def test_each_task_holds_what_is_new_in_it_and_the_rest_trains():
    wells = plate_layouts(screen())
    trains = wells["train_test_split"] == "Train"
    new_class, new_kind = wells["perturbation"] == "W-T03", wells["cell_type"] == "BETA"
    new_batch = wells["experiment"] == "ALPHA-03"
    assert wells["four"].equals(new_class.rename("four"))
    assert wells["two"].equals((new_kind & ~new_class).rename("two"))
    assert wells["three"].equals((new_batch & ~new_class).rename("three"))
    ordinary = ~(new_class | new_kind | new_batch)
    assert (trains | wells["one"]).equals(ordinary)
    assert not (trains & wells["one"]).any()
    # a quarter of each class's wells
    shares = wells[ordinary].groupby("perturbation")["one"].mean()
    assert shares.to_dict() == dict.fromkeys(["W-EMPTY", "W-T01", "W-T02", "W-T04"], 0.25)
    assert not wells["train_test_split"].eq("").any()
    assert set(wells.loc[~trains, "train_test_split"]) == set(TASKS)


def test_two_shares_hold_no_well_twice_and_a_draw_is_a_draw():
    tasks = {"one": {"share": 0.25}, "other": {"share": 0.25}}
    wells = plate_layouts(screen(tasks=tasks))
    assert not (wells["one"] & wells["other"]).any()
    assert wells[["one", "other"]].sum().tolist() == [wells["one"].sum()] * 2
    assert not plate_layouts(screen(tasks=tasks, seed=1))["one"].equals(wells["one"])


def test_what_is_new_and_in_no_task_does_not_train():
    tasks = {"both": {"cell_types": ["BETA"], "classes": ["W-T03"]}}
    wells = plate_layouts(screen(tasks=tasks))
    assert wells["both"].sum() == 4
    left = wells["train_test_split"] == ""
    assert left.equals(((wells["perturbation"] == "W-T03") ^ (wells["cell_type"] == "BETA")).rename("train_test_split"))


def test_tasks_and_a_prefix_change_no_pixel():
    plain, plain_images = simulate_experiment(screen(tasks={}, prefix=""), "ALPHA-01")
    named, images = simulate_experiment(screen(), "ALPHA-01")
    np.testing.assert_array_equal(plain_images, images)
    assert named["perturbation"].tolist() == [f"W-{name}" for name in plain["perturbation"]]
    pd.testing.assert_frame_equal(named[list(plain)].drop(columns="perturbation"), plain.drop(columns="perturbation"))
    assert (planted_effects(screen()).loc[("ALPHA", "W-EMPTY")] == 0).all()


@pytest.mark.parametrize(
    ("tasks", "error"),
    [
        ({"one": {}}, "a task has either a `share`, or something new"),
        ({"one": {"share": 0.1, "classes": ["W-T01"]}}, "a task has either a `share`, or something new"),
        ({"well": {"share": 0.1}}, "there is a column 'well' already"),
        ({"one": {"classes": ["T01"]}}, "`tasks.one.classes`: no 'T01'; there is: W-T01"),
        ({"one": {"cell_types": ["GAMMA"]}}, "`tasks.one.cell_types`: no 'GAMMA'; there is: ALPHA, BETA"),
        ({"one": {"cell_types": ["ALPHA"]}, "two": {"cell_types": ["BETA"]}}, "all cell types are new"),
        ({"one": {"share": 0.5}, "two": {"share": 0.5}}, "leave nothing to train on"),
    ],
)
def test_tasks_that_cannot_be(tasks, error):
    with pytest.raises(ValueError, match=error):
        screen(tasks=tasks)
