"""Chromium for tests of pages that are opened from a disk."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def chromium() -> Iterator:
    """A Chromium without a window; skips where there is none, unless DEBATCH_BROWSER=required, as CI says."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path, missing = None, "Playwright is not installed"
    else:
        missing = "no Chromium here"
    if path is None:
        reason = f"{missing}: `make browser` installs it on Debian, as root; elsewhere name one as $CHROMIUM"
        assert os.environ.get("DEBATCH_BROWSER") != "required", reason
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
