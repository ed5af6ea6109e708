"""The explorer of a made-up screen, opened from its folder in Chromium."""

from pathlib import Path

import pandas as pd
import pytest
from helpers.browser import chromium
from helpers.explored import TITLE, made_up
from helpers.images import MemoryReader, make_images

from debatch.report.explorer.page import Facts, write_page
from debatch.report.explorer.thumbnails import write_thumbnails

WIDE = {"width": 1280, "height": 860}


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def index() -> pd.DataFrame:
    return made_up()[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A path with what addresses must escape."""
    folder = tmp_path_factory.mktemp("explorer") / "a # folder? 100 %"
    index, looks = made_up()
    reader = MemoryReader(index, make_images(index, channels=3, side=48))
    for experiment in index["experiment"].unique():
        write_thumbnails(index, experiment, reader, 32, folder / f"images/{experiment}.js")
    facts = Facts("made_up", TITLE, True, "<b>small</b>", ("image", "images"), (4, 14), reader.names, ["E00", "E01"])
    write_page(folder, facts, index, looks)
    return folder


@pytest.fixture
def open_page(browser, folder):
    """Opens the page, and sees to it that nothing on it fails, asks a network, or runs a name as a program."""
    contexts, wrong = [], []

    def opened(hash_="", folder=folder, **options):
        context = browser.new_context(**{"viewport": WIDE, "accept_downloads": True, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or wrong.append(r.url))
        page.goto(f"{folder.as_uri()}/index.html{hash_}")
        page.wait_for_function("debatch.app && document.getElementById('status').textContent.includes('shown')")
        return page

    yield opened
    for context in contexts:
        assert not any(page.evaluate("window.hacked") for page in context.pages)
        context.close()
    assert not wrong
