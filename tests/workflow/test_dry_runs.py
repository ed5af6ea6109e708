"""How many jobs a target takes, of every screen that is shipped and without an image on disk."""

import pytest
from helpers import ROOT
from helpers.workflow import own_folder, planned, planned_files, snakemake

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize(
    ("screen", "target", "expected"),
    [
        (
            "demo",
            "table1",
            {
                "simulate_experiment": 12,
                "ingest_experiment": 12,
                "split": 2,
                "train": 9,
                "embed_run": 9,
                "score_run": 11,
            },
        ),
        ("demo", "figure6", {"train": 4, "embed_run": 4, "make_figure": 1, "score_run": 0, "make_table": 0}),
        ("demo", "figure10", {"train": 4, "embed_run": 4, "score_run": 0}),
        ("demo", "table_probe", {"train": 8, "embed_run": 8, "score_run": 10, "probe_run": 10}),
        ("demo", "qc", {"ingest_experiment": 12, "qc": 1, "train": 0, "embed_run": 0, "split": 0, "normalize": 0}),
        (
            "rxrx1",
            "table1",
            {
                "ingest_experiment": 51,
                "split": 3,
                "train": 61,
                "embed_run": 61,
                "score_run": 76,
                "simulate_experiment": 0,
            },
        ),
        ("rxrx1", "all", {"ingest_experiment": 51, "train": 61, "embed_run": 61, "make_report": 1}),
        # what Table 2 adds to Table 1, and what it is alone
        ("rxrx1", "table2", {"train": 12, "embed_run": 12, "score_run": 12, "make_table": 1}),
        ("rxrx1", "table4", {"train": 128, "split": 16, "embed_run": 128, "make_table": 1}),
        ("rxrx1", "table5", {"train": 30, "normalize": 6}),
        ("rxrx1", "table6", {"train": 6, "normalize": 6}),
        ("rxrx1", "figure8", {"train": 63, "nulls": 1, "make_figure": 1}),
        ("rxrx1", "figure9", {"train": 63, "nulls": 0, "make_figure": 1}),
        ("rxrx1", "paper", {"train": 291, "embed_run": 291, "split": 19, "make_page": 1, "make_report": 0}),
        ("rxrx1_small", "paper", {"train": 291, "make_page": 1}),
        ("demo", "paper", {"train": 117, "make_page": 1}),
        ("tiny", "paper", {"train": 49, "make_page": 1}),
        ("rxrx1", "table3", {"train": 20, "embed_run": 20, "score_run": 20, "make_table": 1}),
        ("rxrx1", "table_s3", {"train": 20, "score_run": 20, "make_table": 1}),
        # of the runs of Tables 1, 5 and 6 alone: one job a run that is trained, whatever it is looked at under
        ("rxrx1", "table_adaptation", {"train": 10, "embed_adaptation": 10, "embed_run": 0, "make_table": 1}),
        ("rxrx1", "table_probe_normalization", {"train": 12, "embed_run": 12, "probe_run": 12, "make_table": 1}),
        ("demo", "table_label_shift", {"train": 2, "embed_adaptation": 2, "embed_run": 0, "make_table": 1}),
        ("demo", "figure_adaptation", {"train": 2, "embed_adaptation": 2, "make_figure": 1}),
        ("rxrx1", "table_val", {"train": 20, "split": 1, "make_table": 1}),
        # 24 settings and the baseline, of two seeds, and the demo of one
        (
            "rxrx1",
            "table_reversal",
            {"train": 50, "split": 1, "embed_run": 50, "score_run": 50, "probe_run": 0, "make_table": 1},
        ),
        ("demo", "figure_reversal", {"train": 25, "probe_training_side": 25, "make_figure": 1, "make_table": 0}),
        ("rxrx1", "ingest", {"ingest_experiment": 51, "index": 1, "train": 0}),
        ("rxrx1_sample", "table1", {"ingest_experiment": 2, "split": 1, "train": 5}),
        ("demo_no_batch_effect", "table1", {"train": 9}),
        ("demo_hits_only", "all", {"train": 5, "split": 1, "make_table": 2}),
        (
            "rxrx1_huvec",
            "all",
            {"ingest_experiment": 24, "split": 8, "train": 6 * (9 + 8), "readout_run": 6 * 17, "make_report": 1},
        ),
        ("rxrx1_huvec", "table_all_methods", {"split": 1, "train": 15, "readout_run": 16, "make_table": 1}),
        ("cpg0004", "all", {"ingest_experiment": 136, "split": 5, "train": 5 * 6, "make_table": 1, "make_report": 1}),
        ("demo_ssl", "cdcl", {"train": 17, "embed_run": 17, "readout_run": 17, "make_table": 5, "make_page": 1}),
        ("rxrx1_kaggle", "table1", {"ingest_experiment": 51, "train": 61}),
        ("rxrx1_simulated", "table1", {"simulate_experiment": 51, "ingest_experiment": 51, "split": 3, "train": 13}),
        ("pediatric_sample", "all", {"ingest_experiment": 1, "train": 0, "make_plates": 1, "make_report": 1}),
        ("bbbc022_sample", "illumination", {"ingest_experiment": 1, "make_illumination": 1}),
        ("tiny", "report", {"train": 13, "make_report": 1}),
        ("tiny_parts", "ingest", {"ingest_experiment": 6, "train": 0}),
        ("chammi", "all", {"ingest_experiment": 3, "make_report": 1, "make_plates": 0}),
        ("demo_channels", "ingest", {"simulate_experiment": 15, "ingest_experiment": 15, "train": 0}),
        (
            "tiny_channels",
            "all",
            {"ingest_experiment": 8, "train": 43, "task_run": 43, "make_figure": 2, "make_report": 1},
        ),
        ("rxrx1", "table_correction", {"train": 4, "correct_run": 4, "score_run": 4, "make_table": 1}),
        ("demo", "table_correction", {"train": 4, "embed_run": 4, "correct_run": 4, "score_run": 4}),
        ("demo", "h5ad", {"write_h5ad": 24, "train": 4}),
        # of four methods and AdaBN at test only, which are trained four times on each of two splits
        (
            "demo",
            "explorer",
            {"train": 8, "project_run": 8, "make_thumbnails": 12, "make_explorer": 1, "make_table": 0},
        ),
        ("bbbc021", "explorer", {"project_run": 1, "make_thumbnails": 0, "make_explorer": 1, "score_run": 0}),
        ("pediatric_sample", "explorer", {"project_run": 0, "make_thumbnails": 1, "make_explorer": 1}),
        ("bbbc021", "all", {"index_profiles": 1, "embed_profiles": 1, "correct_run": 1, "score_run": 1, "train": 0}),
    ],
)
def test_dry_run_lists_only_what_a_target_needs(tmp_path, screen, target, expected):
    """At full size too, without an image on disk."""
    jobs = planned(snakemake(own_folder(tmp_path / "w"), "-n", target, screen=screen))
    assert {rule: jobs.get(rule, 0) for rule in expected} == expected


