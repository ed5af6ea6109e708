import contextlib
import json
import re
import shutil

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from debatch.config import Method, Recipe, Screen
from debatch.config.read import expand, read_yaml, validate
from debatch.config.recipe import resolve_recipe
from debatch.config.screen import PROFILE_TARGETS
from debatch.errors import ConfigError
from debatch.files import Files
from debatch.registry import Run, build_registry
from debatch.registry.asked import asked_products, refuse_lacking
from debatch.registry.schemas import json_schemas


def wrong(model, text):
    with pytest.raises(ConfigError) as error:
        validate(model, yaml.safe_load(text), "screen.yaml")
    return str(error.value)


def test_unknown_key_is_named_with_its_path_and_the_nearest_known_key():
    message = wrong(Screen, "simulate: {}\ntraining: {learning_rte: 0.1}")
    assert message == "screen.yaml: unknown key `training.learning_rte`; did you mean 'learning_rate'?"


def test_unknown_key_inside_an_optional_section():
    assert "unknown key `simulate.plats`; did you mean 'plates'?" in wrong(Screen, "simulate: {plats: 3}")


def test_unknown_key_inside_a_named_entry():
    message = wrong(Screen, "simulate: {}\nderive: {week: {source: plate, patern: x}}")
    assert "unknown key `derive.week.patern`; did you mean 'pattern'?" in message


def test_every_wrong_key_is_listed():
    message = wrong(Screen, "simulate: {}\nseed: 1\ntraining: {epochs: -1, group: many}")
    assert len(message.splitlines()) == 3


def test_number_that_yaml_reads_as_text_says_how_to_write_it():
    message = wrong(Screen, "simulate: {}\ntraining: {learning_rate: 1e-3}")
    assert "training.learning_rate" in message
    assert "write 1.0e-3" in message


@pytest.mark.parametrize("value", ["true", "'10'", "[1]", "1.5"])
def test_wrong_type_is_an_error_and_not_converted(value):
    message = wrong(Screen, f"simulate: {{}}\ntraining: {{epochs: {value}}}")
    assert "`training.epochs`: expected" in message


def test_whole_number_serves_where_a_number_is_asked_for():
    assert validate(Recipe, {"learning_rate": 1}, "x").learning_rate == 1.0


def test_wrong_choice_names_the_choices():
    message = wrong(Screen, "simulate: {}\ntraining: {objective: {mixing: cutmx}}")
    assert "'cutmix'" in message
    assert "did you mean 'cutmix'?" in message


