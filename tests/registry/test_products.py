"""What a call asks for of each run, and which jobs make it."""

from dataclasses import replace

import pytest

from debatch.files import Files, Product, product_files, result_files
from debatch.registry import build_registry
from debatch.registry.asked import asked_products, asked_targets, partly_made
from debatch.registry.products import RunFolder, form_words, forms_of, in_order, needed_products, sources_of
from debatch.registry.run import Run

FILES = Files("results", "tiny")
ADABN = RunFolder("adabn", "separated", 0)
BASELINE = RunFolder("baseline", "separated", 0)


@pytest.fixture(scope="module")
def tiny(root):
    return build_registry({"screen": "tiny"}, root)


def view(statistics):
    return Product("view", statistics)


def test_table_1_asks_for_accuracy_and_what_that_is_made_from(tiny):
    asked = asked_products(tiny, FILES, ["table1"])
    assert len(asked) == 4 * 3 + 1
    assert asked[ADABN] == [view("batch"), Product("metrics", "batch")]
    # AdaBN at test only is a look at the baseline
    assert asked[BASELINE] == [view("train"), view("batch"), Product("metrics", "train"), Product("metrics", "batch")]
    assert {product.kind for products in asked.values() for product in products} == {"view", "metrics"}


def test_nothing_named_is_the_screens_own_targets(tiny):
    own = asked_products(tiny, FILES, [])
    assert own == asked_products(tiny, FILES, ["all"]) == asked_products(tiny, FILES, ["report"])
    assert asked_products(tiny, FILES, [FILES.report()]) == own
    kinds = {product.kind for product in own[ADABN]}
    assert kinds == {"view", "epochs", "adaptation", "metrics", "cosine", "scores", "probe", "corrected",
                     "corrected_scores"}  # fmt: skip


@pytest.mark.parametrize("named", ["ingest", "qc", "plates", "illumination", "index", "make_plates", "ome_zarr"])
def test_a_stage_that_looks_at_no_run_asks_for_nothing(tiny, named):
    assert asked_products(tiny, FILES, [named]) == {}


def test_a_tables_file_is_the_table(tiny):
    assert asked_targets(tiny, FILES, [FILES.table("table3", "md"), FILES.figure("figure7", "svg")]) == [
        "table3", "figure7",
    ]  # fmt: skip


def test_a_name_that_is_not_known_may_need_anything(tiny):
    asked = asked_targets(tiny, FILES, ["a workflow that has this one as a module"])
    assert set(asked) == {name for name in tiny.targets_of.all() if not tiny.lacking(name)}


@pytest.mark.parametrize(
    ("path", "products"),
    [
        (FILES.embeddings(FILES.any_run(ADABN.path), "plate"), [view("plate")]),
        (FILES.h5ad(FILES.any_run(ADABN.path), "batch"), [view("batch")]),
        (FILES.metrics(FILES.any_run(ADABN.path), "batch"), [view("batch"), Product("metrics", "batch")]),
        (
            FILES.embeddings(FILES.any_run(ADABN.path), "batch.znorm"),
            [view("batch"), Product("corrected", "batch", "znorm")],
        ),
        (FILES.model(FILES.any_run(ADABN.path)), []),
        (FILES.embeddings(FILES.any_run(ADABN.path), "plato"), []),
    ],
)
def test_a_named_file_of_a_run_is_asked_for_with_its_sources(tiny, path, products):
    assert asked_products(tiny, FILES, [path]) == ({ADABN: products} if products else {})


def test_h5ad_asks_for_embeddings_of_targets_that_look_at_them(tiny):
    asked = asked_products(tiny, FILES, ["h5ad"])
    corrected = [Product("corrected", "batch", name) for name in ("harmony", "sphering", "znorm")]
    assert asked[ADABN] == [view("batch"), *corrected]
    assert len(asked) == 4


