import pandas as pd
import pytest

from debatch.config import build_registry
from debatch.report.published import Published, verdict
from debatch.report.table1 import make_table1, table_markdown

HEADINGS = {
    "accuracy_batch_separated": "unseen",
    "accuracy_batch_stratified": "seen",
    "batch_generalization": "generalization",
    "batch_classification_accuracy": "batch",
}


def metrics(accuracy, batch_accuracy=None, batches=6):
    rows = [("accuracy", "all", "all", accuracy, 60), ("accuracy", "treatments", "all", 0.1, 60)]
    rows += [("accuracy", "all", f"batch={b}", accuracy + 0.01 * (b - (batches - 1) / 2), 10) for b in range(batches)]
    if batch_accuracy is not None:
        rows += [("batch_accuracy", "all", "all", batch_accuracy, 60)]
        rows += [("batch_accuracy", "all", f"batch={b}", batch_accuracy, 10) for b in range(batches)]
    return pd.DataFrame(rows, columns=["metric", "subset", "group", "value", "n"])


def table(root, screen, seeds=2):
    registry = build_registry({"screen": screen, "seeds": seeds}, root)
    values = {"baseline": (0.50, 0.80), "adabn": (0.75, 0.80)}
    made = {
        run: metrics(
            values[run.method][run.split == "stratified"] + 0.02 * run.seed, 0.4 if run.split == "stratified" else None
        )
        for run in registry.runs("table1")
    }
    return registry, make_table1(registry, made, Published.read(root / "resources/published/published.csv"))


def cell(made, row, column):
    return made[(made["row"] == row) & (made["column"] == column)].iloc[0]


def test_cells_by_hand(root):
    _, made = table(root, "demo")
    separated = cell(made, "baseline", "accuracy_batch_separated")
    assert separated["mean"] == pytest.approx(51)
    assert separated["sd"] == pytest.approx(2 / 2**0.5)
    assert separated["n"] == 2
    assert separated["low"] < 51 < separated["high"]
    ratio = cell(made, "baseline", "batch_generalization")
    assert ratio["mean"] == pytest.approx(100 * 0.51 / 0.81)
    assert pd.isna(ratio["sd"])
    assert cell(made, "adabn", "batch_classification_accuracy")["mean"] == pytest.approx(40)


def test_published_numbers_stand_beside_and_a_simulated_screen_is_not_comparable(root):
    _, made = table(root, "demo")
    assert cell(made, "adabn", "accuracy_batch_separated")["published_mean"] == 87.1
    assert set(made["verdict"]) == {"not comparable"}


def test_real_screen_gets_verdicts(root):
    _, made = table(root, "rxrx1")
    assert set(made["verdict"]) == {"differs"}


def test_missing_split_is_a_note_and_never_a_zero(root):
    registry, made = table(root, "rxrx1_sample")
    for column in ("accuracy_batch_stratified", "batch_generalization", "batch_classification_accuracy"):
        missing = cell(made, "adabn", column)
        assert pd.isna(missing["mean"])
        assert missing["note"] == "the screen has no stratified split"
        assert missing["verdict"] == "not run"
    assert "—" in table_markdown(made, registry, HEADINGS)


def test_markdown_calls_a_simulated_screen_simulated(root):
    registry, made = table(root, "demo")
    text = table_markdown(made, registry, HEADINGS)
    assert "simulated" in text.splitlines()[0]
    assert "| AdaBN | 76.0 ± 1.4" in text


@pytest.mark.parametrize(
    ("mean", "sd", "published", "published_sd", "comparable", "expected"),
    [
        (75.0, 0.2, 75.9, 0.2, True, "reproduced"),
        (75.0, 0.0, 76.1, None, True, "differs"),
        (75.0, 1.0, 77.5, 1.0, True, "reproduced"),
        (75.0, 0.2, 75.1, 0.2, False, "not comparable"),
        (75.0, 0.2, None, None, True, "not comparable"),
        (None, None, 75.1, 0.2, True, "not run"),
    ],
)
def test_verdicts(mean, sd, published, published_sd, comparable, expected):
    assert verdict(mean, sd, published, published_sd, comparable) == expected
