"""Tables of classifiers of embeddings: over seeds, over folds, and what stands below them."""

import numpy as np
import pandas as pd
import pytest
from helpers.images import make_index
from helpers.made_up import made_up_results

from debatch.config.read import validate
from debatch.errors import ConfigError
from debatch.registry.kinds import tables_model
from debatch.report.cells import laid_out, tidy
from debatch.report.frames import by_seed
from debatch.report.kinds.tables import draft_table
from debatch.report.nulls import alarms
from debatch.report.published import Published
from debatch.tabular import write_frame

INDEX = make_index(experiments=6, wells=12, sites=2)
ALSO = ["cdcl_table1", "cdcl_table4", "cdcl_table2b"]


@pytest.fixture(scope="module")
def results(root, tmp_path_factory):
    return made_up_results(root, tmp_path_factory.mktemp("made_up"), "tiny", index=INDEX, also=ALSO)


def test_rows_are_methods_with_published_numbers_beside_and_nothing_is_comparable(root, results):
    published = Published.read(root / "resources/published/published.csv")
    table = tidy(draft_table("cdcl_table1", results), "cdcl_table1", results.registry, published)
    cells = table.set_index(["row", "column"])
    assert cells.loc[("supervised_vit", "linear_accuracy"), "published_mean"] == 52.56
    assert cells.loc[("cdcl", "kbet_test"), "published_mean"] == 22.26
    assert set(table["verdict"]) <= {"not comparable", "not defined"}
    (frame,) = results.by_seed("readouts", "cdcl_table1", "cdcl", "separated")
    assert cells.loc[("cdcl", "knn_accuracy"), "mean"] == pytest.approx(100 * by_seed([frame], "knn_accuracy")[0])
    assert "untrained" in cells.index.get_level_values("row")


def test_a_random_neighbour_stands_below_and_text_says_what_columns_are(results):
    draft = draft_table("cdcl_table4", results)
    assert draft.nulls == ("chance",)
    assert 0 < draft.cells["chance", "neighbor_same_batch_train"].mean < 100
    text = laid_out("cdcl_table4", draft, results.registry)
    assert text.startswith("**Do batches mix among nearest neighbours** (simulated screen `tiny`)")
    assert "A random neighbour" in text
    assert "split: separated" in text


def test_a_collapsed_run_is_named_below_the_table(results):
    (run,) = [run for run in results.registry.runs("cdcl_table1") if run.method == "byol"]
    history = {"epoch": [1], "loss": [1.0], "accuracy": [0.1], "embedding_sd": [0.3], "effective_rank": [1.1]}
    path = f"{results.files.folder(run)}/history.csv"
    before = pd.read_csv(path)
    write_frame(pd.DataFrame(history), path)
    draft = draft_table("cdcl_table1", results)
    write_frame(before, path)
    (warning,) = draft.warnings
    assert warning.startswith("BYOL, separated, seed 0 collapsed at its last epoch: embeddings vary along one")
    assert warning in laid_out("cdcl_table1", draft, results.registry)
    # a banner of the page, not folded away with the notes on how to read the table
    assert warning in alarms(draft, {})
    assert not draft_table("cdcl_table1", results).warnings


def test_settings_are_columns(results):
    draft = draft_table("cdcl_table2b", results)
    assert list(draft.rows) == ["supervised_vit", "cdcl"]
    keys = ("i", "ii", "iii", "iii_images")
    assert list(draft.columns) == [f"znorm_knn_accuracy_setting_{key}" for key in keys]


def test_folds_are_averaged_and_their_batches_drawn_once(root, tmp_path):
    screen = tmp_path / "folded.yaml"
    screen.write_text(
        f"extends: {root}/config/screens/tiny.yaml\nsplits: {{names: [fold1, fold2, fold3], folds: 3}}\n"
        "targets: [cdcl_table1]\n"
    )
    results = made_up_results(root, tmp_path / "results", str(screen), index=INDEX, also=["cdcl_table1"])
    draft = draft_table("cdcl_table1", results)
    cell = draft.cells["dino", "knn_accuracy"]
    folds = [results.by_seed("readouts", "cdcl_table1", "dino", f"fold{at}") for at in (1, 2, 3)]
    values = [100 * by_seed(fold, "knn_accuracy")[0] for fold in folds]
    assert cell.n == 3
    assert cell.mean == pytest.approx(np.mean(values))
    assert cell.sd == pytest.approx(np.std(values, ddof=1))
    text = laid_out("cdcl_table1", draft, results.registry)
    assert "over 3 folds, each tested on batches of its own" in text


def test_a_wrong_metric_and_a_screen_without_mechanisms_are_said(root, results):
    table = {"kind": "readouts", "title": "x", "methods": ["dino"], "splits": ["separated"], "metrics": ["knn_acuracy"]}
    with pytest.raises(ConfigError, match=r"no metric 'knn_acuracy' of readouts; did you mean 'knn_accuracy'"):
        validate(tables_model(), {"tables": {"a": table}, "figures": {}}, "tables.yaml")
    assert "needs to know mechanisms" in results.registry.lacking("cdcl_table2a")
