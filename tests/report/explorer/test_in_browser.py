"""The explorer as a reader uses it: opened from its folder in Chromium, with names that would break a careless page."""

import json
import shutil

import pytest
from helpers.explored import NAMES, PLATE, TITLE, exported, lasso, made_up, picture, place_of, status, well_at

from debatch.report.explorer.page import Facts, Look, write_page


def test_points_are_drawn_and_names_are_only_text(open_page):
    page = open_page()
    drawn = """() => {
        const { canvas } = debatch.app.scatters[0];
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }"""
    assert page.evaluate(drawn) > 2
    assert page.locator("#title").text_content() == TITLE
    assert page.locator("#label").text_content() == "<b>small</b>"
    assert page.title() == f"{TITLE}: explorer"
    assert page.locator("#simulated").is_visible()
    page.select_option("#colour", "perturbation")
    page.wait_for_function("document.querySelectorAll('#legend .value').length === 4")
    assert sorted(page.locator("#legend .name").all_text_contents()) == sorted(NAMES)
    page.select_option("#colour", "own.<b>note</b>")
    page.wait_for_function("document.querySelectorAll('#legend .value').length === 3")
    assert page.locator("#plates option").all_text_contents() == [f"E0{at}, plate {PLATE}" for at in (0, 1)]
    page.evaluate("debatch.app.focus(5)")
    page.wait_for_selector("#detail dl")
    assert "c0: <u>odd</u>" in page.locator("#facts").text_content()
    assert page.locator("img, #legend b, #facts b, #facts a, #detail a, main script").count() == 0


def test_a_line_around_points_selects_them_and_the_export_lists_them(open_page, index):
    page = open_page()
    page.keyboard.press("l")
    lasso(page, 0.0, 0.45)
    status(page, "24 selected")
    table = exported(page, "selected")
    assert set(table["image_id"]) == set(index["image_id"][:24])
    assert table["perturbation"].tolist() == index["perturbation"][:24].tolist()
    page.keyboard.down("Shift")
    lasso(page, 0.55, 1.0)
    page.keyboard.up("Shift")
    status(page, "48 selected")
    page.select_option("#mode", "remove")
    lasso(page, 0.0, 0.45)
    status(page, "24 selected")
    assert set(exported(page, "selected")["image_id"]) == set(index["image_id"][24:])
    page.keyboard.press("Escape")
    status(page, "0 selected")


def test_filters_hold_together_and_misread_wells_of_one_batch_are_exported(open_page, index):
    page = open_page()
    page.locator("#legend .value", has_text="E01").locator(".only").click()
    status(page, "24 of 48 images shown")
    page.select_option("#colour", "right")
    page.locator("#legend .value", has_text="wrong").locator(".only").click()
    status(page, "8 of 48 images shown")
    assert page.locator("#legend .value", has_text="wrong").locator(".count").text_content() == "8"
    assert set(exported(page)["image_id"]) == set(index["image_id"][24:][index.index[24:] % 3 == 0])
    page.locator("#chips button", has_text="batch").click()
    status(page, "16 of 48 images shown")
    page.select_option("#colour", "probability")
    page.locator("#chips button").click()
    page.locator("input[aria-label='At least']").fill("0.5")
    status(page, "32 of 48 images shown")


def test_search_finds_names_wells_and_image_ids(open_page, index):
    page = open_page()
    for words, count in [
        ("B05", 4),
        ("onerror", 12),
        ("b05 e01", 2),
        (index["image_id"][7].lower(), 1),
        ("no such", 0),
    ]:
        page.fill("#search", words)
        status(page, f"{count} of 48 images shown")


