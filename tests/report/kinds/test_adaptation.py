import numpy as np
import pandas as pd
import pytest

from debatch.config.statistics import parse_statistics
from debatch.errors import ConfigError
from debatch.evaluate.many_statistics import COLUMNS
from debatch.evaluate.tidy import COLUMNS as METRIC_COLUMNS
from debatch.evaluate.tidy import WITHIN
from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.cells import laid_out, tidy
from debatch.report.kinds.figures import draw_figure
from debatch.report.kinds.tables import draft_table
from debatch.report.page.captions import figure_caption
from debatch.report.page.facts import seen_of_a_batch
from debatch.report.published import Published
from debatch.report.results import Results
from debatch.tabular import write_frame

# plates of two batches of 10 images; and how many of them are controls
PLATES = {"E0_1": 200, "E0_2": 40, "E1_1": 240}
CONTROLS = {"E0_1": 20, "E0_2": 2, "E1_1": 16}
BATCHES = {"E0": 240, "E1": 240}


def holds(statistics, controls):
    """How many images of each place its statistics would come from."""
    chosen = parse_statistics(statistics)
    own = {"all": PLATES, "controls": controls, "treatments": {p: PLATES[p] - controls[p] for p in PLATES}}[chosen.pool]
    if chosen.domain == "batch":
        own = {batch: sum(n for plate, n in own.items() if plate.startswith(batch)) for batch in BATCHES}
    return {name: min(n, chosen.images or n) for name, n in own.items()}


def accuracies(method, statistics, subset, seed):
    """Of E0 and E1: more images are better, few classes alone worse; AdaBN is as far above itself at test only."""
    chosen, percent = parse_statistics(statistics), parse_statistics(subset).classes if subset != "all" else 100
    value = 0.3 if chosen.form == "train" else 0.4 + 0.05 * np.log2((chosen.images or 512) / 8) / 2
    value += 0.1 * (method == "adabn") + 0.02 * seed
    value -= {"controls": 0.08, "treatments": 0.02, "all": 0}[chosen.pool]
    value -= 0.004 * (100 - percent) if chosen.classes else 0
    return {"E0": value - 0.1, "E1": value + 0.1}


def rows_of(method, statistics, seed, percents, controls):
    yield from (
        (statistics, "statistics_images", "all", "", "", n, 10, name) for name, n in holds(statistics, controls).items()
    )
    short = [n for n in holds(statistics, controls).values() if n < (parse_statistics(statistics).images or 2)]
    if short:
        return
    shares = [f"classes_{percent}" for percent in percents]
    own = [statistics] if statistics in shares else ["all", *shares] if statistics in ("train", "batch") else ["all"]
    for subset in own:
        by_batch = accuracies(method, statistics, subset, seed)
        for metric in ("accuracy", "accuracy_well"):
            yield (statistics, metric, subset, "", "", np.mean([*by_batch.values()]), 20, "")
            yield from ((statistics, metric, subset, "", batch, value, 10, "") for batch, value in by_batch.items())


def results_of(root, folder, seeds=2, screen="demo", controls=None):
    registry = build_registry({"screen": screen, "results": str(folder), "seeds": seeds}, root)
    files = Files(registry.results, registry.name)
    for run in {(run.weights, run.split, run.seed): run for run in registry.runs("table_adaptation")}.values():
        statistics = registry.statistics(run.weights)
        rows = [
            ("none", metric, subset, "", batch, value * (1 if subset != "all" else 2), 10, "")
            for metric, value in (("classes", 10), ("total_variation", 0.25))
            for subset in ("all", *(f"classes_{percent}" for percent in statistics.classes))
            for batch in BATCHES
        ]
        for name in statistics.names:
            rows += rows_of(run.weights, name, run.seed, statistics.classes, controls or CONTROLS)
        write_frame(pd.DataFrame(rows, columns=COLUMNS), files.adaptation(files.folder(run)))
    return Results(registry, files)


