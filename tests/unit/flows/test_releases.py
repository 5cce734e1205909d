"""Releases and their pages: which can be read, which folder is a site, and what an unknown one is answered by."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows import releases
from flows.installation import Installation
from flows.releases import SITE_MARK, find_page, find_release, find_sites, page_note, read_table, site_of
from infra.ledger import tables as t
from schemas.errors import UsageError
from tests.support.small_installation import open_small
from tests.support.submission_rows import write


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    """Give an installation with the ledger's rows of three releases, and no tables of them."""
    home = open_small(tmp_path / "home")
    at = dt.datetime(2026, 1, 1)
    write(home.engine, sa.insert(t.runs).values(run_id="r", kind="nightly", started_at=at, status="done"))
    for number in (1, 2, 3):
        row = {
            "release": number,
            "run_id": "r",
            "published_at": at,
            "digest": f"d{number}",
            "tables": "{}",
            "counts": "{}",
        }
        columns = {name: value for name, value in row.items() if name in t.releases.c}
        others = {
            c.name: "{}" for c in t.releases.c if not c.nullable and c.name not in row and c.server_default is None
        }
        write(home.engine, sa.insert(t.releases).values({**others, **columns}))
    yield home
    home.engine.dispose()


def site(home: Installation, name: str, *pages: str) -> Path:
    """Make a folder of the site, with pages in English."""
    folder = home.settings.site_folder / name
    for page in pages:
        (folder / "en" / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / "en" / page).touch()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SITE_MARK).touch()
    return folder


def test_the_newest_release_is_the_current_one(home: Installation) -> None:
    assert find_release(home)["release"] == 3
    assert find_release(home, 1)["digest"] == "d1"
    assert [row["release"] for row in releases.list_releases(home)] == [1, 2, 3]


@pytest.mark.parametrize("number", [-1, 0, 4, 10**9])
def test_a_release_that_is_not_there_is_named(home: Installation, number: int) -> None:
    with pytest.raises(UsageError, match=f"^there is no release {number}: `engang releases` lists them$"):
        find_release(home, number)


def test_a_table_that_no_release_has_is_answered_by_those_that_there_are(home: Installation) -> None:
    with pytest.raises(UsageError, match=r"^no table 'claim': a release has observations, sources, .* of the kinds "):
        read_table(home, "claim", find_release(home))


def test_a_page_is_that_of_the_current_release_by_default(home: Installation) -> None:
    folder = site(home, "release-3", "burden.html", "units/a.html")
    site(home, "release-2", "burden.html")
    assert find_page(home, "burden.html") == folder.resolve() / "en" / "burden.html"
    assert find_page(home, "units/a.html", 3) == folder.resolve() / "en" / "units" / "a.html"
    assert find_page(home, "units/a.html", 2) is None
    assert find_page(home, "units") is None, "a folder is no page"
    assert page_note(home, "burden.html") == {"page": str(folder.resolve() / "en" / "burden.html")}
    assert page_note(home, "absent.html") == {}


def test_a_folder_without_its_mark_is_no_site(home: Installation) -> None:
    folder = site(home, "release-3", "burden.html")
    assert site_of(home, 3) == folder.resolve()
    (folder / SITE_MARK).unlink()
    assert (site_of(home, 3), find_page(home, "burden.html")) == (None, None)


def test_before_the_first_release_there_is_no_page(tmp_path: Path) -> None:
    home = open_small(tmp_path / "new")
    assert find_page(home, "burden.html") is None
    with pytest.raises(UsageError, match="nothing is released yet"):
        find_release(home)


def test_sites_are_recognised_by_their_mark_and_unfinished_ones_by_their_name(home: Installation) -> None:
    root = home.settings.site_folder
    assert find_sites(home) == []
    names = [site(home, name).name for name in ("release-1", "latest")]
    for name in (".release-2.partial", ".latest.previous"):
        (root / name).mkdir()
        names.append(name)
    for name in (".other.partial", "release-9", ".release-x.partial", "notes"):
        (root / name).mkdir()
    assert sorted(path.name for path in find_sites(home)) == sorted(names)
