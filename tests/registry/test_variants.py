"""Methods that tables and figures derive: which trainings the paper comes to, and which of them are shared."""

import re
import shutil

import pytest
import yaml

from debatch.config import Recipe
from debatch.config.parts import on_screen
from debatch.config.screen import Screen
from debatch.errors import ConfigError
from debatch.registry import build_registry

# as recipe.json and the workflow's params have it: a change here trains every run again
RXRX1_BASELINE = {
    "backbone": "densenet161", "weights": None, "pixels": 512, "embedding_width": 1024, "normalization": "self",
    "batch_norm": "standard", "test_statistics": None, "statistics_images": 6400, "group": 64, "groups_per_step": 8,
    "epochs": 100, "optimizer": "sgd", "learning_rate": 0.1024, "learning_rate_images": 512, "warmup_epochs": 5.0,
    "momentum": 0.9, "weight_decay": 0.0001, "augmentation": "dihedral", "snapshot_every": 5,
    "precision": "auto", "shuffle_labels": False, "channels": None, "parts": None, "checkpointing": False,
    "learn_from": "all", "final_learning_rate": 0.0, "final_weight_decay": None, "gradient_clip": None,
    "stem": {"kind": "plain"}, "thin_plate_spline": 0.0, "swad": None, "starts_from": None, "label": "perturbation",
    "objective": {
        "kind": "classification", "mixing": "cutmix", "gradient_reversal": 0.0, "reversal_schedule": "dann",
        "batch_loss_weight": 1.0, "batch_head_rate": 1.0,
    },
}  # fmt: skip
# target -> its trainings at full size, and how many of them no target before it has (in the paper's order)
RXRX1_TRAININGS = {
    "table1": (61, 61),
    "figure6": (4, 0),
    "table2": (12, 10),
    "table3": (20, 0),
    "figure7": (2, 0),
    "table_s3": (20, 0),
    # HUVEC, RPE and HepG2: five seeds and four more draws; U2OS has one draw; of four methods
    "table4": (3 * (5 + 4) * 4 + 5 * 4, 128),
    "figure8": (63, 62),
    "figure9": (63, 0),
    "table5": (30, 25),
    "table6": (6, 5),
    "figure10": (20, 0),
}


def trainings(registry, target):
    return {(run.weights, run.split, run.seed) for run in registry.runs(target)}


@pytest.fixture
def configured(root, tmp_path):
    """A registry of a screen and tables that differ a little from those shipped."""

    def build(screen, tables=None, methods=""):
        shutil.copytree(root / "config", tmp_path / "config", dirs_exist_ok=True)
        (tmp_path / "mine.yaml").write_text(screen)
        choice = {"screen": str(tmp_path / "mine.yaml"), "methods": str(tmp_path / "config/methods.yaml")}
        if tables is not None:
            (tmp_path / "tables.yaml").write_text(yaml.safe_dump(tables))
            choice["tables"] = str(tmp_path / "tables.yaml")
        with (tmp_path / "config/methods.yaml").open("a") as file:
            file.write(methods)
        return build_registry(choice, root)

    return build


def of_variations(**tables):
    rows = {
        name: {"kind": "variations", "title": "x", "splits": ["separated"], "methods": ["baseline"], **table}
        for name, table in tables.items()
    }
    return {"tables": rows, "figures": {}}


def test_the_papers_recipe_in_full(root):
    recipes = build_registry({"screen": "rxrx1"}, root).recipes
    assert recipes["baseline"].model_dump() == RXRX1_BASELINE
    assert recipes["baseline__channels_1_6"].model_dump()["channels"] == ["Hoechst", "WGA"]
    assert Recipe(**RXRX1_BASELINE) == recipes["baseline"]


def test_trainings_of_every_part_of_the_paper_at_full_size(root):
    registry = build_registry({"screen": "rxrx1"}, root)
    assert registry.targets_of.pages["paper"] == list(RXRX1_TRAININGS)
    found, seen = {}, set()
    for target in registry.targets_of.pages["paper"]:
        own = trainings(registry, target)
        found[target] = (len(own), len(own - seen))
        seen |= own
    assert found == RXRX1_TRAININGS
    assert len(seen) == 291


