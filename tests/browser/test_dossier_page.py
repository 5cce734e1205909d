"""The dossier page in a browser: no violation of accessibility, and nothing is fetched."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from flows.check_page.texts import LANGUAGES, Language
from flows.dossier_page.page import render_dossier
from tests.support.accessibility import assert_accessible
from tests.support.dossiers import VOCABULARY, described


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_accessible_and_needs_nothing_else(page: Page, tmp_path: Path, language: Language) -> None:
    file = tmp_path / "page.html"
    file.write_text(render_dossier(described(), VOCABULARY, language), encoding="utf-8")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert_accessible(page, language)
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
