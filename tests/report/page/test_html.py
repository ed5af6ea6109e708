import html
import re

import pandas as pd
import pytest
from helpers.images import make_index
from helpers.made_up import UNSEEN, made_up_results

from debatch.registry import build_registry
from debatch.report.page.html import build_report, trained_runs
from debatch.report.style import new_figure, save_figure


@pytest.fixture
def page(root, tmp_path):
    """Builds the page of a made-up results folder."""

    def build(screen="demo", without=(), **options):
        results = made_up_results(root, tmp_path, screen, without=without, **options)
        for name in results.registry.targets("figures"):
            if name not in without:
                save_figure(new_figure(1, 1), results.files, name, pd.DataFrame())
        return build_report(results.registry, results.files)

    return build


def words(page):
    """Its text: links to explained words are part of their sentences."""
    text = re.sub(r"</?a\b[^>]*>", "", page)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", text, flags=re.DOTALL)))


def test_simulated_screen_is_called_simulated_wherever_its_numbers_stand(page):
    text = page()
    assert "Every number on this page comes from simulated images" in text
    for anchor in ("qc", "table1", "table3", "figure6", "figure7", "table_s3", "figure10", "table_probe", "training"):
        heading = re.search(rf'id="{anchor}"><h2>(.*?)</h2>', text)[1]
        assert "simulated" in heading
    for anchor in ("summary", "use"):
        assert "simulated" in re.search(rf'id="{anchor}">(?:<div class="use">)?<h2>(.*?)</h2>', text)[1]


def test_another_screen_does_not_bear_the_papers_names_and_numbers(page):
    text = words(page())
    assert "75.1" not in text
    assert "not comparable" not in text
    assert not re.search(r"(Table|Figure) S?\d", text)
    assert "in the paper" not in text


def test_the_papers_own_screen_has_them(page):
    text = words(page("rxrx1"))
    assert "Table 1. Perturbation classification accuracy" in text
    assert "paper 75.1 ± 0.2" in text
    assert "Figure 6. UMAP of embeddings" in text


def test_real_screen_is_not(page):
    assert "simulated" not in words(page("rxrx1"))


def test_a_training_is_drawn_once_however_often_its_embeddings_were_corrected(root):
    trained = [(run.method, run.split, run.seed) for run in trained_runs(build_registry({"screen": "demo"}, root))]
    assert len(trained) == len(set(trained)) == 9


def test_one_seed_is_called_no_mean_of_seeds(page):
    assert "One training seed, so no spread." in words(page())
    assert "Mean ± standard deviation over 2 training seeds." in words(page(seeds=2))


def test_headline_says_which_method_generalizes_by_how_much_and_how_sure(page):
    text = words(page())
    assert "AdaBN recognises 89.6 % of images from batches that it was not trained on, 39.6 points more than" in text
    assert "Of such a batch AdaBN looks at all of its images, without labels; the baseline at nothing." in text
    assert "by the worst and the best test batch of each cell type)." in text
    assert (
        "No clear difference from it on these test batches: AdaBN + gradient reversal (89.6 %) and AdaBN at test only"
        in text
    )
    worse = "Baseline (50.0 %) and Gradient reversal (50.0 %)."
    assert f"Worse, even on the test batches that favour them most (too few batches for a test): {worse}" in text
    assert "trained on other wells of all batches, it recognises 89.6 %. So unseen batches come to 56 % of seen" in text
    assert "Of batches that were trained on, AdaBN recognises 89.6 % and the baseline 89.6 % (difference +0.0" in text
    assert "1 training seed a method; one seed says nothing of other seeds; only 3 test batches" in text


def test_headline_does_not_trust_the_adversarys_own_head(page):
    assert re.search(
        r"With gradient reversal the head that is trained beside the network names the right batch in [\d.]+ % of "
        r"cases \(without it [\d.]+ %\)\. An LDA probe, fitted afterwards .* names it in [\d.]+ % \(Baseline [\d.]+ %, "
        r"always the most",
        words(page()),
    )


