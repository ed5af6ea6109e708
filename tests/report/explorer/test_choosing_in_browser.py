"""Looking at wells and images of the explorer, and selecting them: two things that do not change each other."""

from dataclasses import replace

import pytest
from helpers.explored import lasso, made_up, place_of, status, well_at

from debatch.report.explorer.page import Facts, write_page


def selected(page) -> list[int]:
    return page.evaluate("[...debatch.app.selection].flatMap((flag, at) => (flag ? [at] : []))")


def test_a_click_looks_and_a_click_with_a_key_selects(open_page):
    page = open_page()
    page.mouse.click(*well_at(page, 1, 1))
    page.wait_for_selector("#detail canvas")
    status(page, "0 selected")
    assert not page.locator("#export-selected").is_visible()
    assert page.locator("#export-shown").text_content() == "Export 48 shown"
    page.keyboard.down("Control")
    page.mouse.click(*well_at(page, 2, 1))
    status(page, "2 selected (1 well)")
    page.mouse.click(*well_at(page, 3, 1))
    status(page, "4 selected")
    page.mouse.click(*well_at(page, 2, 1))
    status(page, "2 selected")
    page.keyboard.up("Control")
    assert selected(page) == [4, 5]
    assert page.locator("#export-selected").text_content() == "Export 2 selected"
    assert page.locator("#export-shown").text_content() == "Export 48 shown"
    page.click("#select-well")
    status(page, "4 selected")
    assert selected(page) == [0, 1, 4, 5]
    page.click("#select-well")
    status(page, "2 selected")
    page.mouse.click(*place_of(page, 30), button="left")
    page.keyboard.down("Shift")
    page.mouse.click(*place_of(page, 30))
    page.keyboard.up("Shift")
    status(page, "3 selected")
    page.locator("#plate").focus()
    page.keyboard.press("Enter")
    status(page, "3 selected")


def test_escape_closes_what_is_open_first_and_a_cleared_selection_comes_back(open_page):
    page = open_page()
    page.keyboard.press("l")
    lasso(page, 0.0, 0.45)
    status(page, "24 selected")
    page.evaluate("debatch.app.focus(4)")
    page.click("#detail .large")
    assert page.locator("#enlarged canvas").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#enlarged").is_visible()
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('#detail dl')")
    status(page, "24 selected")
    page.keyboard.press("Escape")
    status(page, "0 selected")
    page.locator("#message button", has_text="Undo").click()
    status(page, "24 selected")
    page.click("#clear")
    status(page, "0 selected")
    page.keyboard.press("Control+z")
    status(page, "24 selected")


def test_a_filter_leads_to_a_plate_of_which_something_is_shown(open_page):
    page = open_page()
    assert page.locator("#plates").input_value() == "0"
    page.locator("#legend .value", has_text="E01").locator(".only").click()
    page.wait_for_function("document.getElementById('plates').value === '1'")
    assert [words.rsplit(": ", 1)[-1] for words in page.locator("#plates option").all_text_contents()] == [
        "0 shown",
        "24 shown",
    ]
    page.keyboard.press("]")
    assert page.evaluate("debatch.app.state.plate") == 1


def test_a_well_that_the_filters_hide_or_that_is_empty_says_so(open_page):
    page = open_page()
    page.fill("#search", "B03")
    status(page, "4 of 48 images shown")
    page.mouse.click(*well_at(page, 1, 1))
    page.wait_for_selector("#detail canvas")
    assert page.locator("#message").text_content() == "The filters hide all images of well B02."
    assert page.locator("#gallery-words").text_content().endswith("the filters hide its images")
    page.mouse.click(*well_at(page, 0, 0))
    assert page.locator("#message").text_content() == "Well A01 of this plate holds no images."


