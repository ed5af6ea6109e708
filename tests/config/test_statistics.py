import re
from itertools import product

import pytest

from debatch.config import Recipe
from debatch.config.statistics import DOMAINS, POOLS, RECIPE_STATISTICS, STATISTICS, Statistics, parse_statistics
from debatch.errors import ConfigError
from debatch.registry import build_registry

SAID = {
    "train": Statistics("train"),
    "mini_batch": Statistics("mini_batch"),
    "half": Statistics("half"),
    "batch": Statistics(),
    "plate": Statistics(domain="plate"),
    "controls": Statistics(pool="controls"),
    "treatments": Statistics(pool="treatments"),
    "n32": Statistics(images=32),
    "plate_n8": Statistics(domain="plate", images=8),
    "plate_controls": Statistics(domain="plate", pool="controls"),
    "treatments_n128": Statistics(pool="treatments", images=128),
    "plate_controls_n16": Statistics(domain="plate", pool="controls", images=16),
    "classes_50": Statistics(classes=50),
}


@pytest.mark.parametrize("name", SAID)
def test_a_name_says_whose_images_and_how_many(name):
    assert parse_statistics(name) == SAID[name]
    assert SAID[name].name == name


def test_every_combination_has_a_name_of_its_own():
    every = [Statistics("pool", *of) for of in product(DOMAINS, POOLS, (None, 2, 16))]
    assert len({statistics.name for statistics in every}) == len(every)
    assert [parse_statistics(statistics.name) for statistics in every] == every


@pytest.mark.parametrize(
    "name",
    ["", "n0", "pool", "plate_", "batch_n8", "n32_controls", "controls_plate", "classes_0", "classes_100", "n8\n"],
)
def test_other_names_are_refused(name):
    with pytest.raises(ConfigError, match="no test-time statistics"):
        parse_statistics(name)


@pytest.mark.parametrize("name", SAID)
def test_a_recipe_takes_those_that_look_at_every_image(name):
    if name in ("half", "classes_50"):
        with pytest.raises(ValueError, match="test_statistics"):
            Recipe(test_statistics=name)
    else:
        assert Recipe(test_statistics=name).inference == name


@pytest.mark.parametrize("pattern", [RECIPE_STATISTICS, STATISTICS])
def test_the_pattern_fits_into_other_expressions(pattern):
    """Snakemake reads wildcards by the groups of the whole."""
    assert re.compile(pattern).groups == 0


TRAINED = ["table1", "table5", "table6"]
ADDED = ["table_adaptation", "table_label_shift", "figure_adaptation", "table_probe_normalization"]


@pytest.mark.parametrize("screen", ["rxrx1", "demo", "tiny"])
def test_nothing_is_trained_for_what_goes_beyond_the_paper(root, screen):
    registry = build_registry({"screen": screen}, root)

    def trainings(targets):
        return {(run.weights, run.split, run.seed) for target in targets for run in registry.runs(target)}

    assert trainings(TRAINED + ADDED) == trainings(TRAINED)
    assert trainings(ADDED)


def test_one_job_looks_at_a_run_under_all_that_tables_and_figures_ask_for(root):
    registry = build_registry({"screen": "tiny"}, root)
    adabn, baseline = registry.statistics("adabn"), registry.statistics("baseline")
    # 2 domains x 3 choices x (4 numbers and all), and three shares of the classes
    assert len(set(adabn.names)) == len(adabn.names) == 2 * 3 * 5 + 3
    assert {"batch", "plate_controls_n128", "treatments", "classes_10"} <= set(adabn.names)
    assert set(baseline.names) == {"train", *adabn.names}, "also the weights of AdaBN at test only"
    assert adabn.classes == baseline.classes == [10, 25, 50]
    assert registry.statistics("gradient_reversal").names == []