def test_a_probe_looks_at_other_wells_or_at_training_images():
    unseen, seen = RunFolder("adabn", "separated", 0), RunFolder("adabn", "stratified", 0)
    assert sources_of(Product("probe", "batch"), unseen) == [view("batch"), view("half")]
    assert sources_of(Product("probe", "train"), unseen) == [view("train")]
    assert sources_of(Product("probe", "batch"), seen) == [view("batch"), Product("training", "batch")]
    both = RunFolder("baseline", "separated_val", 0)
    assert sources_of(Product("training_side_probe", "train"), both) == [view("train"), Product("training", "train")]


def test_what_profiles_are_scored_by_is_made_from_no_product():
    assert sources_of(Product("scores", "profiles"), RunFolder("made_up", "", 0, external=True)) == []


def test_order_is_by_kind_and_the_networks_own_statistics_first():
    told = [Product("metrics", "batch"), view("plate"), Product("metrics", "train"), view("train")]
    assert in_order(told) == [view("train"), view("plate"), Product("metrics", "train"), Product("metrics", "batch")]


def test_one_job_embeds_a_run_and_one_scores_it_under_each_choice_of_statistics(tiny):
    asked = asked_products(tiny, FILES, ["table1"])
    embedded = forms_of("embed_run", asked, {})
    assert embedded[view("train"), view("batch")] == [RunFolder("baseline", split, 0) for split in
                                                      ("separated", "stratified", "stratified_site")]  # fmt: skip
    assert sum(len(places) for places in embedded.values()) == len(asked)
    scored = forms_of("score_run", asked, {})
    assert set(scored) == {(Product("metrics", "train"),), (Product("metrics", "batch"),)}
    assert sum(len(places) for places in scored.values()) == 3 * 5 + 1


def test_what_an_earlier_call_made_is_apart_from_what_is_new():
    asked = {ADABN: [view("batch"), view("half"), Product("epochs", "batch")]}
    assert forms_of("embed_run", asked, {ADABN.path: [0]}) == {
        (view("batch"),): [ADABN],
        (view("half"), Product("epochs", "batch")): [ADABN],
    }
    assert forms_of("embed_run", asked, {BASELINE.path: [0]}) == {tuple(asked[ADABN]): [ADABN]}


def test_a_part_is_there_where_all_of_its_files_are(tmp_path):
    files = Files(str(tmp_path), "tiny")
    asked = {ADABN: [view("batch"), Product("metrics", "batch")], BASELINE: [view("train")]}
    assert partly_made(files, asked) == {}

    def make(place, product, count):
        for path in product_files(files, files.any_run(place.path), product)[:count]:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()

    make(ADABN, view("batch"), 1)
    assert partly_made(files, asked) == {}
    make(ADABN, view("batch"), 2)
    make(BASELINE, view("train"), 2)  # all that is asked of it
    assert partly_made(files, asked) == {ADABN.path: [0]}
    make(ADABN, Product("metrics", "batch"), 1)
    assert partly_made(files, asked) == {}


def test_forms_have_names_of_their_own():
    forms = [
        [view("train"), view("batch"), Product("epochs", "batch")],
        [view("train"), Product("training", "train")],
        [Product("training", "train")],
        [Product("adaptation")],
        [Product("corrected", "batch", "znorm"), Product("corrected_scores", "batch", "znorm")],
        [Product("corrected", "batch", "harmony"), Product("corrected_scores", "batch", "harmony")],
    ]
    assert form_words(forms) == [
        "train_batch_epochs", "train_training", "train_training_2", "adaptation", "batch_corrected_scores",
        "batch_corrected_scores_2",
    ]  # fmt: skip


def test_tasks_are_scored_from_what_was_embedded_of_both_sides():
    asked = Product("tasks", "train")
    assert sources_of(asked, BASELINE) == [view("train"), Product("training", "train")]
    assert product_files(FILES, "runs/baseline", asked) == ["runs/baseline/metrics/train.tasks.csv"]
    run = Run("baseline", "tasks", 0, "train", "baseline")
    assert needed_products(run, "tasks") == [asked]
    assert result_files(FILES, "tasks", [run]) == [FILES.tasks(FILES.folder(run), "train")]
    assert form_words([[asked]]) == ["train"]
    assert needed_products(replace(run, external=True), "tasks") == []