@pytest.mark.parametrize(("wide", "least"), [(1280, 150), (1920, 230)])
def test_the_picture_grows_with_its_panel_and_stays_in_view(open_page, wide, least):
    page = open_page(viewport={"width": wide, "height": 800})
    page.evaluate("debatch.app.focus(4)")
    page.wait_for_selector("#detail canvas")
    assert page.locator("#detail canvas").bounding_box()["width"] > least
    assert page.locator("#gallery .card[aria-pressed=true]").get_attribute("data-image") == "4"
    page.locator("section.side").evaluate("side => side.scrollTo(0, side.scrollHeight)")
    picture, side = (page.locator(part).bounding_box() for part in ("#detail canvas", "section.side"))
    assert picture["y"] >= side["y"]
    page.click("#detail .large")
    large = page.locator("#enlarged canvas")
    assert large.bounding_box()["height"] > 400
    assert page.locator("#channels").is_visible()
    page.locator("#gallery .card[data-image='5']").click()
    page.wait_for_function("document.querySelector('#enlarged p').textContent.includes('B04')")
    large.click()
    assert not large.is_visible()


def test_what_is_said_of_a_well_is_of_all_its_images(open_page):
    page = open_page()
    page.mouse.move(*well_at(page, 1, 1))
    tooltip = page.locator("#tooltip")
    page.wait_for_selector("#tooltip:not([hidden])")
    words = tooltip.text_content()
    assert words.endswith("B02 · 1 of 2 images wrong · well wrong")
    assert words.count("E00") == 1
    plate = page.locator("#plate").bounding_box()
    assert tooltip.bounding_box()["y"] + tooltip.bounding_box()["height"] <= plate["y"] + 1
    page.evaluate("debatch.app.filter('right', { off: new Set([1]) })")
    status(page, "32 of 48 images shown")
    page.mouse.move(*well_at(page, 2, 1))
    page.mouse.move(*well_at(page, 1, 1))
    assert tooltip.text_content().endswith("1 of 2 images shown · 0 of 1 image wrong · well wrong")
    page.mouse.move(*place_of(page, 31))
    assert tooltip.is_visible()
    page.mouse.down()
    page.mouse.move(900, 500, steps=3)
    assert not tooltip.is_visible()
    page.mouse.up()


def test_a_well_brings_its_point_into_view(open_page):
    page = open_page()
    page.evaluate("debatch.app.scatters[0].moveTo({ x: 0.95, y: 0.5, zoom: 8 })")
    page.mouse.click(*well_at(page, 1, 1))
    page.wait_for_function("debatch.app.scatters[0].place.x < 0.3")
    assert page.evaluate("debatch.app.scatters[0].place.zoom") == 8
    assert place_of(page, 0)


def test_keys_show_where_they_act(open_page):
    page = open_page()
    for selector in ("#marks-0", "#plate"):
        page.locator(selector).focus()
        page.keyboard.press("ArrowRight")
        style = page.locator(selector).evaluate(
            "each => [getComputedStyle(each).outlineStyle, parseFloat(getComputedStyle(each).outlineOffset)]"
        )
        assert style[0] == "solid"
        assert style[1] < 0


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768), (390, 844)])
def test_no_word_of_the_tools_is_cut_off_and_they_leave_room(open_page, size):
    page = open_page("#colour=probability", viewport={"width": size[0], "height": size[1]})
    cut = """() => [...document.querySelectorAll('.tools select, .tools input')].filter((each) => {
        const style = getComputedStyle(each), pen = document.createElement('canvas').getContext('2d');
        pen.font = style.font;
        const words = each.selectedOptions ? each.selectedOptions[0].text : each.placeholder;
        return pen.measureText(words).width + 2 * parseFloat(style.paddingLeft) > each.clientWidth;
    }).map((each) => each.id)"""
    assert page.evaluate(cut) == []
    if size[0] > 820:
        assert page.locator("main").bounding_box()["y"] < 0.27 * size[1]


@pytest.mark.parametrize("wide", [1280, 1024, 390])
def test_long_titles_do_not_widen_the_page(open_page, tmp_path, wide):
    index, (look, _) = made_up()
    titled = replace(look, method="Domain-adversarial network of a long title, with gradient reversal")
    facts = Facts("long", "Long", True, "", ("image", "images"), (4, 14), [], [])
    write_page(tmp_path, facts, index, [titled, replace(titled, key="other", correction="Z-norm (controls)")])
    page = open_page("#beside=other", folder=tmp_path, viewport={"width": wide, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= wide


def test_a_copied_address_says_what_to_replace(open_page):
    page = open_page()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: { writeText: async () => {} } })")
    page.click("#copy")
    page.wait_for_selector("#message:not([hidden])")
    assert "replaces all before index.html" in page.locator("#message").text_content()
