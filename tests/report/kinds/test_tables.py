from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index
from helpers.made_up import UNSEEN, made_up_results

from debatch.errors import ConfigError
from debatch.registry import build_registry
from debatch.report.cells import COLUMNS, laid_out, tidy
from debatch.report.kinds.tables import draft_table
from debatch.report.kinds.tables.generalization import _kept
from debatch.report.names import heading_of
from debatch.report.published import Published


@pytest.fixture
def made(root, tmp_path):
    def build(name="table1", screen="demo", **options):
        results = made_up_results(root, tmp_path, screen, also=[name], **options)
        draft = draft_table(name, results)
        return tidy(draft, name, results.registry, Published.read(root / "resources/published/published.csv")), draft

    return build


def cell(table, row, column):
    return table[(table["row"] == row) & (table["column"] == column)].iloc[0]


def test_generalization_by_hand(made):
    """9 experiments of 16 images, 3 of them in test: 48 images, of which the first seed gets half."""
    table, _ = made(seeds=2)
    assert list(table.columns) == COLUMNS
    unseen = cell(table, "baseline", "accuracy_batch_separated")
    assert unseen["mean"] == pytest.approx(100 * (24 + 25) / 2 / 48)
    assert unseen["sd"] == pytest.approx(100 / 48 / 2**0.5)
    assert unseen["n"] == 2
    assert unseen["low"] <= unseen["mean"] <= unseen["high"]
    seen = cell(table, "baseline", "accuracy_batch_stratified")
    ratio = cell(table, "baseline", "batch_generalization")
    assert ratio["mean"] == pytest.approx(100 * unseen["mean"] / seen["mean"])
    assert 0 < ratio["sd"] < 5
    same = cell(table, "baseline", "batch_generalization_same_batches")
    assert 0.8 * ratio["mean"] < same["mean"] < 1.2 * ratio["mean"]
    assert cell(table, "adabn", "batch_classification_accuracy")["mean"] == 100


def test_nulls_stand_below_the_methods(made):
    table, draft = made()
    assert list(draft.rows)[-3:] == ["shuffled_labels", "position_only", "majority_class"]
    assert cell(table, "shuffled_labels", "accuracy_batch_separated")["mean"] == 25
    # the made-up layout is the same in every batch
    assert cell(table, "position_only", "accuracy_batch_separated")["mean"] == 100
    assert cell(table, "majority_class", "accuracy_batch_separated")["mean"] == 25
    assert ("shuffled_labels", "batch_generalization") not in draft.cells


def test_site_split_is_a_column_only_where_it_was_drawn(made):
    assert "accuracy_batch_stratified_site" not in made()[1].columns
    assert "accuracy_batch_stratified_site" in made(screen="tiny")[1].columns


def test_every_published_cell_of_tables_1_3_and_s3_stands_beside_its_place(made, root):
    published = pd.read_csv(root / "resources/published/published.csv")
    index = make_index(experiments=24, wells=8, sites=2, cell_types=4)
    index["cell_type"] = index["cell_type"].map({"C0": "HUVEC", "C1": "RPE", "C2": "HEPG2", "C3": "U2OS"})
    for name, count in (("table1", 16), ("table3", 16), ("table_s3", 16)):
        table, _ = made(name, screen="rxrx1", index=index)
        expected = published[(published["paper"] == "rxrx1") & (published["table"] == name)]
        assert len(expected) == count
        # the paper's 91.1 may be of either stratified split
        beside = table[table["published_mean"].notna() & (table["column"] != "accuracy_batch_stratified_site")]
        assert len(beside) == count
        cells = beside.replace({"column": {"HEPG2": "HepG2"}})[["row", "column", "published_mean"]]
        values = {(row, column): value for row, column, value in cells.itertuples(index=False)}
        assert values == {
            (row, column): value for row, column, value in expected[["row", "column", "value"]].itertuples(index=False)
        }
        assert set(beside["verdict"]) <= {"reproduced", "differs", "undecided"}


def test_simulated_screen_is_not_comparable(made):
    table, _ = made()
    assert cell(table, "adabn", "accuracy_batch_separated")["published_mean"] == 87.1
    assert set(table["verdict"]) == {"not comparable", "not defined"}
    undefined = table[table["verdict"] == "not defined"]
    assert undefined[["row", "column"]].values.tolist() == [["adabn_test_only", "batch_classification_accuracy"]]