def test_order_is_the_papers_then_that_of_the_targets(page):
    text = page()
    places = [
        text.index(f'<section id="{name}"')
        for name in ("table1", "shift", "figure6", "table3", "figure7", "table_s3", "figure10", "table_differences")
    ]
    assert places == sorted(places)


def test_page_says_what_each_method_sees_of_a_new_batch(page):
    text = words(page())
    assert "Sees of a new batch, without labels: all of its images." in text
    assert "without labels: nothing." in text


def test_headline_is_honest_when_adabn_loses_and_the_label_shift_says_why(page):
    index = make_index(experiments=9, wells=8, sites=2)
    index["label"] = pd.array([int(batch[1:]) % 3 for batch in index["batch"]], dtype="Int64")
    index["perturbation"] = index["cell_type"] = [f"T{label}" for label in index["label"]]
    text = words(page(unseen={**UNSEEN, **dict.fromkeys(UNSEEN, 0.3), "baseline": 1.0}, index=index))
    assert "AdaBN loses to the baseline here" in text
    assert "Each test batch holds only 1 of the 3 classes" in text
    assert "(total variation 0.67 on average" in text
    assert re.search(r"It did: AdaBN [23]\d\.\d % against the baseline's 100\.0 %\.", text)


def test_no_label_shift_says_the_condition_holds(page):
    assert "That is the condition that adaptive batch normalization rests on" in words(page())


def test_columns_without_a_number_are_named_with_the_reason_and_not_shown(page):
    text = page("rxrx1_sample")
    assert (
        "Columns without a number, left out: Accuracy, seen batches (%) (the screen has no stratified split)"
        in words(text)
    )
    assert ">Accuracy, seen batches (%)</th>" not in text


def test_page_loads_nothing(page):
    text = page()
    loaded = re.findall(r"""(?:src|href)\s*=\s*["'](?!data:image/(?:png|svg\+xml);base64,|#)""", text)
    assert not loaded
    assert "@import" not in text
    assert "url(" not in text
    # what it runs is its own, and asks for nothing
    assert not re.search(r"<script[^>]+(?:src|type)=", text)
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|import|eval|WebSocket)\b\s*\(", text)


def test_names_are_escaped(page):
    assert "broken &lt;b&gt;" in page()


def test_what_is_missing_is_said(page):
    text = words(page(without=("runs", "figure6")))
    assert "This figure is missing" in text
    assert "baseline/separated/seed0" in text
    assert "No training history was found" in text


def test_screen_without_labels_and_training_has_a_page_of_its_images(page):
    index = make_index(experiments=1, wells=4)
    index["label"] = pd.array([pd.NA] * len(index), dtype="Int64")
    index["perturbation"] = None
    text = page("bbbc022_sample", index=index)
    assert "Table 1" not in words(text)
    assert 'id="training"' not in text
    assert 'id="splits"' not in text
    assert "No method was trained: the page shows the images" in text
    for heading in ("Mean intensity by well", "Focus by well", "Illumination by plate and channel"):
        assert heading in text


def test_splits_show_their_balance(page):
    text = words(page())
    assert "images a class" in text
    assert re.search(r"separated train 96 66\.7 48 6 4 24 16 0 [0-9a-f]{12}", text)


def test_a_tie_is_no_loss(page):
    text = words(page(unseen=dict.fromkeys(UNSEEN, 0.9)))
    assert "AdaBN loses" not in text
    assert "No clear difference from it on these test batches: " in text
    assert "Of the methods compared" not in text


def test_unlabelled_test_images_leave_the_label_shift_unknown(page):
    index = make_index(experiments=9, wells=8, sites=2)
    index.loc[index["well"] == "B02", "label"] = pd.NA
    text = words(page(index=index))
    assert "test images have no label, and AdaBN's statistics come from them too" in text
    assert "That is the condition" not in text
