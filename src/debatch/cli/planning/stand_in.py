"""An index to draw splits from before there is any metadata: the experiments that a screen lists, all of one size."""

import pandas as pd

from debatch.config.metadata import Columns
from debatch.config.splits import Split, Splits
from debatch.screen.splits import TEST_SHARE

# of one class: the share of them that tests is a whole number
WELLS = TEST_SHARE.denominator


def stand_in_index(name: str, splits: Splits, columns: Columns, experiments: list[str]) -> pd.DataFrame | None:
    """An index of one class with as many wells in each experiment.

    Args:
        name: of the split that is to be drawn.
        splits: which batches test, where it says so; how many of each cell type train, where it says so.
        columns: whether a batch is an experiment, and whether the metadata will say which of them test.
        experiments: of the screen.

    Returns:
        What `make_split` reads. None: batches are no experiments, and the split is by batches; or it is of named tasks.
    """
    by_experiment = columns.batch == columns.experiment
    split = Split.named(name)
    if split.form == "tasks":
        return None
    if split.has_unseen_batches and split.form != "fold" and not by_experiment:
        return None
    test = _test_batches(splits, columns, experiments)
    train = [experiment for experiment in experiments if experiment not in test]
    cell_types = {**_dealt(train, splits.cell_types), **_dealt(test, splits.cell_types)}
    rows = pd.DataFrame({"batch": experiments}).merge(pd.DataFrame({"well": range(WELLS)}), how="cross")
    index = rows.assign(
        experiment=rows["batch"],
        plate="1",
        well=rows["well"].astype(str),
        site="1",
        cell_type=rows["batch"].map(cell_types),
        perturbation="1",
        label=0,
        image_id=rows["batch"] + "_" + rows["well"].astype(str),
    )
    if splits.folds and splits.fold_column and splits.fold_column not in index:
        # which batches share a value the metadata will say; as many as blocks, each of as many batches
        turn = dict(zip(experiments, range(len(experiments)), strict=True))
        index[splits.fold_column] = (index["batch"].map(turn) % splits.folds).astype(str)
    if splits.test_batches is None and test:
        index["official_subset"] = index["batch"].isin(test).map({True: "test", False: "train"})
    return index


def _test_batches(splits: Splits, columns: Columns, experiments: list[str]) -> list[str]:
    """Those that are listed; else as many as will not train; none where they are drawn."""
    if splits.test_batches is not None:
        return [experiment for experiment in experiments if experiment in splits.test_batches]
    if splits.cell_types is not None:
        return experiments[sum(splits.cell_types.values()) :]
    return experiments[len(experiments) - round(TEST_SHARE * len(experiments)) :] if columns.subset else []


def _dealt(batches: list[str], cell_types: dict[str, int] | None) -> dict[str, str]:
    """A cell type for each of some batches, in the proportion of the training batches."""
    shares = cell_types or {"": 1}
    total, taken, dealt = sum(shares.values()), 0, {}
    for cell_type, share in shares.items():
        upto = round(len(batches) * (taken + share) / total)
        dealt.update(dict.fromkeys(batches[round(len(batches) * taken / total) : upto], cell_type))
        taken += share
    return dealt