def test_a_cell_is_the_accuracy_under_its_statistics(root, tmp_path):
    draft = draft_table("table_adaptation", results_of(root, tmp_path))
    cell = draft.cells["adabn.controls", "n16"]
    # 0.4 + 0.05 * log2(16 / 8) / 2 + 0.1 - 0.08 of two seeds that differ by 0.02, batches at 10 points to either side
    assert cell.mean == pytest.approx(44.5 + 1)
    assert cell.sd == pytest.approx(np.sqrt(2))
    assert (cell.low, cell.high) == (pytest.approx(35.5), pytest.approx(55.5))
    assert cell.n == 2
    assert draft.cells["baseline", "none"].mean == pytest.approx(31)
    # the baseline's weights, under the batch's statistics
    assert draft.cells["adabn_test_only.controls", "n16"].mean == pytest.approx(35.5)
    assert ("baseline", "n16") not in draft.cells


def test_a_number_that_some_place_does_not_hold_is_empty_and_says_so(root, tmp_path):
    results = results_of(root, tmp_path)
    draft = draft_table("table_adaptation", results)
    cell = draft.cells["adabn.plate_controls", "n16"]
    assert cell.mean is None
    assert cell.note == "only 2 control images in E0_2 (1 of 3 plates)"
    assert draft.cells["adabn.plate_controls", "n32"].note == "only 2 to 20 control images in every plate"
    assert draft.cells["adabn.plate_controls", "all"].mean is not None
    available = draft.cells["adabn.plate_controls", "available"]
    assert (available.mean, available.low, available.high) == (16, 2, 20)
    assert cell.note in laid_out("table_adaptation", draft, results.registry)


def test_a_plate_without_controls_empties_its_cells_alone(root, tmp_path):
    draft = draft_table("table_adaptation", results_of(root, tmp_path, controls={**CONTROLS, "E0_2": 0}))
    cell = draft.cells["adabn.plate_controls", "all"]
    assert cell.mean is None
    assert cell.note == "only 0 control images in E0_2 (1 of 3 plates), and two are needed"
    assert draft.cells["adabn.plate", "all"].mean is not None
    assert draft.cells["adabn.controls", "all"].mean is not None


def test_every_statistic_of_a_job_has_its_cell(root, tmp_path):
    """Else a job would compute what nobody sees."""
    results = results_of(root, tmp_path)
    shown = set(draft_table("table_label_shift", results).rows) - {"all"}
    for row, column in draft_table("table_adaptation", results).cells:
        if row.startswith("adabn.") and column != "available":
            place = parse_statistics(row.removeprefix("adabn."))
            shown.add(place._replace(images=None if column == "all" else int(column[1:])).name)
    assert shown == set(results.registry.statistics("adabn").names)


def test_what_few_classes_cost_is_paired(root, tmp_path):
    draft = draft_table("table_label_shift", results_of(root, tmp_path))
    row = {column: draft.cells["classes_50", column] for column in draft.columns}
    assert row["adabn.whole"].mean == pytest.approx(100 * (0.4 + 0.05 * 3 + 0.1 + 0.01))
    assert row["adabn.difference"].mean == pytest.approx(-20)
    # batches and seeds differ by much, and the difference by nothing
    assert row["adabn.difference"].sd == pytest.approx(0)
    assert (row["adabn.difference"].low, row["adabn.difference"].high) == (pytest.approx(-20), pytest.approx(-20))
    assert row["baseline"].mean == pytest.approx(31)
    assert (row["classes"].mean, row["total_variation"].mean) == (10, 0.25)
    # counted, of no model
    assert row["classes"].origin.runs == row["total_variation"].origin.runs == ()
    assert draft.cells["all", "adabn.alone"].words
    assert draft.unit_of("adabn.difference") == "points"


@pytest.mark.parametrize(
    ("inference", "words"),
    [
        ("train", "nothing"),
        ("batch", "all of its images"),
        ("plate", "all images of the image's plate"),
        ("controls", "its control images"),
        ("n32", "32 of its images"),
        ("treatments_n8", "8 of its treatment images"),
        ("plate_controls", "all control images of the image's plate"),
        ("plate_n16", "16 images of the image's plate"),
    ],
)
def test_a_report_says_what_a_method_sees(inference, words):
    assert seen_of_a_batch(inference) == words


