"""The sweep over gradient reversal: what it shows, and which setting it chooses."""

import numpy as np
import pandas as pd
import pytest
import yaml

from debatch.errors import ConfigError
from debatch.evaluate.tidy import COLUMNS, WITHIN
from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.cells import laid_out
from debatch.report.kinds.figures import draw_figure
from debatch.report.kinds.tables import draft_table
from debatch.report.results import Results
from debatch.tabular import write_frame

SWEEP = {
    "kind": "reversal", "title": "Swept", "methods": ["baseline"], "splits": ["separated_val"], "seeds": 2,
    "strengths": [0.3, 0.1], "head_rates": [3.0], "schedules": ["dann", "constant"],
}  # fmt: skip
MILD, STRONG = "lambda_0p1_head_3_dann", "lambda_0p3_head_3_dann"
LEVEL, HARSH = "lambda_0p1_head_3_constant", "lambda_0p3_head_3_constant"


def registry_of(root, folder, screen="demo", **changes):
    tables = folder / "tables.yaml"
    sweep = {**SWEEP, **changes}
    tables.write_text(yaml.safe_dump({"tables": {"swept": sweep}, "figures": {"swept_figure": sweep}}))
    options = {"screen": screen, "results": str(folder), "tables": str(tables), "seeds": 2}
    screen_file = folder / "screen.yaml"
    if screen == "demo":  # whose own targets are of other tables
        screen_file.write_text(
            yaml.safe_dump(yaml.safe_load((root / "config/screens/demo.yaml").read_text()) | {"targets": ["qc"]})
        )
        options["screen"] = str(screen_file)
    return build_registry(options, root)


@pytest.fixture
def results(root, tmp_path):
    """Made-up runs: accuracy, then what LDA, k-NN and MLP read within a cell type; the second seed is 2 points up."""

    def build(given):
        registry = registry_of(root, tmp_path)
        files = Files(registry.results, registry.name)
        rows = {row.methods["baseline"]: row.key for row in registry.variants["swept"]}
        for run in registry.runs("swept"):
            if rows[run.method] not in given:
                continue
            accuracy, *read = (value + 0.02 * run.seed for value in given[rows[run.method]])
            folder = files.folder(run)
            metrics = [("accuracy", "all", "", batch, accuracy, 20) for batch in ("", "E0")]
            write_frame(pd.DataFrame(metrics, columns=COLUMNS), files.metrics(folder, "train"))
            probes = [
                (f"probe_{name}", subset, "", "", value, 40)
                for name, value in zip(("lda", "knn", "mlp", "guess"), (*read, 0.25), strict=True)
                for subset in ("all", WITHIN)
            ]
            write_frame(pd.DataFrame(probes, columns=COLUMNS), files.training_side_probe(folder, "train"))
            history = pd.DataFrame({"epoch": [1, 2], "batch_accuracy": [0.5, 0.1]})
            write_frame(history, f"{folder}/history.csv")
        return Results(registry, files)

    return build


GIVEN = {
    "baseline": (0.50, 0.60, 0.30, 0.55),
    MILD: (0.49, 0.50, 0.30, 0.45),
    STRONG: (0.49, 0.30, 0.30, 0.52),  # fools LDA, and the MLP reads on
    LEVEL: (0.51, 0.55, 0.30, 0.45),
    HARSH: (0.40, 0.25, 0.25, 0.25),  # hides the batch, and the treatments with it
}


