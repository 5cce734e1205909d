"""The release site in a browser: every kind of page, in three languages; its screenshots are in `build/screenshots`."""

import shutil
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from flows.check_page.texts import LANGUAGES, Language
from flows.installation import open_installation
from flows.site.build import write_site
from flows.site.find import page_path
from tests.support.accessibility import assert_accessible
from tests.support.paths import ROOT

SCREENSHOTS: Final = ROOT / "build" / "screenshots"
KLEPP: Final = page_path("units", "municipality:1120@1838-01-01")
MAIN_PAGES: Final = {
    "index.html": ("285", "217", "59.5%"),
    "burden.html": ("28", "19.3"),
    "obligations/demo-tilsyn.html": ("36 of 44",),
    KLEPP: ("202 \N{EN DASH} Monthly supervision form",),
    "overlap.html": ("22", "100%"),
    "conflicts.html": ("202", "tilsyn-2025-01.xlsx"),
    "records/incident.html": ("113", "150", "37"),
    "coverage.html": ("January 2025",),
    "use.html": ("read_parquet",),
    "operations.html": ("Done",),
}
"""The ten main pages, and what each must show in English."""
OTHER_PAGES: Final = (
    "obligations.html", "agencies.html", page_path("agencies", "Kommunetilsynet"), "units.html", "concepts.html",
    "concepts/pupils.html", "explorer.html", "found.html", "records.html", "changes.html", "methods.html",
    "dictionary.html", "dictionary/observations.html", "items/84898ad25e12e8dd4916ae99.html",
)  # fmt: skip


KINDS: Final = (*MAIN_PAGES, *OTHER_PAGES)


@pytest.fixture(scope="module")
def site(demo_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the site of the demo's release; it is written besides the demo, which other tests use too."""
    installation = open_installation(demo_run[0] / ".engang")
    folder = tmp_path_factory.mktemp("site")
    yield write_site(installation, to=folder).folder
    installation.engine.dispose()
    shutil.rmtree(folder)


def test_every_kind_of_page_is_accessible_and_asks_nobody(page: Page, site: Path) -> None:
    """Each kind in one of the languages, in turn; all three are what is slow."""
    look_at(page, site, zip(KINDS, cycle(LANGUAGES)))


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_page_is_accessible_in_each_language(page: Page, site: Path, language: Language) -> None:
    look_at(page, site, ((path, language) for path in KINDS))


def look_at(page: Page, site: Path, several: Iterable[tuple[str, Language]]) -> None:
    """Assert that axe finds nothing on pages, and that they load nothing but the site's own files."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for path, language in several:
        page.goto((site / language / path).as_uri())
        if path == "explorer.html":
            page.locator("#explorer tbody tr").first.wait_for()
        assert_accessible(page, language, preload=False)
    own = (site.as_uri(), "data:")
    assert [url for url in requests if not url.startswith(own)] == []


@pytest.mark.parametrize("path", MAIN_PAGES)
def test_a_main_page_shows_its_key_figure(page: Page, site: Path, path: str) -> None:
    page.goto((site / "en" / path).as_uri())
    text = page.locator("main").inner_text()
    assert [figure for figure in MAIN_PAGES[path] if figure not in text] == []
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{path.removesuffix('.html').replace('/', '-')}.png", full_page=True)


def test_rows_are_filtered_by_keyboard_and_languages_switched(page: Page, site: Path) -> None:
    page.goto((site / "en" / "records" / "incident.html").as_uri())
    field = page.get_by_label("Filter: Items of most reports")
    rows = page.locator(".filter + .table tbody tr:visible")
    before = rows.count()
    field.press_sequentially("43207e7b28566a09")
    assert (before, rows.count()) == (37, 1)
    page.get_by_role("link", name="Nynorsk").press("Enter")
    assert page.locator("html").get_attribute("lang") == "nn"
    assert page.url.endswith("/nn/records/incident.html")


def test_all_is_there_without_scripts(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto((site / "nb" / "conflicts.html").as_uri())
    assert "omsorg-2025-01.csv" in opened.inner_text("main")
    assert opened.locator(".filter").count() == 0
    context.close()