def test_probes_by_normalization_are_of_each_methods_own_runs(root, tmp_path):
    """The default's row is the method itself, the others its variations; a guess is of the batches alone."""
    registry = build_registry({"screen": "demo", "results": str(tmp_path)}, root)
    files = Files(registry.results, registry.name)
    runs = registry.runs("table_probe_normalization")
    assert len(runs) == 12
    for at, run in enumerate(runs):
        rows = [
            (metric, subset, "", batch, value, 40)
            for metric, value in (
                ("probe_lda", 0.4 + 0.02 * at),
                ("probe_knn", 0.3),
                ("probe_mlp", 0.7),
                ("probe_guess", 0.25),
            )
            for subset, batch in (("all", ""), (WITHIN, ""), ("all", "E0"))
        ]
        frame = pd.DataFrame(rows, columns=METRIC_COLUMNS)
        write_frame(frame, files.probe(files.folder(run), run.inference))
    draft = draft_table("table_probe_normalization", Results(registry, files))
    rows = ["all", "experiment_controls", "experiment", "plate_controls", "plate", "self", "guess"]
    assert list(draft.rows) == rows
    by_method = {run.method: 40 + 2 * at for at, run in enumerate(runs)}
    assert draft.cells["self", "adabn.probe_unseen"].mean == pytest.approx(by_method["adabn"])
    assert draft.cells["plate", "adabn.probe_unseen"].mean == pytest.approx(by_method["adabn__plate"])
    assert draft.cells["all", "baseline.probe_unseen_within"].mean == pytest.approx(by_method["baseline__all"])
    assert draft.cells["guess", "adabn.knn_unseen"].mean == pytest.approx(25)
    (guessed,) = draft.cells["guess", "baseline.probe_unseen"].origin.runs
    assert guessed.weights == "baseline__all"
    assert draft.cells["self", "baseline.mlp_unseen_within"].mean == pytest.approx(70)
    assert len(draft.columns) == 2 * 5


def test_tables_before_their_runs_say_so(root, tmp_path):
    registry = build_registry({"screen": "tiny", "results": str(tmp_path)}, root)
    results = Results(registry, Files(registry.results, registry.name))
    published = Published.read(root / "resources/published/published.csv")
    for name in ("table_adaptation", "table_label_shift", "table_probe_normalization"):
        draft = draft_table(name, results)
        table = tidy(draft, name, registry, published)
        assert table["mean"].isna().all()
        assert laid_out(name, draft, registry).count("—") > 4


def test_profiles_have_no_batch_norm(root, tmp_path):
    registry = build_registry({"screen": "bbbc021", "results": str(tmp_path)}, root)
    with pytest.raises(ConfigError, match="needs images"):
        draft_table("table_adaptation", Results(registry, Files(registry.results, registry.name)))


def test_the_figure_draws_what_the_tables_say(root, tmp_path):
    results = results_of(root, tmp_path)
    figure, numbers = draw_figure("figure_adaptation", results)
    draft = draft_table("table_adaptation", results)
    chosen = (numbers["method"] == "AdaBN") & (numbers["chosen"] == "controls") & (numbers["panel"] == "batch")
    own = numbers[chosen].set_index("images")
    assert own.loc["16", "mean"] == pytest.approx(draft.cells["adabn.controls", "n16"].mean)
    short = numbers[numbers["mean"].isna()]
    assert len(short)
    assert short["note"].str.startswith("only").all()
    # as many lines are drawn as have points
    left = figure.axes[0]
    assert [label.get_text() for label in left.get_xticklabels()] == ["8", "16", "32", "128", "all"]
    drawn = {tuple(np.round(line.get_ydata(), 6)) for line in left.lines}
    assert tuple(np.round(own.loc[["8", "16"], "mean"], 6)) in drawn
    assert "transductive" not in figure_caption("figure_adaptation", results.registry)
    assert "among those that give the statistics" in figure_caption("figure_adaptation", results.registry)


def test_the_figure_without_runs_is_empty(root, tmp_path):
    registry = build_registry({"screen": "tiny", "results": str(tmp_path)}, root)
    _, numbers = draw_figure("figure_adaptation", Results(registry, Files(registry.results, registry.name)))
    assert numbers["mean"].isna().all()
