"""The explorer of the release site: rows by filter, search and order, from a folder and by range requests."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from flows.check_page.texts import LANGUAGES, Language
from flows.release.build import night
from flows.site.build import write_site
from tests.support.accessibility import assert_accessible
from tests.support.prefill import IN_TIME, deliver
from tests.support.range_server import serve_folder
from tests.support.sites import COLUMNS, CONTRACTS, TERMS
from tests.support.small_installation import open_small

BIG: Final = ("9007199254740993", "9007199254740992.5", "9007199254740992.000000001")
"""Values that are one and the same binary number: only as text, or compared exactly, do they differ."""
MONTHS: Final = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, unchecked: None) -> Iterator[Path]:  # noqa: ARG001  a fixture
    """Give the site of a release of two units in 60 months; the first months have the big values."""
    place = tmp_path_factory.mktemp("explorer")
    contracts = place / "contracts"
    contracts.mkdir()
    (contracts / "tilsyn.yml").write_text(CONTRACTS["tilsyn"] + TERMS, encoding="utf-8")
    here = open_small(place / "home", contracts)
    months = [f"{2020 + number // 12}-{number % 12 + 1:02}" for number in range(MONTHS)]
    costs = [*BIG, *(str(number) for number in range(3, MONTHS))]
    lines = [f"{unit};{month};{cost};;;" for unit in (1120, 1121) for month, cost in zip(months, costs, strict=True)]
    deliver(here, "tilsyn", "\n".join((COLUMNS, *lines, "")), at=IN_TIME)
    assert night(here).published
    yield write_site(here, to=place / "site").folder
    here.engine.dispose()


def open_explorer(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("status").filter(has_text="rows 1 to 50")).to_be_visible()


def values(page: Page) -> list[str]:
    """Return the cells of the column of values, from top to bottom."""
    place = page.locator("#explorer thead th").all_inner_texts().index("value \N{UP DOWN ARROW}")
    return page.locator(f"#explorer tbody td:nth-child({place + 1})").all_inner_texts()


def test_rows_are_searched_filtered_and_sorted_exactly(page: Page, folder: Path) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    open_explorer(page, (folder / "en" / "explorer.html").as_uri())
    status = page.locator("#explorer-status")
    expect(status).to_have_text("120 of 120 rows; rows 1 to 50 are shown")
    page.get_by_label("Search in all columns").fill("KLEPP")
    expect(status).to_have_text("60 of 120 rows; rows 1 to 50 are shown")
    page.get_by_label("Filter: value").press_sequentially(">9007199254740992")
    expect(status).to_have_text("3 of 120 rows; rows 1 to 3 are shown")
    assert values(page) == list(BIG)
    page.get_by_role("button", name="value").press("Enter")
    expect(status).to_have_text("3 of 120 rows; rows 1 to 3 are shown; sorted by value, ascending")
    head = page.locator("#explorer th", has_text="value")
    assert head.get_attribute("aria-sort") == "ascending"
    cells = page.locator("#explorer tbody tr td.figure").all_inner_texts()
    assert [cell for cell in cells if cell in BIG] == sorted(BIG, key=Decimal)
    page.get_by_role("button", name="value").press("Enter")
    expect(status).to_contain_text("descending")
    assert 'ORDER BY "value" DESC' in page.locator("#explorer pre").inner_text()
    assert '"value" > 9007199254740992' in page.locator("#explorer pre").inner_text()
    own = (folder.as_uri(), "data:")
    assert [url for url in requests if not url.startswith(own)] == []


def test_parts_tables_and_columns_are_chosen_by_keyboard(page: Page, folder: Path) -> None:
    open_explorer(page, (folder / "en" / "explorer.html").as_uri())
    status = page.locator("#explorer-status")
    page.get_by_role("button", name="Next rows").press("Enter")
    expect(status).to_contain_text("rows 51 to 100 are shown")
    assert page.evaluate("document.activeElement.textContent") == "Next rows"
    page.get_by_text("Columns that are shown").press("Enter")
    page.get_by_label("item_id").press("Space")
    expect(page.get_by_label("Filter: item_id")).to_be_visible()
    page.get_by_label("Table", exact=True).select_option("concepts")
    expect(status).to_contain_text("rows 1 to")
    page.get_by_label("Filter: concept").fill("=care_costs")
    expect(page.locator("#explorer tbody tr")).to_have_count(1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_accessible_while_it_is_used(page: Page, folder: Path, language: Language) -> None:
    page.goto((folder / language / "explorer.html").as_uri())
    page.locator("#explorer th button").first.click()
    page.locator("#explorer summary").click()
    expect(page.locator("#explorer th[aria-sort]")).to_be_visible()
    assert_accessible(page, language, preload=False)


def test_over_http_it_asks_for_ranges_of_the_sites_own_files(page: Page, folder: Path) -> None:
    with serve_folder(folder) as served:
        page.on("request", lambda request: asked.append(request.url))
        asked: list[str] = []
        open_explorer(page, f"{served.address}/en/explorer.html#table-observations")
        page.get_by_label("Filter: value").fill(f"={BIG[2]}")
        expect(page.locator("#explorer tbody tr")).to_have_count(2)
        assert values(page) == [BIG[2]] * 2
        files = [(path, size) for path, size in served.asked if path.startswith("/data/")]
    assert {path for path, _ in files} == {"/data/observations.parquet"}
    assert None not in {size for _, size in files}, "no file is asked for whole"
    assert [url for url in asked if not url.startswith((served.address, "data:"))] == []


def test_a_server_that_knows_no_ranges_is_asked_once(page: Page, folder: Path) -> None:
    with serve_folder(folder, ranges=False) as served:
        open_explorer(page, f"{served.address}/en/explorer.html")
        page.get_by_label("Search in all columns").fill("klepp")
        expect(page.locator("#explorer-status")).to_contain_text("60 of 120 rows")
        assert [path for path, _ in served.asked if path.startswith("/data/")] == ["/data/observations.parquet"]


def test_a_table_that_is_too_large_for_a_folder_is_named_as_such(page: Page, folder: Path) -> None:
    text = (folder / "en" / "explorer.html").read_text(encoding="utf-8")
    large = folder / "en" / "large.html"
    large.write_text(text.replace('"inline": true', '"inline": false'), encoding="utf-8")
    page.goto(large.as_uri())
    expect(page.locator("#explorer-status")).to_contain_text("too large to be explored from a folder")
    large.write_text(text.replace('"rows": 120', '"rows": 20000000'), encoding="utf-8")
    page.goto(large.as_uri())
    page.get_by_label("Search in all columns").fill("klepp")
    expect(page.locator("#explorer-status")).to_contain_text("more cells than a browser can read")
    large.unlink()


def test_without_scripts_each_table_has_its_first_rows_and_file(browser: Browser, folder: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto((folder / "nb" / "explorer.html").as_uri())
    text = opened.inner_text("main")
    assert "Uten skript viser den de første radene" in text
    assert "9007199254740992.000000001" not in opened.inner_text("#explorer")
    assert BIG[0] in opened.inner_text("section:has(#table-observations)")
    assert (
        opened.get_by_role("link", name="observations.parquet").get_attribute("href") == "../data/observations.parquet"
    )
    context.close()
