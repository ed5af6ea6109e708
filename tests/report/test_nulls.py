import re

import numpy as np
import pytest
from helpers.images import make_index, with_runners_up

from debatch.evaluate.nulls import score_nulls
from debatch.evaluate.predictions import score_predictions
from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.cells import laid_out, tidy
from debatch.report.kinds.tables import draft_table
from debatch.report.page.table_view import table_view
from debatch.report.published import Published
from debatch.report.results import Results
from debatch.screen.splits import make_split
from debatch.screen.subsets import images_in
from debatch.tabular import write_frame

UNSEEN = "accuracy_batch_separated"


@pytest.fixture
def made(root, tmp_path):
    """Table 1 of the nulls alone: its notes by row, its Markdown and what the page says."""

    def build(index=None, shuffled=0.25):
        index = make_index(experiments=9, wells=8, sites=2) if index is None else index
        registry = build_registry({"screen": "demo", "results": str(tmp_path)}, root)
        files = Files(registry.results, registry.name)
        config = registry.screen.splits.model_copy(update={"test_batches": None, "cell_types": None})
        split = make_split("separated", index, config)
        write_frame(index, files.index())
        write_frame(split, files.split("separated"))
        write_frame(
            score_nulls(index, *(images_in(split, side) for side in ("train", "test"))), files.nulls("separated")
        )
        test = index[index["image_id"].isin(images_in(split, "test"))]
        predictions = test[["image_id", "label", "batch"]].copy()
        right = np.arange(len(test)) < round(shuffled * len(test))
        predictions["predicted"] = predictions["predicted_well"] = np.where(right, test["label"], 99)
        predictions = with_runners_up(predictions.assign(batch_predicted=None, statistics_images=64), 98)
        run = registry.run("shuffled_labels", "separated", 0)
        write_frame(score_predictions(predictions, index, set()), files.metrics(files.folder(run), run.inference))
        results = Results(registry, files)
        draft = draft_table("table1", results)
        table = tidy(draft, "table1", registry, Published.read(root / "resources/published/published.csv"))
        write_frame(table, files.table("table1", "csv"))
        notes = table[table["column"] == UNSEEN].set_index("row")["note"]
        return notes, laid_out("table1", draft, registry), _words(table_view("table1", results))

    return build


def _words(view):
    rows = [" ".join([row["title"], *(cell["value"] for cell in row["cells"] if cell)]) for row in view["rows"]]
    return "\n".join([*rows, *view["alarms"]])


def test_null_at_chance_is_a_null(made):
    notes, text, page = made()
    assert "chance" not in notes["shuffled_labels"] + notes["majority_class"]
    assert "| Shuffled labels (null) | 25.0" in text
    assert "| Majority class (null) | 25.0" in text
    assert "Shuffled labels (null)" in page


def test_place_that_gives_the_class_away_is_no_null(made):
    """24 test wells of four classes: at most 10 of them are right by luck."""
    notes, text, page = made()
    assert notes["position_only"].startswith(
        "above chance: no null; chance is 25.0 %, and at most 41.7 % in 95 of 100 draws of 24 test wells"
    )
    for said in (text, page):
        assert "Position only (above chance: no null)" in said
        assert "Position only (null)" not in said
        assert "100.0 (!)" in said
        assert "100.0 % is above chance, so that it is no null. Chance is 25.0 %" in said
        assert "a well's place tells of its class, because plates repeat a layout" in said


def test_permuted_labels_above_chance_of_few_classes_are_told_neither_as_null_nor_as_leak(made):
    notes, text, page = made(shuffled=0.5)
    assert notes["shuffled_labels"].startswith("above chance: no null; chance is 25.0 %, and at most 41.7 %")
    for said in (text, page):
        assert "Shuffled labels (above chance: no null)" in said
        assert "Shuffled labels (null)" not in said
        assert "50.0 (!)" in said
        assert "too few wells or classes were permuted to tell luck from a leak" in said
        assert re.search(r"\d+ of 48 training wells kept their own label, where permutations leave 12\.0 on", said)
        assert re.search(r"\(.* and \d+ % of permutations bring a network to as much", said)


def test_permuted_labels_above_chance_of_many_wells_and_classes_are_a_leak(made):
    notes, text, page = made(shuffled=0.5, index=make_index(experiments=9, wells=32, classes=16))
    assert "at most 10.4 % in 95 of 100 draws of 96 test wells" in notes["shuffled_labels"]
    for said in (text, page):
        assert "Shuffled labels (above chance: no null)" in said
        assert re.search(
            r"the permutation does not explain it \(.* and 0 % of permutations .*\): look for a leak", said
        )


def test_permutation_that_leaves_many_labels_in_place_is_said_to(made):
    """12 wells; the permutation of seed 0."""
    index = make_index(experiments=3, wells=6, sites=2)
    _, text, page = made(index=index)
    for said in (text, page):
        assert re.search(r"Shuffled labels, separated: \d+ of 12 training wells kept their own label, where", said)
        assert "too few wells were permuted for a null; a null needs more wells, or many permutations" in said
        assert "Shuffled labels (too few wells permuted: no null)" in said
        assert "Shuffled labels (null)" not in said
