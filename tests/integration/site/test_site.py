"""The release site: what each page shows, what no page shows, and that it needs nothing but itself."""

import html
import json
import re
import shlex
import stat
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urldefrag

import duckdb
import polars as pl
import pytest
import sqlalchemy as sa

from flows.check_page.texts import LANGUAGES
from flows.events import SITE_PUBLISHED, SUBMISSION_OVERDUE
from flows.installation import Installation
from flows.monitoring.publications import publication_problems, publish_after_release
from flows.monitoring.watch import announce_overdue
from flows.overlap.dossier import describe_dossier, draw_up_dossier
from flows.pipeline import write_site_night
from flows.release.publish import Night
from flows.releases import find_release, read_table
from flows.site import content, months
from flows.site.build import WrittenSite, write_site
from flows.site.commands import PAGE_COMMANDS
from flows.site.find import page_path
from flows.site.pages.reference import LOADERS
from flows.site.tables import EXPLORED
from flows.site.writer import site_texts
from infra.ledger.sql import read_frame
from infra.ledger.submissions import read_submissions
from infra.ledger.tables import outbox
from schemas.errors import UsageError
from tests.support.cli_runner import engang
from tests.support.sites import HOSTILE, SECRETS, links_of, make_home

pytestmark = pytest.mark.usefixtures("unchecked")
HOW: Final = ((195, "helse"), (202, "tilsyn"), ("not shown", "closed"))
STATED: Final = [f"{n} \N{EN DASH} Form {name}" for n, name in HOW]
KLEPP: Final = page_path("units", "municipality:1120@1838-01-01")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = make_home(tmp_path_factory.mktemp("site"))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def site(home: Installation) -> WrittenSite:
    return write_site(home)


def text_of(site: WrittenSite, path: str, language: str = "en") -> str:
    """Return what a reader sees of a page: its text, blanks as one."""
    page = (site.folder / language / path).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page[page.index("<main") :])))


def pages(site: WrittenSite) -> list[Path]:
    return sorted(site.folder.rglob("*.html"))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("index.html", ("20 figures were reported. 17 of them (85%)", "Rows delivered 13", "Unique items 10")),
        ("burden.html", ("Obligations by burden", "The least that must be reported", "Needed:")),
        ("obligations.html", ("Form tilsyn", "LOV-1 tilsyn", "Monthly", "none could be dropped as a whole.")),
        ("obligations/tilsyn.html", ("Can the obligation “Form tilsyn” be dropped?",)),
        ("agencies.html", ("Etaten", "Lukket etat")),
        (page_path("agencies", "Etaten"), ("Form persons", "Residents of nursing homes")),
        ("units.html", ("Klepp", "1120", "Municipality")),
        (KLEPP, ("Klepp: what is reported twice", *STATED)),
        ("concepts.html", ("Residents of nursing homes", "Cases")),
        ("concepts/rare_cases.html", ("Cases <b>of something rare</b>", "Form tilsyn", "February 2025 withheld")),
        ("concepts/care_costs.html", ("Time January 2025 900 Norwegian Krone Equal",)),
        ("overlap.html", ("Form helse Form tilsyn", "100%")),
        ("found.html", ("Nothing is suspected.",)),
        ("conflicts.html", ("195 helse.txt row 4, residents", "202 tilsyn.txt row 2, residents")),
        ("records.html", ("The release has no records.",)),
        ("changes.html", ("What has changed since release 1.", "Added 6", "Changed 2")),
        ("coverage.html", ("Form tilsyn January 2025 2 2 4 yes",)),
        ("methods.html", ("Consistent The values differ, but no more than their accuracy allows.",)),
        ("dictionary.html", ("observations 19", "conflicts 21")),
        ("dictionary/observations.html", ("Table observations", "conf_status", "SDMX")),
        ("use.html", ("read_parquet('data/observations.parquet')", "@misc{engang_release_2", "No licence is stated")),
        ("explorer.html", ("First rows: observations", "observations.parquet", "redundancy")),
        ("operations.html", ("No file is parked.", "helse 2 ")),
    ],
)  # fmt: skip
def test_a_page_shows_what_it_is_about(site: WrittenSite, path: str, shown: tuple[str, ...]) -> None:
    text = text_of(site, path)
    assert [part for part in shown if part not in text] == [], text


def test_a_withheld_figure_says_why_and_who_delivered_it(site: WrittenSite, home: Installation) -> None:
    conflicts = content.read_content(home, find_release(home)).conflicts
    item = conflicts.filter(concept="care_residents", value=195)["item_id"].item()
    text = text_of(site, page_path("items", item))
    for part in ("The figure is withheld, because", "helse 195 helse.txt", "tilsyn 202 tilsyn.txt",
                 f"engang explain {item} --release 2"):  # fmt: skip
        assert part in text


def test_no_page_shows_what_is_withheld(site: WrittenSite) -> None:
    secrets = [*SECRETS.values(), SECRETS["small"] + 1]
    patterns = "|".join(rf"{value // 1000}\D{{0,8}}{value % 1000:03}" for value in secrets)
    assert [page for page in pages(site) if re.search(patterns, page.read_text(encoding="utf-8"))] == []