def test_missing_split_is_a_note_and_never_a_zero(made):
    table, _ = made(screen="rxrx1_sample")
    for column in ("accuracy_batch_stratified", "batch_generalization", "batch_classification_accuracy"):
        missing = cell(table, "adabn", column)
        assert pd.isna(missing["mean"])
        assert missing["note"] == "the screen has no stratified split"
        assert missing["verdict"] == "not defined"


def test_run_that_is_missing_is_not_run(made):
    table, _ = made(without=("runs",))
    methods = table[table["row"].isin(list(UNSEEN))]
    assert methods["mean"].isna().all()
    defined = (methods["row"] != "adabn_test_only") | (methods["column"] != "batch_classification_accuracy")
    assert set(methods[defined]["verdict"]) == {"not run"}


def test_few_statistics_images_are_a_warning_in_the_note(made):
    table, _ = made(statistics=7)
    note = cell(table, "adabn", "accuracy_batch_separated")["note"]
    assert note.startswith("warning: batch-norm statistics from only 7 images (E0")
    assert not made(statistics=8)[0]["note"].str.contains("warning").any()


def test_differences_are_paired(made):
    """Both methods miss the same images but for those that one knows more: no batch says otherwise."""
    table, draft = made("table_differences", seeds=2)
    gain = cell(table, "adabn_minus_baseline", "accuracy_batch_separated")
    assert gain["mean"] == pytest.approx(100 * (43 + 44 - 24 - 25) / 2 / 48, abs=0.1)
    assert gain["sd"] == pytest.approx(0, abs=0.01)
    assert 0 < gain["low"] <= gain["mean"] <= gain["high"]
    none = cell(table, "gradient_reversal_minus_baseline", "accuracy_batch_separated")
    assert (none["mean"], none["low"], none["high"]) == (0, 0, 0)
    assert draft.text(gain["mean"], "accuracy_batch_separated").startswith("+")
    assert len(draft.rows) == 10


def test_differences_are_of_the_seeds_that_both_have(root, tmp_path):
    results = made_up_results(root, tmp_path, seeds=2)
    run = results.registry.run("baseline", "separated", 0)
    Path(results.files.metrics(results.files.folder(run), run.inference)).unlink()
    cell = draft_table("table_differences", results).cells["adabn_minus_baseline", "accuracy_batch_separated"]
    assert cell.n == 1
    assert cell.mean == pytest.approx(100 * (44 - 25) / 48)
    assert cell.low <= cell.mean <= cell.high


def test_cell_types(made):
    index = make_index(experiments=12, wells=8, cell_types=2)
    table, draft = made("table3", index=index)
    assert list(draft.columns) == ["C0", "C1"]
    overall = 100 * round(0.9 * 32) / 32
    both = [cell(table, "adabn", kind)["mean"] for kind in draft.columns]
    assert np.mean(both) == pytest.approx(overall)


def test_cell_type_without_a_test_batch_is_a_note(made):
    index = make_index(experiments=7, wells=8)
    index.loc[index["experiment"] == "E06", "cell_type"] = "lonely"
    table, _ = made("table3", index=index)
    assert pd.isna(cell(table, "adabn", "lonely")["mean"])
    assert cell(table, "adabn", "lonely")["note"] == "no test batch of this cell type"


def test_cosine_rows_with_and_without_pairs_of_one_well(made):
    table, draft = made("table_s3")
    assert draft.unit == ""
    with_wells, without = (cell(table, row, "ks_same_perturbation") for row in ("baseline", "baseline_other_wells"))
    assert 0 < with_wells["low"] <= with_wells["mean"] <= with_wells["high"] <= 1
    assert without["mean"] != with_wells["mean"]
    assert pd.isna(without["published_mean"])


def test_probe_has_a_guess_to_beat(made):
    table, draft = made("table_probe")
    permuted = tuple(f"{row}_permuted" for row in draft.rows if f"{row}_permuted" in draft.rows)
    assert permuted
    assert draft.nulls == ("guess", "guess_controls", *permuted)
    assert cell(table, "baseline", "probe_unseen")["mean"] > cell(table, "guess", "probe_unseen")["mean"]


