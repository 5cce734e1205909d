"""The check page in a browser: no violation of accessibility, the keyboard alone is enough, and no script is needed."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from flows.check_page.texts import LANGUAGES, Language, texts_of
from tests.support.accessibility import assert_accessible
from tests.support.check_page import FAULTY, HOSTILE, SOUND, served_page


@pytest.fixture(scope="module")
def url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert chromium
    with served_page(tmp_path_factory.mktemp("page"), {"ENGANG_CHECK_PAGE_BYTES": str(2**20)}) as found:
        yield found


@pytest.fixture(scope="module")
def known_url(chromium: str, unchecked: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a page that shows what is known already."""
    assert chromium
    assert unchecked is None
    folder = tmp_path_factory.mktemp("known")
    with served_page(folder, {"ENGANG_CHECK_PAGE_KNOWN": "on"}, release=True) as found:
        yield found


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    texts = {"sound": SOUND, "faulty": FAULTY, "hostile": HOSTILE, "large": "x" * 2**21}
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return {name: tmp_path / f"{name}.csv" for name in texts}


def check(page: Page, url: str, file: Path, language: Language = "en") -> None:
    page.goto(f"{url}/obligations/visits?lang={language}")
    page.set_input_files("#file", file)
    with page.expect_navigation():
        page.click("button")
    expect(page.locator("h1")).to_have_text(texts_of(language)["receipt_title"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_accessible(page: Page, url: str, files: dict[str, Path], language: Language) -> None:
    page.goto(f"{url}/?lang={language}")
    assert_accessible(page, language)
    page.goto(f"{url}/obligations/visits-asking?lang={language}")
    assert_accessible(page, language)
    page.evaluate("document.forms[0].noValidate = true")
    with page.expect_navigation():
        page.click("button")
    expect(page.locator("#problems")).to_be_focused()
    assert_accessible(page, language)
    check(page, url, files["faulty"], language)
    assert_accessible(page, language)
    page.goto(f"{url}/obligations/none?lang={language}")
    expect(page.locator("h1")).to_have_text(texts_of(language)["errors"]["not_found"]["title"])
    assert_accessible(page, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_known_is_accessible_and_its_draft_is_downloaded(
    page: Page, known_url: str, language: Language, tmp_path: Path
) -> None:
    page.goto(f"{known_url}/obligations/visits?lang={language}")
    page.click("main a[href*='/known']")
    assert_accessible(page, language)
    page.fill("#unit", "A")
    page.fill("#period", "2024-01")
    with page.expect_navigation():
        page.click("button")
    texts = texts_of(language)["known"]
    expect(page.locator("#answer")).to_have_text(texts["answer"].format(n=1, all=1))
    assert_accessible(page, language)
    with page.expect_download() as download:
        page.click("a[download]")
    download.value.save_as(tmp_path / "draft.csv")
    assert (tmp_path / "draft.csv").read_bytes() == b"who;month;n\r\nA;2024-01;5\r\n"
    page.goto(f"{known_url}/obligations/visits/known?lang={language}&unit=A&period=soon")
    expect(page.locator("#problems")).to_be_focused()
    assert_accessible(page, language)


def test_the_keyboard_alone_leads_to_the_receipt(page: Page, url: str, files: dict[str, Path]) -> None:
    # The browser gives its file dialogs to the test a moment after the first listener: long before the key.
    page.on("filechooser", lambda _: None)
    page.goto(f"{url}/?lang=en")
    tab_to(page, "a[href='#main']")
    tab_to(page, "a[href^='/obligations/visits?']")
    with page.expect_navigation():  # a page without its style sheet shows the focus in another way
        page.keyboard.press("Enter")
    expect(page.locator("#file")).to_be_visible()
    tab_to(page, "#file")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(files["faulty"])
    expect(page.locator(".drop-state")).to_have_text("Chosen file: faulty.csv")
    tab_to(page, "button")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator(".outcome")).to_have_text("Some rows would be rejected")
    tab_to(page, "a[download]")
    tab_to(page, "[role=region]")
    tab_to(page, "summary")
    before = page.locator("details").get_attribute("open")
    page.keyboard.press("Enter")
    assert page.locator("details").get_attribute("open") != before


def tab_to(page: Page, selector: str) -> None:
    """Press the tab key until the element has the focus, which is then visible."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_the_receipt_is_downloaded_without_another_request(
    page: Page, url: str, files: dict[str, Path], tmp_path: Path
) -> None:
    check(page, url, files["faulty"], "nn")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    with page.expect_download() as download:
        page.click("a[download]")
    download.value.save_as(tmp_path / "receipt.csv")
    assert download.value.suggested_filename == "kvittering.csv"
    text = (tmp_path / "receipt.csv").read_text(encoding="utf-8-sig")
    lines = list(csv.DictReader(text.splitlines(), delimiter=";"))
    assert [line["Funne"] for line in lines if line["Rad"] == "9"] == ["'=1+1", "'=1+1"]
    assert [sent for sent in requests if sent.startswith("http") and "/static/" not in sent] == []


def test_a_file_is_dropped_and_a_large_one_is_named_before_it_is_sent(
    page: Page, url: str, files: dict[str, Path]
) -> None:
    page.goto(f"{url}/obligations/visits?lang=nb")
    dropped = (
        "text => { const data = new DataTransfer(); data.items.add(new File([text], 'dropped.csv')); return data; }"
    )
    data = page.evaluate_handle(dropped, SOUND)
    page.dispatch_event(".drop", "dragover", {"dataTransfer": data})
    page.dispatch_event(".drop", "drop", {"dataTransfer": data})
    expect(page.locator(".drop-state")).to_have_text("Valgt fil: dropped.csv")
    page.set_input_files("#file", files["large"])
    expect(page.locator(".drop-state")).to_have_text("Filen er på 2 MB. Her kan du kontrollere høyst 1 MB.")
    assert not page.evaluate("document.forms[0].checkValidity()")
    page.evaluate("document.forms[0].noValidate = true")
    with page.expect_navigation():
        page.click("button")
    expect(page.locator("h1")).to_have_text("Filen er for stor")


def test_what_a_sender_wrote_runs_nowhere(page: Page, url: str, files: dict[str, Path]) -> None:
    check(page, url, files["hostile"])
    assert page.locator("main img, main script").count() == 0
    assert page.locator(".cell").first.inner_text() == "<img src=x onerror=alert(1)>"


def test_the_whole_way_works_without_scripts(browser: Browser, url: str, files: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{url}/?lang=nn")
    page.click("a[href^='/obligations/visits?']")
    page.set_input_files("#file", files["sound"])
    with page.expect_navigation():
        page.click("button")
    expect(page.locator(".outcome")).to_have_text("Fila ville blitt godteken")
    context.close()
