"""Which wells of a simulated screen train, and which are of a task, as CHAMMI's metadata says it."""

import numpy as np
import pandas as pd

from debatch.config.simulation import TRAIN, TRAIN_COLUMN, SimulationConfig
from debatch.screen.simulate.effects import stream

_COLUMNS = {"cell_types": "cell_type", "experiments": "experiment", "classes": "perturbation"}


def task_columns(config: SimulationConfig, layouts: pd.DataFrame) -> pd.DataFrame:
    """Columns beside the layouts (N, …) of a screen: `train_test_split`, and one a task; none without tasks.

    A task of something new holds the wells that have one of its values under each key that it names. Classes that are
    new are those of no other task. Of what is like the training wells each task of that kind gets its share, drawn
    class by class, and the rest trains.

    Returns:
        (N, …) bool a task; `train_test_split` is `Train`, the first of a well's tasks, or nothing where a well has
        something new and no task holds it.
    """
    if not config.tasks:
        return pd.DataFrame(index=layouts.index)
    is_new = {key: pd.Series(False, layouts.index) for key in _COLUMNS}
    named = {}
    for name, task in config.tasks.items():
        inside = pd.Series(task.share is None, layouts.index)
        for key, column in _COLUMNS.items():
            if values := getattr(task, key):
                has = layouts[column].isin(values)
                is_new[key] |= has
                inside &= has
        named[name] = inside
    for name, task in config.tasks.items():
        if not task.classes:
            named[name] &= ~is_new["classes"]
    trains = ~pd.DataFrame(is_new).any(axis=1)
    ordinary = layouts[trains]
    for perturbation, wells in ordinary.groupby("perturbation"):
        order = wells.index.to_numpy()[stream(config.seed, "tasks", str(perturbation)).permutation(len(wells))]
        taken = 0.0
        for name, task in config.tasks.items():
            if task.share is not None:
                first, taken = round(taken * len(wells)), taken + task.share
                own = order[first : round(taken * len(wells))]
                named[name].loc[own], trains.loc[own] = True, False
    columns = pd.DataFrame(named)
    sides = np.select([trains, *(columns[name] for name in columns)], [TRAIN, *columns], default="")
    return pd.concat([pd.Series(sides, layouts.index, name=TRAIN_COLUMN), columns], axis=1)