def test_table_without_its_splits_says_what_to_do(made):
    with pytest.raises(
        ConfigError, match=r"table_val needs one of the splits separated_val; add it to `splits\.names`"
    ):
        made("table_val", screen="tiny")


def test_markdown(made, root, tmp_path):
    results = made_up_results(root, tmp_path, seeds=2)
    text = laid_out("table1", draft_table("table1", results), results.registry)
    assert "simulated" in text.splitlines()[0]
    assert "| AdaBN | 90.6 ± 1.5" in text
    assert "| Shuffled labels (null) | 25.0" in text
    # the paper's numbers are no name on another screen
    assert text.startswith(
        "**Perturbation classification accuracy and batch generalization** (simulated screen `demo`)"
    )


@pytest.mark.parametrize(
    ("screen", "target", "heading"),
    [
        ("rxrx1", "table_s3", "Table S3. How far cosine similarities across batches are from those within"),
        ("rxrx1", "figure6", "Figure 6. UMAP of embeddings"),
        ("rxrx1", "table_probe", "What still tells the batch"),
        ("rxrx1", "cdcl_table2a", "Mechanism of the nearest treatment of another compound"),
        ("rxrx1_huvec", "cdcl_table2a", "CDCL Table 2a. Mechanism of the nearest treatment of another compound"),
        ("rxrx1_huvec", "cdcl_figure2", "CDCL Figure 2. UMAP of embeddings of self-supervised networks"),
        ("chammi", "chammi_figure10", "CHAMMI Figure 10. F1 of each class"),
        ("demo", "figure6", "UMAP of embeddings"),
        ("bbbc021", "table_s3", "How far cosine similarities across batches are from those within"),
    ],
)
def test_papers_numbers_stand_on_the_papers_own_screen_alone(root, screen, target, heading):
    assert heading_of(target, build_registry({"screen": screen}, root)) == heading


def test_another_metric_is_one_key_of_a_table(made):
    """The made-up runners-up are right on half of the images that are not."""
    table, draft = made("table_top5")
    first, _ = made("table1")
    assert draft.columns["accuracy_top5_batch_separated"] == "Top-5 accuracy, unseen batches"
    top5 = cell(table, "baseline", "accuracy_top5_batch_separated")["mean"]
    assert top5 == pytest.approx((100 + cell(first, "baseline", "accuracy_batch_separated")["mean"]) / 2, abs=5)
    kept = cell(table, "baseline", "batch_generalization")["mean"]
    assert kept == pytest.approx(100 * top5 / cell(table, "baseline", "accuracy_top5_batch_stratified")["mean"])
    # of four classes the five most frequent are all
    assert cell(table, "majority_class", "accuracy_top5_batch_separated")["mean"] == 100


def test_cells_know_the_runs_that_they_are_of(made):
    _, draft = made("table1", seeds=2)
    ratio = draft.cells["adabn_test_only", "batch_generalization"].origin
    assert {(run.weights, run.split, run.seed) for run in ratio.runs} == {
        ("baseline", split, seed) for split in ("separated", "stratified") for seed in (0, 1)
    }
    guess = draft.cells["majority_class", "accuracy_batch_stratified"].origin
    assert (guess.runs, guess.splits) == ((), ("stratified",))


def test_generalization_on_the_same_batches_leaves_the_others_out():
    """One hard batch of three: what is kept of it is 90 %, though its accuracy is 59 % of that on all."""

    def metrics(**by_batch):
        every = {"": np.mean(list(by_batch.values())), **by_batch}
        rows = [("accuracy", "all", kind, batch, of, 10) for batch, of in every.items() for kind in ("", "C")]
        return [pd.DataFrame(rows, columns=["metric", "subset", "cell_type", "batch", "value", "n"])]

    unseen, seen = metrics(A=0.45), metrics(A=0.5, B=0.9, D=0.9)
    kept = [_kept(unseen, seen, "accuracy", None, same).mean for same in (False, True)]
    assert kept == pytest.approx([100 * 0.45 / (2.3 / 3), 90])