def test_a_variation_that_changes_nothing_here_is_the_method_itself(root):
    registry = build_registry({"screen": "rxrx1"}, root)
    first, *others = registry.variants["table2"]
    assert first.methods == {"baseline": "baseline", "adabn": "adabn"}
    assert first.also == ("CutMix", "densenet161")
    assert [row.key for row in others] == ["no_cutmix", "mixup", "resnet50", "resnet101", "densenet121"]
    assert registry.variants["table5"][-1].methods == {"baseline": "baseline"}
    assert registry.variants["table6"][-1].methods == {"adabn": "adabn"}
    assert registry.variants["figure9"][-1].methods == {"baseline": "baseline"}


def test_a_variation_changes_what_it_names_and_keeps_no_weights_on_the_way(root):
    recipes = build_registry({"screen": "rxrx1"}, root).recipes
    base = recipes["adabn"].model_dump()
    unmixed = {"objective": {**base["objective"], "mixing": "none"}}
    for name, expected in {"no_cutmix": unmixed, "resnet50": {"backbone": "resnet50"}}.items():
        own = recipes[f"adabn__{name}"].model_dump()
        assert {key: own[key] for key in own if own[key] != base[key]} == {**expected, "snapshot_every": 0}


@pytest.mark.parametrize("screen", ["demo", "tiny"])
def test_small_screens_take_another_small_backbone_for_each_row_and_say_so(root, screen):
    registry = build_registry({"screen": screen}, root)
    rows = {row.key: row for row in registry.variants["table2"]}
    backbones = [registry.recipes[rows[name].methods["baseline"]].backbone for name in rows if "net" in name]
    assert len(backbones) == 4
    assert len({*backbones, "small_resnet"}) == 5
    assert rows["densenet121"].title == "small densenet (for densenet121)"
    mixing = [registry.recipes[rows[name].methods["adabn"]].objective.mixing for name in rows if "net" not in name]
    assert sorted(mixing) == ["cutmix", "mixup", "none"]


def test_two_backbones_may_not_have_one_substitute(configured):
    with pytest.raises(ConfigError, match="'small_densenet' stands for two backbones, whose rows would be the same"):
        configured("extends: demo\nsubstitutes: {resnet50: small_densenet, densenet121: small_densenet}\n")


def test_pretrained_weights_go_with_their_own_backbone(configured):
    registry = configured("extends: rxrx1\ntraining: {weights: /w.pth}\n")
    weights = {row.key: registry.recipes[row.methods["baseline"]].weights for row in registry.variants["table2"]}
    assert (weights["default"], weights["mixup"], weights["resnet50"]) == ("/w.pth", "/w.pth", None)
    titles = {row.key: row.title for row in registry.variants["table2"]}
    assert (titles["mixup"], titles["resnet50"]) == ("MixUp", "resnet50, from scratch")
    assert "pretrained weights" in registry.lacking("figure9")


def test_other_networks_are_not_held_against_the_paper(configured):
    with pytest.raises(ConfigError, match="other networks cannot be compared with published numbers"):
        configured("extends: rxrx1\nsubstitutes: {resnet50: resnet18}\n")


def test_a_cell_type_without_test_or_training_batches_has_no_split_of_its_own(configured):
    registry = configured("extends: tiny\nsimulate: {experiments: {ALPHA: 3, BETA: 1}}\n")
    assert {run.split for run in registry.runs("table4")} == {"few_ALPHA_draw0"}


def test_tables_share_what_has_the_same_recipe_under_any_name(configured):
    tables = of_variations(
        a={"variations": {"wide": {"embedding_width": 64}}},
        b={"variations": {"as_in_a": {"embedding_width": 64}, "longer": {"epochs": 20}}},
    )
    registry = configured("extends: demo\ntargets: [a]\n", tables)
    assert trainings(registry, "a") == {("baseline__wide", "separated", 0)}
    assert trainings(registry, "b") == {("baseline__wide", "separated", 0), ("baseline__longer", "separated", 0)}


def test_two_variations_of_one_name_must_be_the_same(configured):
    tables = of_variations(a={"variations": {"wide": {"group": 16}}}, b={"variations": {"wide": {"group": 8}}})
    with pytest.raises(ConfigError, match="`b` and `a` both have a variation 'wide', with different changes"):
        configured("extends: demo\ntargets: [a]\n", tables)