def test_a_point_leads_to_its_well_and_its_picture(open_page, index):
    page = open_page()
    x, y = place_of(page, 30)
    page.mouse.click(x, y)
    page.wait_for_selector("#detail canvas")
    row = index.iloc[30]
    assert row["image_id"] in page.locator("#facts").text_content()
    assert page.locator("#plates").evaluate("select => select.selectedOptions[0].text").startswith("E01")
    assert page.locator("#gallery .card").count() == 2
    assert page.locator("#gallery-words").text_content().endswith(f"well {row['well']}")
    whole = picture(page, "#detail canvas")
    assert whole.std() > 5
    for channel in ("c1", "c2"):
        page.locator("#channels label", has_text=channel).locator("input").uncheck()
    page.wait_for_timeout(100)
    # the first channel alone, which is blue, and once more brighter
    alone = picture(page, "#detail canvas")[4:-4, 4:-4]
    assert alone[..., 2].mean() > 2 * alone[..., 1].mean()
    page.locator("input[aria-label='White point of c0']").fill("0.4")
    page.wait_for_timeout(100)
    assert picture(page, "#detail canvas")[4:-4, 4:-4].mean() > 1.3 * alone.mean()
    page.locator("input[aria-label='Black point of c0']").fill("0.9")
    page.wait_for_timeout(100)
    assert picture(page, "#detail canvas")[4:-4, 4:-4].mean() < alone.mean()


def test_wells_are_selected_on_the_plate_by_mouse_and_keys(open_page):
    page = open_page()
    page.mouse.move(*well_at(page, 1, 1))
    page.mouse.down()
    page.mouse.move(*well_at(page, 3, 1), steps=4)
    page.mouse.up()
    status(page, "6 selected (3 wells)")
    # a well of one misread and one other image, and one of two others
    page.select_option("#colour", "right")
    page.wait_for_function("document.querySelectorAll('#legend .value').length === 3")
    colour = "([x, y]) => [...document.getElementById('plate').getContext('2d').getImageData(x, y, 1, 1).data]"
    cell = page.evaluate("(document.getElementById('plate').clientWidth - 26) / 14")
    half, right = (page.evaluate(colour, [24 + (column + 0.5) * cell, 16 + 1.5 * cell]) for column in (1, 3))
    assert right[:3] == [0x00, 0x72, 0xB2]
    assert half[:3] == pytest.approx([0xD5 / 2, (0x5E + 0x72) / 2, 0xB2 / 2], abs=1)
    page.keyboard.press("]")
    page.locator("#plate").focus()
    page.keyboard.press("Escape")
    for key in ["ArrowDown", "ArrowRight", "ArrowRight", " "]:
        page.keyboard.press(key)
    status(page, "2 selected")
    assert page.evaluate("[...debatch.app.selection].flatMap((flag, at) => (flag ? [at] : []))") == [26, 27]


def test_two_methods_share_the_selection(open_page):
    page = open_page()
    page.select_option("#beside", "corrected")
    page.wait_for_selector("#beside-panel:not([hidden])")
    page.keyboard.press("l")
    lasso(page, 0.0, 0.45)
    status(page, "24 selected")
    assert page.locator("#caption-1").text_content() == "Baseline, Harmony (UMAP of 48 images; 24 of 24 selected)"
    page.select_option("#colour", "right")
    bright = """panel => {
        const { canvas } = debatch.app.scatters[panel];
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let found = 0;
        for (let at = 0; at < data.length; at += 4) found += data[at] === 0xd5 && data[at + 1] === 0x5e;
        return found;
    }"""
    page.wait_for_function(f"({bright})(0) > 0 && ({bright})(1) > 0")
    first, second = (page.evaluate(bright, panel) for panel in (0, 1))
    assert second == pytest.approx(first, rel=0.35)


