"""What a run minimises, as YAML says it."""

import pytest
import yaml

from debatch.config.objectives import Classification, SupCon
from debatch.config.read import validate
from debatch.config.recipe import Method, Recipe, resolve_recipe
from debatch.errors import ConfigError


def recipe(text):
    return validate(Recipe, yaml.safe_load(text), "a.yaml")


def method(text):
    return validate(Method, yaml.safe_load(text), "a.yaml")


def test_classification_is_meant_where_no_kind_is_named():
    assert recipe("objective: {mixing: none}").objective == Classification(mixing="none")
    assert Recipe().objective == Classification()
    assert recipe("objective: {kind: supcon}").objective == SupCon()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("objective: {kind: supcn}", "a.yaml: `objective.kind`: no kind 'supcn'; did you mean 'supcon'?"),
        (
            "objective: {kind: supcon, mixing: none}",
            "a.yaml: unknown key `objective.mixing` of the kind `supcon`; there is: batch_head_rate, kind, "
            "projection_width, temperature",
        ),
        (
            "objective: {gradient_reversl: 0.1}",
            "a.yaml: unknown key `objective.gradient_reversl` of the kind `classification`; did you mean "
            "'gradient_reversal'?",
        ),
        ("objective: {mixing: cutmx}", "`objective.mixing`: 'cutmx' is not one of 'cutmix', 'mixup' or 'none'; did"),
        ("objective: {kind: supcon, temperature: 0}", "a.yaml: `objective.temperature`: expected"),
        ("mixing: none", "a.yaml: unknown key `mixing`: it is a key of `objective` there"),
        ("objective: supcon", "a.yaml: `objective`: expected"),
    ],
)
def test_a_wrong_objective_is_named_with_what_there_is(text, said):
    with pytest.raises(ConfigError) as error:
        recipe(text)
    assert said in str(error.value)


def test_a_methods_keys_join_the_screens_of_the_same_kind():
    training = recipe("objective: {mixing: none, batch_head_rate: 3.0}")
    resolved = resolve_recipe(training, method("objective: {gradient_reversal: 0.1}"), "mine")
    assert resolved.objective == Classification(mixing="none", batch_head_rate=3.0, gradient_reversal=0.1)
    assert resolve_recipe(training, method("epochs: 3"), "mine").objective == training.objective


def test_objectives_that_compare_a_steps_images_take_them_as_one_group():
    training = recipe("{group: 16, groups_per_step: 4}")
    resolved = resolve_recipe(training, method("objective: {kind: dino}"), "mine")
    assert (resolved.group, resolved.groups_per_step) == (64, 1)
    assert resolved.peak_learning_rate == training.peak_learning_rate
    own = resolve_recipe(training, method("{objective: {kind: dino}, group: 32}"), "mine")
    assert (own.group, own.groups_per_step) == (32, 4)
    plain = resolve_recipe(training, method("objective: {kind: supcon}"), "mine")
    assert (plain.group, plain.groups_per_step) == (16, 4)


def test_another_kind_takes_nothing_of_the_screens():
    training = recipe("objective: {mixing: none, batch_head_rate: 3.0}")
    resolved = resolve_recipe(training, method("objective: {kind: supcon}"), "mine")
    assert resolved.objective == SupCon()