def test_a_method_on_anothers_weights_takes_those_of_its_variation(configured):
    tables = of_variations(
        a={
            "methods": ["baseline", "adabn_test_only"],
            "variations": {"default": {}, "mixup": {"objective": {"mixing": "mixup"}}},
        }
    )
    runs = configured("extends: demo\ntargets: [a]\n", tables).runs("a")
    assert {(run.weights, run.inference) for run in runs} == {
        ("baseline", "train"), ("baseline", "batch"), ("baseline__mixup", "train"), ("baseline__mixup", "batch"),
    }  # fmt: skip


def test_names_of_variations_are_kept_for_them(configured):
    with pytest.raises(ConfigError, match="`baseline__mixup`: `__` is kept for the variations of methods"):
        configured("extends: demo\n", methods="baseline__mixup: {objective: {mixing: mixup}}\n")
    with pytest.raises(ConfigError, match="a variation's name is lower case letters"):
        configured("extends: demo\ntargets: [a]\n", of_variations(a={"variations": {"Mix-up": {}}}))
    with pytest.raises(ConfigError, match=r"the key `tables\.a\.variations` is missing"):
        configured("extends: demo\ntargets: [a]\n", of_variations(a={}))


def test_every_subset_of_the_channels_is_there_once(root):
    registry = build_registry({"screen": "rxrx1"}, root)
    rows = registry.variants["figure9"]
    assert len({row.channels for row in rows}) == len({row.methods["baseline"] for row in rows}) == 63
    assert rows == registry.variants["figure8"]
    assert [row.channels for row in rows if len(row.channels) == 1] == [
        ("Hoechst",), ("ConA",), ("Phalloidin",), ("Syto14",), ("MitoTracker",), ("WGA",),
    ]  # fmt: skip
    trained = {row.channels: registry.recipes[row.methods["baseline"]].channels for row in rows}
    assert all(list(channels) == seen for channels, seen in trained.items() if len(channels) < 6)
    assert trained[rows[-1].channels] is None
    assert len(build_registry({"screen": "tiny"}, root).variants["figure9"]) == 7


def test_channels_are_those_of_the_screen_in_its_order(configured):
    registry = configured("extends: demo\ntraining: {channels: [Mito, DNA]}\n")
    assert registry.recipes["baseline"].channels == ["DNA", "Mito"]
    assert [row.title for row in registry.variants["figure9"]] == ["DNA", "Mito", "DNA + Mito"]
    assert registry.variants["figure9"][-1].methods == {"baseline": "baseline"}
    two = Screen(simulate={"channels": 2})
    assert on_screen(Recipe(channels=["ER", "DNA"]), two, "x").channels is None
    with pytest.raises(ConfigError, match="x: `channels`: 'ER' is listed twice"):
        on_screen(Recipe(channels=["ER", "ER"]), two, "x")
    with pytest.raises(ConfigError, match=r"`channels`: the screen has no channel 'Mit'; did you mean 'Mito'\?"):
        configured("extends: demo\ntraining: {channels: [Mit]}\n")


def test_more_channels_than_can_be_gone_through_are_refused(configured):
    many = {str(number): f"c{number}" for number in range(1, 10)}
    screen = {
        "source": {"root": ".", "pattern": "{experiment}_{plate}_{well}_{site}_{channel}.tif", "channels": many},
        "experiments": ["a"],
        "targets": ["figure9"],
    }
    with pytest.raises(ConfigError, match="figure9 trains a model on each of 511 subsets of the channels; name 8 at"):
        configured(yaml.safe_dump(screen))


def test_few_batches_take_all_seeds_on_one_draw_and_one_on_the_others(root):
    registry = build_registry({"screen": "demo", "seeds": 2}, root)
    seeds = {}
    for run in registry.runs("table4"):
        seeds.setdefault(run.split, set()).add(run.seed)
    # ALPHA trains on 5 of 8 experiments; BETA on 3 of 4, of which there is one choice of three
    assert seeds == {
        "few_ALPHA_draw0": {0, 1}, **{f"few_ALPHA_draw{draw}": {0} for draw in range(1, 5)}, "few_BETA_draw0": {0, 1},
    }  # fmt: skip
    assert {run.seed for run in registry.runs("table3")} == {0, 1}


