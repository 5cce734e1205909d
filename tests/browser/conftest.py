"""Fixtures of the tests in a browser: Debian's Chromium, and a page whose problems fail the test."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

INSTALL_SECONDS: Final = 300
WIDE: Final = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def chromium() -> str:
    """Give the path of Debian's browser. Without it these tests are skipped; CI installs it and skips none."""
    ready, until = os.environ.get("BROWSER_READY"), time.monotonic() + INSTALL_SECONDS
    while ready and not Path(ready).exists():
        assert time.monotonic() < until, "the browser was not installed"
        time.sleep(0.5)
    return shutil.which("chromium") or pytest.skip("no browser: apt-get install chromium")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give a page whose problems, as the console shows them, fail the test; errors of loading are those of the test."""
    context = browser.new_context(viewport=WIDE)
    context.set_default_timeout(30_000)
    problems: list[str] = []
    opened = context.new_page()
    opened.on("console", lambda m: problems.append(m.text) if "Failed to load" not in m.text else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(dialog.message))
    yield opened
    context.close()
    assert problems == []