def test_the_chosen_setting_leaves_the_strongest_probe_least_and_keeps_accuracy(results):
    made = results(GIVEN)
    draft = draft_table("swept", made)
    assert list(draft.rows) == ["baseline", MILD, STRONG, LEVEL, HARSH, "guess"]
    assert [row for row, title in draft.rows.items() if title.endswith("(chosen)")] == [MILD]
    assert draft.notes[0].startswith("chosen: lambda 0.1, head rate 3, DANN ramp; 3 of 4 settings keep")
    assert draft.cells[STRONG, "strongest_within"].mean == pytest.approx(53)
    assert draft.cells[MILD, "accuracy_batch_separated_val"].mean == pytest.approx(50)
    assert draft.cells[MILD, "accuracy_batch_separated_val"].n == 2
    assert draft.cells[MILD, "head_training"].mean == pytest.approx(10)
    assert draft.cells["guess", "probe_mlp_within"].mean == pytest.approx(25)
    assert "simulated" in laid_out("swept", draft, made.registry).splitlines()[0]


def test_the_figure_shows_the_same_choice_and_calls_a_simulated_screen_so(results):
    figure, numbers = draw_figure("swept_figure", results(GIVEN))
    (chosen,) = numbers[numbers["chosen"]].itertuples()
    assert (chosen.strength, chosen.head_rate, chosen.schedule) == (0.1, 3.0, "dann")
    assert numbers["strongest"].tolist() == ["LDA probe", "LDA probe", "MLP probe", "LDA probe", "LDA probe"]
    assert "simulated screen" in figure.get_suptitle()
    above, _, below, _ = figure.axes
    (line,) = (
        line for line in below.lines if len(line.get_xdata()) == 2 and line.get_marker() == "o" and line.get_ls() == "-"
    )
    assert np.allclose(line.get_xdata(), [0.1, 0.3])
    assert np.allclose(line.get_ydata(), [51, 53])
    assert above.get_ylabel().startswith("validation accuracy")


def test_where_no_setting_helps_none_is_chosen_and_the_note_says_so(results):
    given = {**GIVEN, MILD: (0.49, 0.59, 0.3, 0.3), STRONG: (0.49, 0.3, 0.3, 0.7), LEVEL: (0.51, 0.6, 0.3, 0.3)}
    made = results(given)
    draft = draft_table("swept", made)
    assert draft.notes[0].startswith("no setting helps: 3 of 4 settings keep")
    assert "none is 2 points below 61.0 % (LDA probe)" in draft.notes[0], "one point is within chance"
    assert not any("(chosen)" in title for title in draft.rows.values())
    assert not draw_figure("swept_figure", made)[1]["chosen"].any()


def test_a_choice_waits_for_all_rows(results):
    made = results({key: value for key, value in GIVEN.items() if key != HARSH})
    draft = draft_table("swept", made)
    assert draft.notes[0] == ("no setting is chosen: 1 of 5 rows lack numbers, as lambda 0.3, head rate 3, constant")
    assert draft.cells[HARSH, "strongest_within"].note == "not run"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lambdas": [0.1]}, "lambdas"),
        ({"schedules": ["linear"]}, "schedules"),
        ({"strengths": [0.0]}, "strengths"),
        ({"methods": ["baseline", "adabn"]}, "name one method"),
        ({"methods": ["adabn"]}, "under the test-time statistics `train`; name such a method, as `baseline`"),
        ({"methods": ["gradient_reversal"]}, "without gradient reversal"),
        ({"splits": ["separated"]}, "settings are chosen on separated_val alone"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(root, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        registry_of(root, tmp_path, **changes)


def test_the_shipped_sweep_holds_the_demos_own_setting_and_asks_for_what_a_screen_lacks(root):
    demo = build_registry({"screen": "demo"}, root)
    rows = [row.methods["baseline"] for row in demo.variants["table_reversal"]]
    assert len(rows) == 25
    assert rows[0] == "baseline"
    assert "gradient_reversal" in rows
    assert demo.runs("table_reversal") == demo.runs("figure_reversal")
    assert {run.split for run in demo.runs("table_reversal")} == {"separated_val"}
    assert "separated_val" not in demo.shown_splits()
    tiny = build_registry({"screen": "tiny"}, root)
    assert tiny.lacking("figure_reversal").startswith("needs one of the splits separated_val; add it to")
