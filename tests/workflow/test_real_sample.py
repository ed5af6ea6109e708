"""Real RxRx1 images all the way, in a folder of their own."""

import numpy as np
import pandas as pd
import pytest
from helpers.workflow import own_folder, snakemake
from PIL import Image

from debatch.evaluate.tidy import of_all
from debatch.files import Files
from debatch.screen import open_screen

pytestmark = pytest.mark.workflow
FILES = Files("results", "rxrx1_sample")


@pytest.fixture(scope="module")
def sample(real_data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEBATCH_REAL_DATA", str(real_data.resolve()))
        yield own_folder(tmp_path_factory.mktemp("sample"))


def test_site_without_all_channels_fails_the_job_by_default_after_every_file_was_looked_at(sample):
    screen = sample / "config/screens/rxrx1_sample.yaml"
    dropping = screen.read_text()
    screen.write_text(dropping.replace("on_problem: drop", "on_problem: fail"))
    done = snakemake(sample, "ingest", check=False, screen="rxrx1_sample")
    screen.write_text(dropping)
    assert done.returncode != 0
    assert "8 problems with its fields, listed in results/rxrx1_sample/ingest/HEPG2-01.problems.csv" in done.output
    problems = pd.read_csv(sample / FILES.problems("HUVEC-01"), dtype=str)
    assert set(problems["problem"]) == {"no file of the channel MitoTracker", "no file of the channel WGA"}
    assert set(problems["site"]) == {"2"}
    assert not (sample / FILES.store("HUVEC-01")).exists()


def test_stored_pixels_are_pillows(sample, real_data):
    snakemake(sample, "ingest", screen="rxrx1_sample")
    screen = open_screen(sample / "results/rxrx1_sample")
    assert screen.images.shape == (2 * 4 * 16, 6, 128, 128)
    for experiment, plate, tile in (("HUVEC-01", 2, 6), ("HEPG2-01", 4, 16)):
        name = f"{experiment}_{plate}_B02_1.{tile:02d}"
        (at,) = screen.index.index[screen.index["image_id"] == name]
        top, left = (128 * place for place in divmod(tile - 1, 4))
        for channel in range(6):
            file = real_data / f"rxrx1_images/{experiment}/Plate{plate}/B02_s1_w{channel + 1}.png"
            expected = np.asarray(Image.open(file))[top : top + 128, left : left + 128]
            np.testing.assert_array_equal(screen.images[at, channel].compute(scheduler="sync"), expected)


def test_goes_all_the_way_and_the_report_explains_that_adabn_loses(sample):
    snakemake(sample, screen="rxrx1_sample")
    index = pd.read_parquet(sample / FILES.index())
    assert len(index) == 2 * 4 * 16
    assert index.loc[0, "image_id"] == "HEPG2-01_1_B02_1.01"
    assert index.groupby("batch")["label"].nunique().max() == 1
    table = pd.read_csv(sample / FILES.table("table1", "csv")).set_index(["row", "column"])
    baseline = table.loc[("baseline", "accuracy_batch_separated"), "mean"]
    adabn = table.loc[("adabn", "accuracy_batch_separated"), "mean"]
    assert baseline >= 90
    assert adabn < baseline
    assert table.loc[("baseline", "accuracy_batch_stratified"), "note"] == "the screen has no stratified split"
    report = (sample / FILES.report()).read_text()
    assert "AdaBN loses to the baseline here" in report
    assert "Each test batch holds only 1 of the 2 classes" in report
    assert "Every number on this page comes from simulated images" not in report
    assert "no file of the channel MitoTracker" in report


def test_self_supervision_takes_a_few_steps_on_real_images(sample):
    """At the objectives' own settings: 8 views of each image, 4,096 prototypes, a centre for each plate."""
    screen = (sample / "config/screens/rxrx1_sample.yaml").read_text()
    short = screen.replace("epochs: 40", "epochs: 2").replace("snapshot_every: 10", "snapshot_every: 0")
    (sample / "config/screens/short.yaml").write_text(short)
    files = Files("results", "short")
    made = [files.readouts(files.run(method, "separated", 0), "train") for method in ("dino", "cdcl")]
    snakemake(sample, *made, screen="short")
    for path in made:
        scores = of_all(pd.read_csv(sample / path, keep_default_na=False)).set_index(["metric", "subset"])["value"]
        assert 0 <= float(scores["knn_accuracy", "all"]) <= 1
        assert 0 <= float(scores["linear_accuracy", "all"]) <= 1
    history = pd.read_csv(sample / files.run("cdcl", "separated", 0) / "history.csv")
    assert np.isfinite(history.to_numpy()).all()
