"""Accessibility of a page in a browser, as axe judges it."""

from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from flows.check_page.texts import Language

AXE: Final = Axe()
WIDE: Final = {"width": 1280, "height": 900}
NARROW: Final = {"width": 320, "height": 640}
"""A page of 1280 pixels, enlarged four times."""


def assert_accessible(page: Page, language: Language, *, preload: bool = True) -> None:
    """Assert that axe finds nothing, and that all is there where the page is enlarged four times: one language's.

    preload: whether axe reads the style sheets again, which a page read from a file does not allow.
    """
    assert page.locator("html").get_attribute("lang") == language
    for size in (NARROW, WIDE) if language == "nb" else (WIDE,):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        violations: list[dict[str, Any]] = AXE.run(
            page, options={"preload": preload, "resultTypes": ["violations"]}
        ).response["violations"]
        assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in violations] == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