def test_cell_types_must_be_known_before_there_is_metadata(configured, root):
    with pytest.raises(ConfigError, match=r"table4 needs to know the cell types .* `splits\.cell_types`"):
        configured("extends: rxrx1_sample\ntargets: [table4]\n")
    with pytest.raises(ConfigError, match=r"'\.\./x' becomes a file's name"):
        configured("extends: rxrx1_sample\nsplits: {cell_types: {../x: 3}}\n")
    assert build_registry({"screen": "rxrx1_sample"}, root).runs("table4") == []


def test_the_paper_comes_first_and_whole_whatever_the_screen_asks_for(root):
    registry = build_registry({"screen": "tiny"}, root).of_page("paper")
    assert registry.shown[:12] == list(RXRX1_TRAININGS)
    assert registry.shown[12:] == ["qc", "plates", "illumination"]
    able = build_registry({"screen": "rxrx1_sample"}, root).of_page("paper").shown
    assert "table4" not in able
    assert "figure9" in able


def test_smaller_rxrx1_is_nowhere_comparable(root):
    registry = build_registry({"screen": "rxrx1_small"}, root)
    assert registry.screen.published is None
    assert "not comparable" in registry.screen.label
    recipe = registry.recipes["baseline"]
    assert (recipe.backbone, recipe.pixels) == ("densenet121", 256)
    assert len(registry.experiments) == 51


def test_a_screen_says_what_its_size_asks_of_objectives_networks_and_weights(configured, tmp_path):
    registry = configured(
        "extends: demo_ssl\nobjectives: [{kind: dino, prototypes: 48, barlow: 0.5}]\n"
        f"pretrained: {{vit_tiny_patch16_224: {tmp_path}/a.safetensors}}\n"
        "substitutes: {deit_small_patch16_224: vit_tiny_patch16_224}\ntargets: [cdcl_table1]\n"
    )
    dino, cdcl, byol = (registry.recipes[name] for name in ("dino", "cdcl", "byol"))
    assert (dino.objective.prototypes, dino.objective.barlow) == (48, 0.5)
    assert (cdcl.objective.prototypes, cdcl.objective.barlow) == (48, 0.75)  # the method has the last word
    assert byol.objective.kind == "byol"
    assert {recipe.weights for recipe in (dino, cdcl, byol)} == {f"{tmp_path}/a.safetensors"}
    baseline = registry.recipes["baseline"]
    assert (baseline.backbone, baseline.weights) == ("small_resnet", None)
    assert baseline.objective.kind == "classification"
    assert registry.recipes["untrained"].epochs == 0


def test_a_screen_has_the_last_word_on_a_method(configured):
    registry = configured(
        "extends: demo\nmethods: {gradient_reversal: {objective: {gradient_reversal: 0.05}, epochs: 3}}\n"
    )
    own, baseline = registry.recipes["gradient_reversal"], registry.recipes["baseline"]
    assert (own.objective.gradient_reversal, own.epochs) == (0.05, 3)
    assert own.objective.batch_head_rate == baseline.objective.batch_head_rate == 3.0
    assert baseline.epochs == 10
    with pytest.raises(ConfigError, match=r"screen 'mine': `methods.adabm`: no method 'adabm'; did you mean 'adabn'"):
        configured("extends: demo\nmethods: {adabm: {epochs: 3}}\n")
    with pytest.raises(ConfigError, match=r"it is not trained itself; change 'baseline'"):
        configured("extends: demo\nmethods: {adabn_test_only: {epochs: 3}}\n")


def test_a_variation_that_cannot_be_trained_is_named(configured):
    rows = {"transformer": {"backbone": "deit_small_patch16_224"}}
    tables = of_variations(a={"methods": ["adabn"], "variations": rows})
    with pytest.raises(ConfigError, match=r"method 'adabn__transformer': .*has no batch normalization"):
        configured("extends: demo\ntargets: [a]\n", tables)


def test_continuous_integration_makes_every_target_of_the_smallest_screen(root):
    """Each table and figure that the tiny screen can make is its own target, named by a call, or on a page so named."""
    registry = build_registry({"screen": "tiny"}, root)
    script = (root / ".ci/run").read_text()
    named = {name for targets in re.findall(r'tiny "\$work/every" ([\w ]+)', script) for name in targets.split()}
    assert set(registry.targets_of.pages) <= named
    made = {*named, *registry.shown}.union(*(registry.of_page(page).shown for page in registry.targets_of.pages))
    unmade = {name for name in {**registry.tables, **registry.figures} if not registry.lacking(name)} - made
    assert not unmade