def test_no_dossier_lists_small_counts_that_differ(home: Installation) -> None:
    drawn = draw_up_dossier(home, "helse")
    assert "rare_cases" in {row["concept"] for row in drawn.differing_items}
    listed = {row["concept"] for row in describe_dossier(home, drawn)["differing_items"]}
    assert listed == {"care_residents"}


def test_no_table_has_what_is_withheld_or_personal(site: WrittenSite, home: Installation) -> None:
    files = sorted((site.folder / "data").glob("*.parquet"))
    assert [file.stem for file in files] == sorted(EXPLORED)
    cells = {str(cell) for file in files for row in pl.read_parquet(file).iter_rows() for cell in row}
    secrets = {str(value) for value in (*SECRETS.values(), SECRETS["small"] + 1)}
    assert not {cell.removesuffix(".000000000") for cell in cells} & secrets
    items = pl.read_parquet(site.folder / "data" / "observations.parquet")
    assert items.height == read_table(home, "observations", find_release(home)).collect().height - 2
    known = items.filter(pl.col("value").is_not_null())
    assert known["value_text"].cast(pl.Decimal(38, 9)).to_list() == known["value"].to_list()


def test_a_table_is_loaded_as_the_page_says(site: WrittenSite, capsys: pytest.CaptureFixture[str]) -> None:
    with chdir(site.folder):
        for name in ("Python (Polars)", "Python (pandas)"):
            exec(compile(LOADERS[name], name, "exec"), {})  # noqa: S102  the product's own examples
        assert duckdb.sql(LOADERS["DuckDB"]).fetchall()
    assert capsys.readouterr().out.startswith("shape: (3, ")


def test_no_text_from_outside_becomes_markup(site: WrittenSite) -> None:
    shown = 0
    for page in pages(site):
        text = page.read_text(encoding="utf-8")
        assert HOSTILE not in text, page
        assert "<b>" not in text, page
        scripts = re.findall(r"<script[^>]*>", text)
        assert all(re.search(r'src="[./]*(filter|explorer|parquet-reader)\.js"', script) for script in scripts), page
        shown += html.escape(HOSTILE) in text or HOSTILE in html.unescape(text)
    assert shown > 10


def test_every_link_leads_to_a_page_of_the_site(site: WrittenSite) -> None:
    files = {path.resolve() for path in site.folder.rglob("*")}
    for page in pages(site):
        text = page.read_text(encoding="utf-8")
        for address in links_of(text):
            if address.startswith(("data:", "#")):
                continue
            assert "://" not in address, (page, address)
            target, anchor = urldefrag(address)
            aim = (page.parent / unquote(target)).resolve()
            assert aim in files, (page, address)
            assert not anchor or f'id="{anchor}"' in aim.read_text(encoding="utf-8"), (page, address)
    style = (site.folder / "style.css").read_text(encoding="utf-8")
    assert "url(" not in style
    assert "@import" not in style


def test_the_languages_have_the_same_pages_and_texts(site: WrittenSite) -> None:
    found = [
        {path.relative_to(site.folder / code) for path in (site.folder / code).rglob("*.html")} for code in LANGUAGES
    ]
    assert found[0] == found[1] == found[2]
    assert site.pages == sum(map(len, found))

    def keys(value: object) -> object:
        if isinstance(value, dict):
            return {name: keys(each) for name, each in value.items()}
        return len(value) if isinstance(value, list) else sorted(re.findall(r"\{\w+\}", str(value)))

    assert keys(site_texts("nb")) == keys(site_texts("nn")) == keys(site_texts("en"))


def test_latest_is_the_site_of_the_current_release(site: WrittenSite, home: Installation, tmp_path: Path) -> None:
    assert site.latest is not None
    assert json.loads((site.latest / "site.json").read_text())["release"] == 2
    pages = [path.stat() for path in (site.latest, *site.latest.rglob("*"))]
    assert {stat.filemode(each.st_mode) for each in pages} == {"drwxr-xr-x", "-rw-r--r--"}, "a web server may read them"
    assert (site.latest / "nb" / "index.html").read_bytes() == (site.folder / "nb" / "index.html").read_bytes()
    earlier = write_site(home, 1, tmp_path / "out")
    assert (earlier.latest, earlier.folder) == (None, tmp_path / "out" / "release-1")
    assert "The first release has none before it" in text_of(earlier, "changes.html")
    assert not (tmp_path / "out" / "latest").exists()


