"""What the explorer shows of a screen."""

import pytest

from debatch.errors import ConfigError
from debatch.files import Files, Product
from debatch.registry import build_registry
from debatch.registry.asked import asked_products, asked_targets
from debatch.registry.explored import explored_files, explored_runs, predictions_of
from debatch.registry.products import RunFolder


@pytest.fixture(scope="module")
def tiny(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    (folder / "tiny.yaml").write_text(f"extends: {root}/config/screens/tiny.yaml\nexplorer: {{methods: null}}\n")
    return build_registry({"screen": str(folder / "tiny.yaml")}, root)


def test_every_method_and_correction_of_the_tables_is_shown_once_and_no_null(tiny):
    runs = explored_runs(tiny)
    looks = [(run.weights, run.split, run.view) for run in runs]
    assert len(set(looks)) == len(looks)
    unseen = {(run.method, run.correction) for run in runs if run.split == "separated"}
    named = ("baseline", "gradient_reversal", "adabn", "adabn_gradient_reversal")
    corrected = {(method, correction) for method in named for correction in ("none", "znorm", "sphering", "harmony")}
    assert unseen == {*corrected, ("adabn_test_only", "none")}
    # first as they are, then corrected, method by method
    assert [run.method for run in runs][:5] == ["baseline"] * 5
    assert runs[0].correction == "none"


def test_a_screen_may_choose_methods_and_a_wrong_one_is_named(root, tiny, tmp_path):
    few = explored_runs(build_registry({"screen": "tiny"}, root))
    assert few == [run for run in explored_runs(tiny) if run.method in ("baseline", "adabn")]
    (tmp_path / "s.yaml").write_text("extends: tiny\nexplorer: {methods: [adabm]}\n")
    screen = build_registry({"screen": str(tmp_path / "s.yaml")}, root)
    with pytest.raises(ConfigError, match=r"`explorer.methods`: .* shows a method 'adabm'; did you mean 'adabn'"):
        explored_runs(screen)


def test_of_several_seeds_the_first_is_shown(root):
    assert {run.seed for run in explored_runs(build_registry({"screen": "rxrx1"}, root))} == {0}


def test_an_explorer_asks_for_what_it_shows_alone(tiny):
    files = Files("results", "tiny")
    asked = asked_products(tiny, files, ["explorer"])
    assert asked == asked_products(tiny, files, [files.explorer()])
    assert asked[RunFolder("adabn", "separated", 0)] == [
        Product("view", "batch"),
        *(Product("corrected", "batch", name) for name in ("harmony", "sphering", "znorm")),
    ]
    assert {product.kind for products in asked.values() for product in products} == {"view", "corrected"}
    assert asked_targets(tiny, files, ["explorer"]) == []


def test_plain_snakemake_asks_for_it_where_it_is_a_target(root, tmp_path):
    (tmp_path / "s.yaml").write_text("extends: tiny\ntargets: [table1, explorer]\n")
    screen = build_registry({"screen": str(tmp_path / "s.yaml")}, root)
    files = Files("results", "s")
    folders = {RunFolder.of(run) for run in explored_runs(screen)}
    assert folders <= set(asked_products(screen, files, []))


def test_each_runs_points_are_one_file_and_predictions_are_of_what_was_not_corrected(tiny):
    files = Files("results", "tiny")
    made_from = explored_files(tiny, files)
    folders = {files.folder(run) for run in explored_runs(tiny)}
    assert sorted(made_from["projections"]) == sorted(files.projections(folder) for folder in folders)
    assert made_from["thumbnails"] == [files.thumbnails(name) for name in tiny.experiments]
    harmony = next(run for run in explored_runs(tiny) if (run.method, run.correction) == ("adabn", "harmony"))
    assert predictions_of(harmony, tiny, files) == "results/tiny/runs/adabn/separated/seed0/predictions/batch.parquet"


def test_a_screen_may_do_without_pictures(root, tmp_path):
    (tmp_path / "s.yaml").write_text("extends: tiny\nexplorer: {thumbnails: 0}\n")
    screen = build_registry({"screen": str(tmp_path / "s.yaml")}, root)
    assert explored_files(screen, Files("results", "s"))["thumbnails"] == []


def test_profiles_have_predictions_where_a_split_has_a_classifier(root, tmp_path):
    text = (root / "config/screens/bbbc021.yaml").read_text()
    files = Files("results", "profiles")
    for names, expected in (
        ("[]", []),
        ("[separated_val, separated]", ["results/profiles/runs/external/cellprofiler/predictions/separated.parquet"]),
    ):
        lines = [line for line in text.splitlines() if not line.startswith("splits:")]
        (tmp_path / "profiles.yaml").write_text("\n".join([*lines, f"splits: {{names: {names}}}"]))
        screen = build_registry({"screen": str(tmp_path / "profiles.yaml")}, root)
        made_from = explored_files(screen, files)
        assert made_from["predictions"] == expected
        assert made_from["thumbnails"] == []
        assert made_from["projections"] == ["results/profiles/runs/external/cellprofiler/projections.parquet"]