def test_key_that_stands_twice_is_an_error(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("epochs: 3\nepochs: 4\n")
    with pytest.raises(ConfigError, match="is given twice"):
        read_yaml(file)


def test_screen_that_does_not_exist_offers_the_nearest(root):
    with pytest.raises(ConfigError, match="no screen 'dmo'; did you mean 'demo'"):
        build_registry({"screen": "dmo"}, root)


def test_method_that_does_not_exist_is_named_with_its_table(root, tmp_path):
    tables = (root / "config/tables.yaml").read_text().replace("[baseline, adabn]", "[baseline, adbn]", 1)
    (tmp_path / "tables.yaml").write_text(tables)
    with pytest.raises(ConfigError, match="`table2`: no method 'adbn'; did you mean 'adabn'"):
        build_registry({"screen": "demo", "tables": str(tmp_path / "tables.yaml")}, root)


def test_target_that_does_not_exist(root, tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: demo\ntargets: [tabel1]\n")
    with pytest.raises(ConfigError, match="no target 'tabel1'; did you mean 'table1'"):
        build_registry({"screen": str(tmp_path / "mine.yaml")}, root)


def test_adabn_on_a_backbone_without_batch_norm_is_a_config_error(root, tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: demo\ntraining: {backbone: deit_small_patch16_224}\n")
    with pytest.raises(ConfigError, match=r"method 'adabn'.*'deit_small_patch16_224' has no batch normalization"):
        build_registry({"screen": str(tmp_path / "mine.yaml")}, root)


def test_a_screen_on_which_some_methods_cannot_be_trained_makes_the_tables_of_the_others(root, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "extends: demo\ntraining: {backbone: deit_small_patch16_224}\ntargets: [qc, table5]\n"
    )
    registry = build_registry({"screen": str(tmp_path / "mine.yaml")}, root)
    assert registry.lacking("table5") == ""
    assert registry.lacking("table1").startswith(
        "needs methods that cannot all be trained on this screen: method 'adabn': adaptive batch normalization"
    )
    assert {"adabn", "adabn_test_only"}.isdisjoint(registry.recipes)
    assert registry.runs("table1") == []
    assert len(registry.runs("table5")) == 6 * registry.seeds_on("table5", "separated")
    assert not {"table1", "table6"} & set(registry.of_page("paper").screen.targets)
    files = Files(registry.results, registry.name)
    assert asked_products(registry, files, ["every target of another workflow"])
    refuse_lacking(registry, files, ["table5", "report", "paper"])
    for named in ("table1", files.table("table1", "md")):
        with pytest.raises(ConfigError, match=r"screen 'mine': table1 needs methods .* 'adabn'"):
            refuse_lacking(registry, files, [named])


def test_a_screen_on_which_no_method_can_be_trained_is_refused(root, tmp_path):
    """Whatever its targets are: its own training is at fault, and not a method."""
    (tmp_path / "mine.yaml").write_text("extends: demo\ntraining: {channels: [DNAA]}\ntargets: [qc]\n")
    with pytest.raises(ConfigError, match=r"method 'baseline': `channels`: the screen has no channel 'DNAA'"):
        build_registry({"screen": str(tmp_path / "mine.yaml")}, root)


def test_a_method_whose_weights_cannot_be_trained_cannot_either(root, tmp_path):
    methods = "first: {test_statistics: batch}\nsecond: {weights_of: first, test_statistics: train}\nplain: {}\n"
    tables = "{kind: variations, title: t, splits: [separated], variations: {a: {}}, methods: "
    (tmp_path / "methods.yaml").write_text(methods)
    (tmp_path / "tables.yaml").write_text(
        f"tables:\n  one: {tables}[plain]}}\n  two: {tables}[plain, second]}}\nfigures: {{}}\n"
    )
    (tmp_path / "mine.yaml").write_text("extends: tiny\ntraining: {backbone: deit_small_patch16_224}\ntargets: [one]\n")
    where = {key: str(tmp_path / f"{key}.yaml") for key in ("methods", "tables")}
    registry = build_registry({"screen": str(tmp_path / "mine.yaml"), **where}, root)
    assert registry.lacking("one") == ""
    assert "method 'first': adaptive batch normalization" in registry.lacking("two")


def test_screen_that_extends_itself(root, tmp_path):
    (tmp_path / "mine.yaml").write_text(f"extends: {tmp_path}/mine.yaml\n")
    with pytest.raises(ConfigError, match="leads back"):
        build_registry({"screen": str(tmp_path / "mine.yaml")}, root)


def test_extended_screen_changes_only_what_it_says(root):
    demo = build_registry({"screen": "demo"}, root).screen
    plain = build_registry({"screen": "demo_no_batch_effect"}, root).screen
    changes = {"batch_effect": 0.0, "strength": 0.6, "experiments": {"ALPHA": 12}}
    assert plain.simulate == demo.simulate.model_copy(update=changes)
    assert plain.training == demo.training


@pytest.mark.parametrize("name", ["../x", "a; rm b", "", ".hidden", "a/b", "$(x)", "a b", "-rf"])
def test_experiment_named_like_a_path_or_a_command_is_refused_by_name(root, tmp_path, name):
    """It would become a folder, or a word of a shell."""
    text = "source: {root: a, pattern: b, channels: {'1': D}}\nmetadata: {file: m}\nexperiments: "
    assert f"experiment {name!r}: a name becomes a folder" in wrong(Screen, text + json.dumps([name]))
    if name == "":
        return
    (tmp_path / "wells.csv").write_text(f'experiment,plate,well\n"{name}",1,A01\n')
    screen = {
        "source": {"root": ".", "pattern": "{experiment}/{plate}_{well}_{site}_{channel}.tif", "channels": {"1": "D"}},
        "metadata": {"file": str(tmp_path / "wells.csv")},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(screen))
    with pytest.raises(ConfigError, match=re.escape(f"wells.csv: experiment {name!r}: a name becomes a folder")):
        build_registry({"screen": str(tmp_path / "mine.yaml")}, root)


def test_two_channels_of_one_name_are_refused():
    text = "source: {root: a, pattern: b, channels: {'1': DNA, '2': ER, '3': DNA}}\nmetadata: {file: m}"
    assert "two channels are both called 'DNA'; give each its own name" in wrong(Screen, text)


def test_plates_for_ome_zarr_name_an_experiment(root):
    assert build_registry({"screen": "tiny"}, root).ome_zarr == ["ALPHA-01"]
    chosen = build_registry({"screen": "tiny", "ome_zarr": ["BETA-02_1", "ALPHA-01"]}, root).ome_zarr
    assert chosen == ["BETA-02_1", "ALPHA-01"]
    for name in ("GAMMA-01", "ALPHA-01_../x", "ALPHA-0"):
        with pytest.raises(ConfigError, match="is neither an experiment nor"):
            build_registry({"screen": "tiny", "ome_zarr": [name]}, root)


def test_experiments_are_read_from_the_metadata_when_left_out(root, tmp_path):
    (tmp_path / "wells.csv").write_text("experiment,plate,well,kind\nB-2,1,A01,x\nB-1,1,A01,x\nB-3,1,A01,y\n")
    screen = {
        "source": {"root": ".", "pattern": "{experiment}/{plate}_{well}_{site}_{channel}.tif", "channels": {"1": "D"}},
        "metadata": {"file": str(tmp_path / "wells.csv"), "select": {"kind": ["x"]}},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(screen))
    assert build_registry({"screen": str(tmp_path / "mine.yaml")}, root).experiments == ["B-1", "B-2"]
    (tmp_path / "wells.csv").unlink()
    with pytest.raises(ConfigError, match="list them under `experiments:`"):
        build_registry({"screen": str(tmp_path / "mine.yaml")}, root)


def test_method_overrides_the_screen_and_the_screen_the_default():
    recipe = resolve_recipe(Recipe(epochs=7, group=16), Method(group=32, title="x"), "m")
    assert (recipe.epochs, recipe.group, recipe.groups_per_step) == (7, 32, 8)


def test_rxrx1_recipe_is_the_papers(root):
    registry = build_registry({"screen": "rxrx1"}, root)
    recipe = registry.recipes["baseline"]
    assert len(registry.experiments) == 51
    assert (recipe.backbone, recipe.pixels, recipe.epochs) == ("densenet161", 512, 100)
    assert (recipe.group, recipe.groups_per_step) == (64, 8)
    assert recipe.peak_learning_rate == pytest.approx(0.1024)
    assert (recipe.optimizer, recipe.momentum, recipe.objective.mixing) == ("sgd", 0.9, "cutmix")
    assert registry.recipes["adabn"].inference == "batch"
    assert recipe.inference == "train"


def flat(recipe):
    """Its keys and those of its objective."""
    keys = recipe.model_dump()
    own = keys.pop("objective")
    return {**keys, **own}


def test_methods_differ_in_nothing_but_what_they_are_named_for(root):
    """Every method gets the same budget and the same batch-norm group size."""
    recipes = build_registry({"screen": "rxrx1"}, root).recipes
    base = flat(recipes["baseline"])
    expected = {
        "adabn": {"batch_norm"},
        "gradient_reversal": {"gradient_reversal"},
        "adabn_gradient_reversal": {"batch_norm", "gradient_reversal"},
        "adabn_test_only": {"test_statistics"},
        "shuffled_labels": {"shuffle_labels"},
    }
    for method, keys in expected.items():
        assert {key for key, value in flat(recipes[method]).items() if base[key] != value} == keys


def test_method_on_anothers_weights_trains_nothing_and_changes_nothing_but_statistics(root, tmp_path):
    shutil.copytree(root / "config", tmp_path / "config")
    methods, tables = tmp_path / "config/methods.yaml", tmp_path / "config/tables.yaml"
    choice = {"screen": "tiny", "methods": str(methods), "tables": str(tables)}
    runs = build_registry(choice, root).runs("table1")
    own = {(run.method, run.weights, run.inference) for run in runs if run.weights == "baseline"}
    assert own == {("baseline", "baseline", "train"), ("adabn_test_only", "baseline", "batch")}
    assert all(run.weights == run.method for run in runs if run.method != "adabn_test_only")
    text = methods.read_text()
    for new, message in (
        ("weights_of: baselin\n", "no method 'baselin'; did you mean 'baseline'"),
        ("weights_of: baseline\n  epochs: 3\n", "`epochs` would need a training of its own"),
        ("weights_of: adabn_test_only\n", "which is not trained itself"),
    ):
        methods.write_text(text.replace("weights_of: baseline\n", new))
        with pytest.raises(ConfigError, match=message):
            build_registry(choice, root)


def test_a_method_that_starts_with_anothers_weights_needs_one_of_the_same_network(root, tmp_path):
    methods = (
        "first: {}\nsecond: {starts_from: first, learning_rate: 0.5}\nthird: {starts_from: second}\n"
        "tested: {weights_of: first, test_statistics: batch}\nfourth: {starts_from: tested}\n"
        "wider: {starts_from: first, backbone: resnet50}\nabove: {starts_from: wider, backbone: resnet50}\n"
        "round: {starts_from: again}\nagain: {starts_from: round}\n"
        "fewer: {starts_from: first, channels: [DNA]}\n"
    )
    tables = "{kind: variations, title: t, splits: [separated], variations: {a: {}}, methods: "
    names = ["second", "third", "fourth", "wider", "above", "round", "fewer"]
    (tmp_path / "tables.yaml").write_text(
        "tables:\n" + "".join(f"  of_{name}: {tables}[{name}]}}\n" for name in names) + "figures: {}\n"
    )
    where = {key: str(tmp_path / f"{key}.yaml") for key in ("methods", "tables")}
    (tmp_path / "methods.yaml").write_text(methods)
    (tmp_path / "mine.yaml").write_text("extends: tiny\ntargets: [of_second]\n")
    where["screen"] = str(tmp_path / "mine.yaml")
    registry = build_registry(where, root)
    assert [registry.starts_from(name) for name in ("first", "second", "third", "fourth")] == [
        [], ["first"], ["second"], ["first"],
    ]  # fmt: skip
    assert all(registry.lacking(f"of_{name}") == "" for name in ("second", "third", "fourth"))
    assert "method 'wider': `starts_from`: 'first' has another `backbone`" in registry.lacking("of_wider")
    assert "method 'above': `starts_from`: no method 'wider' can be trained on this screen" in registry.lacking(
        "of_above"
    )
    assert "it leads back to 'round'" in registry.lacking("of_round")
    assert "method 'fewer': `starts_from`: 'first' has another `channels`" in registry.lacking("of_fewer")
    (tmp_path / "methods.yaml").write_text(methods.replace("starts_from: second", "starts_from: seond"))
    with pytest.raises(ConfigError, match="third: `starts_from`: no method 'seond'; did you mean 'second'"):
        build_registry(where, root)


def test_mechanisms_are_learned_only_where_the_screen_names_them(root, tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: tiny\ncolumns: {mechanism: mechanism}\n")
    assert build_registry({"screen": str(tmp_path / "mine.yaml")}, root).lacking("cdcl_table2a") == ""
    unnamed = build_registry({"screen": "tiny"}, root)
    assert "name their column as `columns.mechanism`" in unnamed.lacking("cdcl_table2a")


def test_runs_of_a_table(root):
    registry = build_registry({"screen": "demo"}, root)
    # five methods, two splits, one seed; and a null with one seed on the first split
    assert len(registry.runs("table1")) == 5 * 2 + 1
    assert registry.runs("table1")[-1] == Run("shuffled_labels", "separated", 0, "train", "shuffled_labels")
    # a call may ask for more seeds than the screen's own number, and for fewer; the table's own is the most
    assert len(build_registry({"screen": "demo", "seeds": 2}, root).runs("table1")) == 5 * 2 * 2 + 1
    assert len(build_registry({"screen": "rxrx1", "seeds": 1}, root).runs("table1")) == 5 * 3 + 1
    assert len(build_registry({"screen": "rxrx1", "seeds": 9}, root).runs("table1")) == 5 * 3 * 5 + 1
    sample = build_registry({"screen": "rxrx1_sample"}, root)
    assert {run.split for run in sample.runs("table1")} == {"separated"}
    assert len(build_registry({"screen": "rxrx1"}, root).runs("table1")) == 5 * 3 * 5 + 1


def test_shipped_schemas_are_those_of_the_models(root):
    for name, text in json_schemas().items():
        shipped = (root / f"workflow/schemas/{name}.schema.json").read_text()
        assert json.loads(shipped) == json.loads(text), "run `make schemas`"


def test_every_field_is_described():
    def check(schema):
        for section in [schema, *schema.get("$defs", {}).values()]:
            for key, value in section.get("properties", {}).items():
                assert value.get("description") or "$ref" in value, key

    check(Screen.model_json_schema())
    check(Method.model_json_schema())


def test_variables_expand(monkeypatch):
    monkeypatch.setenv("HERE", "/data")
    assert expand("$HERE/x") == "/data/x"
    assert expand("${HERE:-b}/x") == "/data/x"
    assert expand("${NOT_SET_ANYWHERE:-b}/x") == "b/x"
    with pytest.raises(ConfigError, match="NOT_SET_ANYWHERE is not set"):
        expand("$NOT_SET_ANYWHERE/x")


def test_user_file_in_the_working_directory_comes_first(root, tmp_path, monkeypatch):
    shutil.copytree(root / "config", tmp_path / "config")
    methods = tmp_path / "config/methods.yaml"
    methods.write_text(methods.read_text().replace("batch_norm: adaptive", "batch_norm: adaptive\n  epochs: 3"))
    monkeypatch.chdir(tmp_path)
    assert build_registry({"screen": "demo"}, root).recipes["adabn"].epochs == 3


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
sections = st.dictionaries(st.sampled_from([*Screen.model_fields, "other"]), json_like, max_size=5)


@given(sections)
def test_no_content_of_a_screen_ends_in_anything_but_a_clear_error(data):
    with contextlib.suppress(ConfigError):
        validate(Screen, data, "screen.yaml")


@pytest.mark.parametrize(
    ("splits", "first"),
    [
        ("", []),
        ("splits: {folds: 5}", []),
        ("splits: {names: [separated, stratified]}", ["table1", "table3"]),
        ("splits: {names: [stratified]}", ["table1"]),
        ("splits: {names: [fold1], folds: 3}", []),
    ],
)
def test_profiles_with_splits_have_the_tables_of_a_linear_classifier(root, tmp_path, splits, first):
    (tmp_path / "mine.yaml").write_text(f"profiles: {{made_up: {{file: profiles.parquet}}}}\n{splits}\n")
    screen = build_registry({"screen": str(tmp_path / "mine.yaml")}, root).screen
    assert screen.targets == [*first, *PROFILE_TARGETS]
    assert bool(screen.splits.names) == ("names" in splits)


def test_profiles_say_what_is_wrong_with_their_splits():
    assert "`splits`: expected" in wrong(Screen, "profiles: {a: {file: f}}\nsplits: [separated]")
    assert "`splits.names`: expected" in wrong(Screen, "profiles: {a: {file: f}}\nsplits: {names: separated}")
    assert "`splits.names`: expected" in wrong(Screen, "profiles: {a: {file: f}}\nsplits: {names: null}")
    assert "no split 'seperated'" in wrong(Screen, "profiles: {a: {file: f}}\nsplits: {names: [seperated]}")


@pytest.mark.parametrize(
    ("screen", "said"),
    [
        ({"profiles": {"cp": {"file": "x.csv", "feature": ["f*"]}}}, "did you mean 'features'"),
        ({"profiles": {"cp": {"file": "x.csv", "zzz": 1}}}, "there is: description, features, file, title"),
        ({"annotations": [{"file": "x.csv", "match": {"a": "b"}, "partly": True}]}, "did you mean 'partial'"),
        (
            {"annotations": [{"file": "x.csv", "match": {"a": "b"}, "zzz": 1}]},
            "there is: file, fill, many, match, partial",
        ),
    ],
)
def test_unknown_keys_of_optional_sections_and_of_lists_name_those_that_there_are(screen, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        validate(Screen, screen, "mine.yaml")