def test_a_folder_that_is_no_site_is_not_replaced(home: Installation, tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no site"):
        write_site(home, to=tmp_path)
    assert (tmp_path / "latest" / "thesis.txt").read_text() == "mine"


def test_what_is_too_long_is_cut_with_a_note(
    home: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "MOST_UNITS", 1)
    monkeypatch.setattr(months, "MOST_CONFLICTS", 2)
    monkeypatch.setattr(months, "MOST_TWICE", 1)
    cut = write_site(home, to=tmp_path)
    assert [len(list((cut.folder / "en" / name).iterdir())) for name in ("units", "items")] == [1, 2]
    assert "1 of 2 are shown." in text_of(cut, "units.html")
    assert "2 of 5 are shown." in text_of(cut, "conflicts.html")
    assert " are shown. The data set has all." in text_of(cut, KLEPP)


def test_a_night_writes_the_site_where_the_setting_says_so(home: Installation, tmp_path: Path) -> None:
    release = find_release(home)
    done = Night(published=False, release=2, digest=release["digest"], counts=release["counts"], findings=[])
    assert write_site_night(home, done) is None
    to_folder = replace(home, settings=replace(home.settings, site=tmp_path / "site"))
    assert write_site_night(to_folder, done) == tmp_path / "site" / "release-2"
    assert (tmp_path / "site" / "latest" / "index.html").is_file()
    assert write_site_night(to_folder, replace(done, release=None)) is None


def test_a_site_that_cannot_be_written_costs_the_night_nothing(home: Installation, tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a file is in the way")
    release, messages = find_release(home), list[str]()
    done = Night(published=True, release=2, digest=release["digest"], counts=release["counts"], findings=[])
    blocked = replace(home, settings=replace(home.settings, site=tmp_path / "site"))
    assert write_site_night(blocked, done, messages.append) is None
    assert "the site is published another night" in messages[-1]
    assert any("the site of the last release could not be published" in line for line in publication_problems(home))
    (tmp_path / "site").unlink()
    assert write_site_night(blocked, done, messages.append) == tmp_path / "site" / "release-2"
    assert publication_problems(home) == []


def test_a_fault_that_nobody_foresaw_quotes_nothing_and_ends_no_night(home: Installation) -> None:
    def publish() -> None:
        raise ValueError("a cell of somebody's")

    assert publish_after_release(home, "package", publish, lambda _: None) is None
    assert publication_problems(home) == ["the package of the last release could not be published: ValueError"]
    assert publish_after_release(home, "package", lambda: 3, lambda _: None) == 3
    assert publication_problems(home) == []


def test_the_command_prints_where_the_site_is(
    home: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(home.settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(home.settings.contracts))
    monkeypatch.setenv("ENGANG_SITE", str(tmp_path / "site"))
    result = engang("site", "--json")
    assert result.code == 0
    assert json.loads(result.out)["latest"] == str(tmp_path / "site" / "latest")
    assert engang("site", "--release", "7").code == 2


def test_commands_name_the_page_about_what_they_show(
    home: Installation, site: WrittenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(home.settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(home.settings.contracts))
    item = next((site.folder / "en" / "items").glob("*.html"))
    answers = {
        item: engang("explain", item.stem),
        site.folder / "en/obligations/tilsyn.html": engang("dossier", "tilsyn"),
    }
    assert all(answer.out.splitlines()[-1] == f"page: {page}" for page, answer in answers.items())
    submission = read_submissions(home.engine).filter(contract="tilsyn", filename="tilsyn.txt")["submission_id"][0]
    receipt = engang("receipt", submission).out
    assert f"page: {site.folder / 'en/obligations/tilsyn.html'}" in receipt
    assert len(re.findall(r"page: \S+/items/\w+\.html", receipt)) > 0
    assert "page: " not in engang("dossier", "tilsyn", "--release", "1").out, "its site was not written"


def test_commands_that_pages_name_run(home: Installation, site: WrittenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(home.settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(home.settings.contracts))
    some = ("concepts/care_costs.html", KLEPP, "obligations/tilsyn.html")
    texts = [text_of(site, path) for path in (*PAGE_COMMANDS, *some)]
    found = {re.split("The same on the command line: ", text)[1].split(" Made by")[0].strip() for text in texts}
    assert len(found) > len(PAGE_COMMANDS)
    wrong = {command: engang(*shlex.split(command)[1:]) for command in found}
    assert {command: answer.err for command, answer in wrong.items() if answer.code > 1} == {}


def test_events_name_the_page_about_them(home: Installation, tmp_path: Path) -> None:
    release = find_release(home)
    done = Night(published=False, release=2, digest=release["digest"], counts=release["counts"], findings=[])
    seen = replace(home.settings.observability, webhook="http://127.0.0.1:9/", webhook_secret=None)
    watched = replace(home, settings=replace(home.settings, site=tmp_path / "site", observability=seen))
    for _ in range(2):
        assert write_site_night(watched, done) == tmp_path / "site" / "release-2"
    events = read_frame(home.engine, sa.select(outbox)).filter(type=SITE_PUBLISHED)
    assert [json.loads(text)["data"]["site"] for text in events["text"]] == [str(tmp_path / "site" / "release-2")]
    assert announce_overdue(watched, date(2025, 4, 30))
    overdue = read_frame(home.engine, sa.select(outbox)).filter(type=SUBMISSION_OVERDUE)
    assert {json.loads(text)["data"]["page"] for text in overdue["text"]} == {
        str(tmp_path / "site" / "release-2" / "en" / "coverage.html")
    }
