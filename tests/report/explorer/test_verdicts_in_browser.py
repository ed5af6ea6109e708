"""What the explorer says of predictions: of images and of wells, of one method and of two."""

import numpy as np
import pandas as pd
import pytest
from helpers.explored import PLATE, download, exported, made_up, place_of, status

from debatch.report.explorer.page import Facts, Look, write_page


def facts(**more) -> Facts:
    return Facts("small", "Small", False, "", ("image", "images"), (4, 14), [], [], **more)


def only(page, column: str, name: str) -> None:
    """Show the images of one name of a column alone."""
    page.select_option("#colour", column)
    page.locator("#legend .value", has_text=name).locator(".only").click()


@pytest.fixture
def two_methods(tmp_path):
    """A folder with the made-up look, and another one of a method that is right where that is wrong."""
    index, (plain, _) = made_up()
    swapped = plain.predictions.assign(
        predicted=np.where(np.arange(len(index)) % 3 == 0, index["label"], (index["label"] + 1) % 4),
        predicted_well=(index["label"] + 1) % 4,
    )
    other = Look("other", "Other", plain.points, swapped, split="trained on a share of every batch")
    first = Look("plain", "Baseline", plain.points, plain.predictions, split="trained without the test batches")
    words = [("Harmony", "Images are <u>clustered</u>.")]
    write_page(
        tmp_path, facts(terms=words), index.assign(perturbation=[f"T{at}" for at in index["label"]]), [first, other]
    )
    return tmp_path


def test_a_well_has_a_verdict_of_its_own_and_wells_are_counted(open_page):
    page = open_page()
    status(page, "48 of 48 images shown (24 wells), 0 selected")
    page.select_option("#colour", "right")
    wrong = page.locator("#legend .value", has_text="wrong")
    assert [wrong.locator(part).text_content() for part in (".count", ".wells")] == ["16", "16"]
    only(page, "well_right", "wrong")
    status(page, "12 of 48 images shown (6 wells)")
    page.evaluate("debatch.app.focus(8)")
    page.wait_for_selector(".verdicts")
    said = page.locator(".verdicts dd").all_text_contents()
    assert [words.rsplit(", ", 1)[-1] for words in said[1:3]] == ["right", "wrong"]


def test_what_a_method_did_not_score_is_said(open_page, tmp_path):
    index, (look, _) = made_up()
    second = index["batch"] == "E01"
    write_page(tmp_path, facts(), index, [Look("a", "A", look.points[second], look.predictions[second])])
    page = open_page(folder=tmp_path)
    tags = page.locator("#legend .value").evaluate_all(
        "all => all.map(each => each.querySelector('.tag')?.textContent)"
    )
    assert tags == ["not scored", None]
    only(page, "batch", "E00")
    status(page, "24 of 48 images shown")
    page.wait_for_function("document.getElementById('empty-0').textContent")
    assert page.locator("#empty-0").text_content() == (
        "0 of 24 points: this method was not tested on the 24 images that the filters leave. The plate shows them."
    )
    assert page.locator("#plates").input_value() == "0"
    only(page, "batch", "E01")
    page.wait_for_function("!document.getElementById('empty-0').textContent")
    assert page.locator("#caption-0").text_content() == "A (UMAP of 24 of 48 images; 24 shown)"