def test_an_address_brings_the_same_view_back(open_page):
    page = open_page()
    page.select_option("#colour", "right")
    page.locator("#legend .value", has_text="right").locator(".only").click()
    page.select_option("#beside", "corrected")
    page.keyboard.press("l")
    lasso(page, 0.0, 0.45)
    status(page, "16 selected")
    page.evaluate("debatch.app.focus(4)")
    page.locator("#channels label", has_text="c2").locator("input").uncheck()
    page.evaluate("debatch.app.scatters[1].drag(100, 100, 130, 100, 2)")
    page.wait_for_function("['selected=', 'at1=', 'image=4', 'channel='].every(part => location.hash.includes(part))")
    again = open_page(page.evaluate("location.hash"))
    status(again, "32 of 48 images shown (24 wells), 16 selected (12 wells)")
    seen = """() => JSON.stringify([debatch.app.state.view, debatch.app.state.beside, debatch.app.state.colour,
        debatch.app.state.focus, [...debatch.app.selection],
        document.querySelectorAll('#channels input:checked').length])"""
    assert json.loads(again.evaluate(seen)) == json.loads(page.evaluate(seen))
    assert again.evaluate("debatch.app.state.places[1]") == pytest.approx(
        page.evaluate("debatch.app.state.places[1]"), abs=1e-5
    )
    again.reload()
    status(again, "32 of 48 images shown (24 wells), 16 selected (12 wells)")


@pytest.mark.parametrize(
    "hash_",
    [
        "#view=<script>&colour=__proto__&palette=constructor&filter=batch:x.y&filter=:&at0=1_b_0&plate=9&image=-4",
        "#selected=%%%&search=<img src=x onerror=window.hacked=1>&channel=99_1_0_1_zzz&beside=corrected",
        "#of=another&selected=AAEC&filter=batch:0",
    ],
)
def test_an_address_that_does_not_fit_does_no_harm(open_page, hash_):
    page = open_page(hash_)
    assert page.evaluate("debatch.app.selectedCount") == 0
    assert page.evaluate("debatch.app.state.filters.size") == 0
    if "another" in hash_:
        assert "another version" in page.locator("#message").text_content()


def test_dark_and_narrow_pages_show_all_of_it(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    x, y = place_of(page, 2)
    page.touchscreen.tap(x, y)
    page.wait_for_selector("#detail canvas")
    fingers = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", None)):
        points = [] if apart is None else [{"x": 195 - apart, "y": y, "id": 0}, {"x": 195 + apart, "y": y, "id": 1}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert page.evaluate("debatch.app.scatters[0].place.zoom") == pytest.approx(3, rel=0.2)
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_profiles_and_screens_without_embeddings_do_without(open_page, tmp_path):
    index, _ = made_up()
    facts = Facts("profiles", "Profiles", False, "", ("profile", "profiles"), (8, 14), [], [])
    write_page(tmp_path, facts, index.drop(columns="qc_flags"), [])
    page = open_page(folder=tmp_path)
    status(page, "48 of 48 profiles shown")
    assert page.locator("#no-views").is_visible()
    assert not page.locator("#channel-panel").is_visible()
    assert not page.locator("#simulated").is_visible()
    page.evaluate("debatch.app.focus(3)")
    page.wait_for_selector("#detail dl")
    assert page.locator("#gallery .card").count() == 2
    assert page.locator("#detail canvas, #gallery canvas").count() == 0


def test_the_first_plate_is_one_that_has_points(open_page, tmp_path):
    index, looks = made_up()
    facts = Facts("later", "Later", False, "", ("image", "images"), (4, 14), [], [])
    points = looks[0].points[index["batch"] == "E01"]
    write_page(tmp_path, facts, index, [Look("a", "A", points)])
    page = open_page(folder=tmp_path)
    assert page.locator("#plates").evaluate("select => select.selectedOptions[0].text").startswith("E01")
    assert page.locator("#caption-0").text_content() == "A (UMAP of 24 of 48 images)"


def test_a_folder_that_is_not_whole_says_which_file_it_lacks(browser, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "part", dirs_exist_ok=True)
    (tmp_path / "part/data/view-0.js").unlink()
    page = browser.new_page()
    page.goto(f"{(tmp_path / 'part').as_uri()}/index.html")
    page.wait_for_selector("#message:not([hidden])")
    assert "data/view-0.js is not in the page's folder" in page.locator("#message").text_content()
    page.close()
