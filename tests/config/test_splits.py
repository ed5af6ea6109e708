"""Splits know their names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debatch.config.splits import Split, Splits, Task
from debatch.errors import ConfigError

SPLITS = st.one_of(
    st.sampled_from(["separated", "separated_val", "stratified", "stratified_site", "tasks", "all"]).map(Split),
    st.integers(1, 99).map(lambda fold: Split("fold", fold=fold)),
    st.tuples(st.from_regex(r"[A-Z][A-Za-z0-9_.-]*", fullmatch=True), st.integers(0)).map(
        lambda few: Split("few", cell_type=few[0], draw=few[1])
    ),
)


@given(SPLITS)
def test_a_name_says_all_of_a_split(split):
    assert Split.named(split.name) == split


def test_which_splits_test_on_unseen_batches():
    unseen = [name for name in ("separated", "stratified", "stratified_site", "fold2", "few_U2OS_draw0", "tasks", "all")
              if Split.named(name).has_unseen_batches]  # fmt: skip
    assert unseen == ["separated", "fold2", "few_U2OS_draw0", "all"]
    assert [Split.named(name).keeps_snapshots for name in ("separated", "few_U2OS_draw0")] == [True, False]


def test_a_split_that_there_is_not_is_said():
    with pytest.raises(ConfigError, match="no split 'seperated'; did you mean 'separated'"):
        Split.named("seperated")


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"fold_order": "natural"}, "`fold_order` needs `folds:`, the number of folds"),
        ({"fold_column": "replicate"}, "`fold_column` needs `folds:`"),
        ({"fold_validation": True}, "`fold_validation` needs `folds:`"),
        ({"folds": 2, "fold_validation": True}, "none would train; write `folds: 3` or more"),
        ({"folds": 3, "fold_order": "named"}, "'drawn' or 'natural'"),
    ],
)
def test_folds_that_cannot_be(keys, error):
    with pytest.raises(ValueError, match=error):
        Splits(**keys)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"names": ["tasks"]}, "the split tasks needs `tasks:`"),
        ({"trains": {"side": ["Train"]}}, "`trains` is of the split tasks, and there are no `tasks:`"),
        ({"names": ["tasks"], "tasks": {"test": {}}}, "a task cannot be called 'test'"),
        ({"names": ["tasks"], "tasks": {"a/b": {}}}, "a task cannot be called 'a/b'"),
    ],
)
def test_tasks_that_cannot_be(keys, error):
    with pytest.raises(ValueError, match=error):
        Splits(**keys)


def test_how_a_task_is_scored_does_not_draw_its_split_anew():
    plain = Splits(names=["tasks", "separated"], tasks={"one": {}, "two": {"column": "Task_two"}})
    scored = Splits(
        names=["tasks", "separated"], tasks={"one": {"familiar": True}, "two": {"column": "Task_two", "leave_out": "p"}}
    )
    others = Splits(names=["separated"])
    assert plain.looked_at(Split("tasks")) == scored.looked_at(Split("tasks"))
    assert plain.looked_at(Split("tasks"))["tasks"] == {"one": {"column": "one"}, "two": {"column": "Task_two"}}
    assert plain.looked_at(Split("separated")) == others.looked_at(Split("separated"))
    assert Splits(**plain.looked_at(Split("tasks"))).looked_at(Split("tasks")) == plain.looked_at(Split("tasks"))


def test_a_task_may_leave_groups_out_in_some_parts_alone():
    assert Task(leave_out={"HPA": "cell_type"}).groups_of("HPA") == "cell_type"
    assert Task(leave_out={"HPA": "cell_type"}).groups_of("CP") is None
    assert Task(leave_out="plate").groups_of("CP") == "plate"