def test_every_shipped_screen_has_a_dry_run():
    shipped = {path.stem for path in (ROOT / "config/screens").glob("*.yaml")}
    planned_above = {"demo", "demo_no_batch_effect", "demo_hits_only", "rxrx1", "rxrx1_kaggle", "rxrx1_sample", "tiny"}
    planned_above |= {"chammi", "demo_channels", "tiny_channels", "tiny_parts", "rxrx1_huvec", "cpg0004", "demo_ssl"}
    planned_above |= {"rxrx1_small", "rxrx1_simulated", "pediatric_sample", "bbbc021", "bbbc022_sample"}
    assert shipped == planned_above, "add it to the dry runs above"


def test_images_of_no_wells_are_shown_on_no_plate(tmp_path):
    done = snakemake(own_folder(tmp_path / "w"), "-n", "plates", screen="chammi", check=False)
    assert done.returncode != 0
    assert "chammi': plates shows wells in their places, and the screen's images are of none" in done.output


def test_table_2_adds_its_own_runs_to_those_of_table_1(tmp_path):
    """Six rows of two methods, of which the first row is there."""
    folder = own_folder(tmp_path / "w")
    alone = planned(snakemake(folder, "-n", "table1", screen="rxrx1"))["train"]
    both = planned(snakemake(folder, "-n", "table1", "table2", screen="rxrx1"))["train"]
    assert both - alone == 10


def test_what_goes_beyond_the_paper_trains_nothing(tmp_path):
    folder = own_folder(tmp_path / "w")
    trained = ("table1", "table5", "table6")
    added = ("table_adaptation", "table_label_shift", "figure_adaptation", "table_probe_normalization")
    alone = planned(snakemake(folder, "-n", *trained, screen="rxrx1"))
    both = planned(snakemake(folder, "-n", *trained, *added, screen="rxrx1"))
    assert both["train"] == alone["train"]
    assert both["embed_adaptation"] == 10


def test_a_table_that_a_call_names_and_the_screen_cannot_make_is_refused_before_anything_runs(tmp_path):
    """DeiT has no batch norm, which AdaBN adapts."""
    folder = own_folder(tmp_path / "w")
    (folder / "vit.yaml").write_text(
        "extends: rxrx1\ntraining: {backbone: deit_small_patch16_224, pixels: 224}\ntargets: [qc]\n"
    )
    done = snakemake(folder, "-n", "table1", screen="vit.yaml", check=False)
    assert done.returncode != 0
    assert "screen 'vit': table1 needs methods that cannot all be trained on this screen: method 'adabn'" in (
        done.output.replace("\n", " ")
    )
    assert "Job stats" not in done.output


def test_figures_are_declared_in_the_formats_that_the_screen_asks_for(tmp_path):
    folder = own_folder(tmp_path / "w")
    (folder / "paper.yaml").write_text("extends: tiny\nfigures: {width_mm: 180, formats: [svg, pdf], dpi: 300}\n")
    done = snakemake(folder, "-n", "figure7", "qc", "plates", "illumination", screen="paper.yaml")
    figures = {path.rsplit("/", 1)[1] for path in planned_files(done) if "/figures/" in path}
    names = ["figure7", "qc", "illumination"]
    names += [f"plates_{measure}" for measure in ("intensity", "focus", "foreground", "saturation")]
    assert figures == {f"{name}.{suffix}" for name in names for suffix in ("svg", "pdf", "csv")}