def test_an_export_says_what_was_predicted(open_page, index):
    page = open_page()
    table = exported(page)
    assert table.columns.tolist() == [
        *["image_id", "experiment", "plate", "well", "site", "perturbation", "batch", "method", "correction"],
        *["training", "predicted", "right", "well_predicted", "well_right", "probability"],
    ]
    number = np.arange(48)
    assert table["right"].tolist() == np.where(number % 3 == 0, "false", "true").tolist()
    assert table["well_right"].tolist() == np.where(number // 2 % 4 == 0, "false", "true").tolist()
    right = (table["right"] == "true").to_numpy()
    assert (table["predicted"] == table["perturbation"]).tolist() == right.tolist()
    np.testing.assert_allclose(table["probability"].astype(float), np.where(right, 0.9, 0.1), atol=1e-4)
    assert set(table["method"]) == {"Baseline <u>plain</u>"}
    assert download(page, "shown").suggested_filename == "made_up-plain-48-images-shown.csv"
    page.select_option("#view", "corrected")
    page.evaluate("debatch.app.select([3], 'new')")
    status(page, "1 selected (1 well)")
    assert download(page, "selected").suggested_filename == "made_up-corrected-1-image-selected.csv"
    assert exported(page, "selected")[["image_id", "correction"]].values.tolist() == [[index["image_id"][3], "Harmony"]]
    page.fill("#search", "no such")
    status(page, "0 of 48 images shown")
    assert page.locator("#export-shown").is_disabled()


def test_each_of_two_methods_has_its_say(open_page, two_methods):
    page = open_page("#beside=other", folder=two_methods)
    page.evaluate("debatch.app.focus(4)")
    page.wait_for_function("document.querySelectorAll('.verdicts h3').length === 2")
    said = page.locator(".verdicts").text_content()
    titles = ["Baseline — trained without the test batches", "Other — trained on a share of every batch"]
    first, second = said.split(titles[1])
    assert titles[0] in first
    assert "imageT2, right" in first
    assert "imageT3, wrong" in second
    x, y = place_of(page, 4, panel=1)
    page.mouse.move(x, y)
    page.wait_for_selector("#tooltip:not([hidden])")
    assert page.locator("#tooltip").text_content().endswith("image wrong · well wrong")


def test_a_filter_that_another_method_answers_says_so(open_page, two_methods):
    page = open_page(folder=two_methods)
    only(page, "right", "wrong")
    status(page, "16 of 48 images shown")
    page.click("#select-shown")
    status(page, "16 selected")
    page.select_option("#view", "other")
    status(page, "32 of 48 images shown (24 wells), 16 selected (16 wells)")
    said = page.locator("#message").text_content()
    assert said.startswith(
        "The filter on “image right or wrong” now asks Other — trained on a share of every batch: 32"
    )
    assert "16 were before" in said


def test_the_legend_shows_each_colour_that_is_drawn(open_page, two_methods, tmp_path):
    page = open_page("#beside=other&colour=right", folder=two_methods)
    assert "a well of both" in page.locator("#legend .both").text_content()
    only(page, "right", "wrong")
    status(page, "16 of 48 images shown")
    swatch = page.locator("#legend .value", has_text="right").locator(".swatch")
    assert swatch.evaluate("each => getComputedStyle(each).backgroundColor") == "rgb(0, 114, 178)"


def test_as_many_flags_as_colours_are_not_too_many(open_page, tmp_path):
    index, looks = made_up()
    index["qc_flags"] = [f"c0: fault {at}" if at < 7 else "" for at in range(len(index))]
    write_page(tmp_path, facts(), index, looks)
    page = open_page("#colour=qc", folder=tmp_path)
    assert page.locator("#legend .value").count() == 8
    assert page.locator("#legend .note").text_content() == ""


def test_methods_are_grouped_by_what_they_were_trained_on(open_page, two_methods):
    page = open_page(folder=two_methods)
    groups = page.locator("#view optgroup").evaluate_all("all => all.map(each => [each.label, each.textContent])")
    assert groups == [["Trained without the test batches", "Baseline"], ["Trained on a share of every batch", "Other"]]
    page.click("#help")
    help_ = page.locator("#help-box").inner_text()
    assert all(word in help_ for word in ("UMAP", "not scored", "Images are <u>clustered</u>."))


def test_small_pictures_say_where_they_are_and_what_was_predicted(open_page, index):
    page = open_page()
    page.evaluate("debatch.app.select([3, 30], 'new')")
    page.click("#tab-selection")
    page.wait_for_function("document.querySelectorAll('#gallery .card').length === 2")
    lines = page.locator("#gallery .card").first.locator(".caption").all_text_contents()
    assert lines[:2] == [f"E00, plate {PLATE}", f"{index['well'][3]}, {index['perturbation'][3]}"]
    predicted = pd.Series(index["perturbation"].unique())[(index["label"][3] + 1) % 4]
    assert lines[2:] == [f"wrong: {predicted}"]
