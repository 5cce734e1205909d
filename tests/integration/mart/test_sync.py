"""The mart in PostgreSQL: night after night it is the release, row for row, whatever happens meanwhile."""

import random
import shutil
import signal
import string
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive, withdraw
from flows.mart import sync as syncing
from flows.mart.status import mart_status
from flows.pipeline import nightly
from flows.release.build import night
from flows.release.erase import erase
from infra.mart.connection import MartAddress, mart_connection
from schemas.errors import StoreError, UsageError
from tests.support import module_process
from tests.support.marts import assert_is_release, everything, synced
from tests.support.small_installation import HEADER, open_small

pytestmark = pytest.mark.usefixtures("unchecked")
LONG = "".join(random.Random(1).choices(string.ascii_uppercase, k=20_000))
FIRST = "0301;01.01.2024;alle;5;\n4601;01.02.2024;alle;6;\n"
SECRET = "s3cret-of-the-mart"  # noqa: S105  of no account
FAULT = "a test pulls the plug"


def deliver(home: Installation, name: str, rows: str) -> str:
    """Deliver a file of counts; return its submission."""
    given = Delivery(name, f"{HEADER}{rows}".encode(), "folketall", "kommunen")
    return next(receipt.submission_id for some in receive(home, [given]) for receipt in some)


def pay(home: Installation, name: str, rows: str) -> str:
    """Deliver payments of units that no register has; return the submission."""
    given = Delivery(name, f"name,paid\n{rows}".encode(), "betaling", "skatteetaten", period="2024")
    return next(receipt.submission_id for some in receive(home, [given]) for receipt in some)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home with two releases, once."""
    folder = tmp_path_factory.mktemp("mart") / "home"
    home = open_small(folder)
    deliver(home, "first.csv", FIRST)
    night(home)
    deliver(home, "second.csv", "0301;01.01.2024;alle;7;\n1120;01.02.2024;alle;8;\n")
    pay(home, "paid.csv", f"Nordskjær Olje AS,0.1\n{LONG},7\n")
    night(home)
    home.engine.dispose()
    return folder


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Iterator[Installation]:
    shutil.copytree(template, tmp_path / "home")
    opened = open_small(tmp_path / "home")
    yield opened
    opened.engine.dispose()


@pytest.fixture
def mart(new_postgresql: Callable[[], str]) -> str:
    return new_postgresql()


def ask(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def test_it_follows_nights_and_goes_back(home: Installation, mart: str, new_postgresql: Callable[[], str]) -> None:
    assert synced(home, mart, 1).outcome == "loaded"
    assert synced(home, mart).outcome == "updated"
    assert synced(home, mart).outcome == "unchanged"
    provisional = ask(mart, "SELECT name FROM engang.reporting_units WHERE provisional")
    assert set(provisional) == {("Nordskjær Olje AS",), (LONG,)}, "no name is too long for an index"
    paid = ask(mart, "SELECT submission_id FROM engang.submissions WHERE filename = 'paid.csv'")[0][0]
    assert withdraw(home, paid)
    deliver(home, "third.csv", "4601;01.02.2024;alle;6;\n0301;01.03.2024;alle;5;\n")
    night(home)
    assert synced(home, mart).outcome == "updated"
    assert ask(mart, "SELECT name FROM engang.reporting_units WHERE provisional") == []
    fresh = new_postgresql()
    synced(home, fresh)
    assert everything(mart) == everything(fresh)
    assert synced(home, mart, 2).outcome == "loaded", "an older release"


def test_who_reads_a_view_meanwhile_stops_no_update(home: Installation, mart: str) -> None:
    synced(home, mart, 1)
    with psycopg.connect(mart) as reader:
        reader.execute("SELECT count(*) FROM engang.observations_wide")  # and its transaction stays open
        assert synced(home, mart).outcome == "updated", "the view is as it was, and nobody waits for its lock"


def test_another_home_and_another_hand_are_noticed(home: Installation, mart: str, tmp_path: Path) -> None:
    synced(home, mart)
    other = open_small(tmp_path / "other")
    for name in ("first", "second", "third"):
        deliver(other, f"{name}.csv", FIRST.replace(";5;", f";{len(name)};"))
        night(other)
    assert synced(other, mart).outcome == "loaded", "a rebuilt home: its release 2 is another one"
    with psycopg.connect(mart) as connection:
        connection.execute("DELETE FROM engang_star.sources; DELETE FROM engang_star.observations WHERE value = 6")
    deliver(other, "fourth.csv", "0301;01.01.2024;alle;9;\n")
    night(other)
    assert synced(other, mart).outcome == "loaded", "rows were missing"


def test_what_is_erased_leaves_the_mart(home: Installation, mart: str, monkeypatch: pytest.MonkeyPatch) -> None:
    synced(home, mart)
    home.engine.dispose()
    monkeypatch.setenv("ENGANG_MART", mart)
    home = open_small(home.settings.home)
    before = ask(mart, "SELECT 'engang_star.sources'::regclass::oid")
    submission = ask(mart, "SELECT submission_id FROM engang.submissions WHERE filename = 'first.csv'")[0][0]
    erase(home, submission, why="a test", who="Kari")
    assert ask(mart, "SELECT 'engang_star.sources'::regclass::oid") != before, "the tables that held it are dropped"
    assert_is_release(home, mart)
    assert submission not in {found for (found,) in ask(mart, "SELECT submission_id FROM engang.sources")}


@contextmanager
def failing_at(call: int, name: str) -> Iterator[None]:
    """Let a step of a sync fail at its n-th call."""
    real, calls = getattr(syncing, name), []

    def fail(*arguments: Any, **named: Any) -> Any:
        calls.append(name)
        if len(calls) == call:
            raise OSError(FAULT)
        return real(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syncing, name, fail)
        yield


def test_a_load_that_fails_goes_on(home: Installation, mart: str) -> None:
    synced(home, mart, 1)
    ask(mart, "UPDATE engang_star.sync SET identity = 'another home'")
    seen: list[str] = []
    for call in (1, 4):
        with failing_at(call, "copy_lazy"), pytest.raises(OSError, match=FAULT):
            syncing.sync(home, MartAddress(mart, "mart"), progress=seen.append)
        assert ask(mart, "SELECT release FROM engang.mart") == [(1,)]
        assert_rows_of(mart, 2)
    status = mart_status(home, MartAddress(mart, "mart"))
    assert (status.release, status.current, status.up_to_date) == (1, 2, False)
    assert status.loading == {"release": 2, "parts": 3}
    assert synced(home, mart).outcome == "loaded"
    again = [text for text in seen if text.startswith("loading observations")]
    assert len(again) == 2, "the part that had failed was loaded again, and no other"
    assert mart_status(home, MartAddress(mart, "mart")).up_to_date


def assert_rows_of(mart: str, rows: int) -> None:
    assert ask(mart, "SELECT count(*) FROM engang.observations") == [(rows,)]


def test_an_update_that_fails_changes_nothing(home: Installation, mart: str) -> None:
    synced(home, mart, 1)
    before = everything(mart)
    for name in ("replace_whole", "complete_dimensions", "write_state"):
        with failing_at(1, name), pytest.raises(OSError, match=FAULT):
            syncing.sync(home, MartAddress(mart, "mart"))
        assert everything(mart) == before
    assert_is_release(home, mart, 1)
    assert synced(home, mart).outcome == "updated"


@pytest.mark.parametrize(("release", "step"), [(1, "_copy_releases"), (2, "complete_dimensions")])
def test_a_killed_sync_is_gone_on_with(home: Installation, mart: str, release: int, step: str) -> None:
    """Killed with -9 in the middle of a load, and of an update."""
    if release == 2:
        synced(home, mart, 1)
    arguments = [str(home.settings.home), mart, str(release), step]
    command = module_process.command("tests.support.killable_mart", *arguments)
    assert subprocess.run(command, env=module_process.environment(), check=False).returncode == -signal.SIGKILL
    if release == 2:
        assert_is_release(home, mart, 1)
    else:
        assert ask(mart, "SELECT part FROM engang_load.progress WHERE part LIKE 'observations %'") == [
            ("observations 2024-01",)
        ]
    assert synced(home, mart, release).outcome == ("loaded" if release == 1 else "updated")


def test_views_that_others_built_stay(home: Installation, mart: str) -> None:
    synced(home, mart, 1)
    ask(mart, "CREATE VIEW mine AS SELECT unit_name, value FROM engang.observations")
    ask(mart, "UPDATE engang_star.sync SET layout = 'of another version'")
    assert synced(home, mart).outcome == "loaded"
    assert ask(mart, "SELECT count(*) FROM mine") == ask(mart, "SELECT count(*) FROM engang.observations")
    ask(mart, "CREATE VIEW wrong AS SELECT value FROM engang_star.observations")
    with pytest.raises(StoreError, match="Build on the views of the schema engang"):
        syncing.sync(home, MartAddress(mart, "mart"), 1)
    assert_is_release(home, mart, 2)
    ask(mart, "DROP VIEW wrong")
    assert synced(home, mart, 1).outcome == "loaded"


def test_a_reader_may_read_and_nothing_else(home: Installation, mart: str) -> None:
    synced(home, mart, 1)
    synced(home, mart)
    with psycopg.connect(mart, autocommit=True) as connection:
        connection.execute("SET ROLE engang_reader")
        assert connection.execute("SELECT count(*) FROM engang.observations_wide").fetchone() == (5,)
        assert connection.execute("SELECT count(*) FROM engang_star.sources").fetchone() == (5,)
        for statement in (
            "DELETE FROM engang.observations",
            "UPDATE engang_star.sources SET value = 1",
            "CREATE TABLE engang.mine ()",
            "CREATE SCHEMA mine",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_types_comments_and_keys(home: Installation, mart: str) -> None:
    synced(home, mart)
    types = dict(ask(mart, COLUMNS_OF.format("observations")))
    assert types["value"] == "numeric(38,9)"
    assert (types["period_start"], types["breakdown"], types["reports"]) == ("date", "jsonb", "integer")
    assert dict(ask(mart, COLUMNS_OF.format("sources")))["confidential"] == "boolean"
    uncommented = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'engang.sources'::regclass AND attnum > 0"
    assert ask(mart, f"{uncommented} AND col_description(attrelid, attnum) IS NULL") == [(0,)]
    foreign = ask(
        mart, "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
    )
    assert ("engang_star.sources", "engang_star.submissions") in foreign
    assert ("engang_star.observations", "engang_star.reporting_units") in foreign
    assert ask(mart, "SELECT DISTINCT period, by_group FROM engang.observations_wide ORDER BY 1") == [
        ("2024", None), ("2024-01-01", "alle"), ("2024-02-01", "alle"),
    ]  # fmt: skip
    assert ask(mart, "SELECT DISTINCT convalidated FROM pg_constraint WHERE contype = 'f'") == [(True,)]


COLUMNS_OF = """SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = 'engang.{}'::regclass AND attnum > 0"""


def test_nothing_shows_the_password_or_a_cell(home: Installation, mart: str) -> None:
    socket = mart.split("host=")[1]
    for url in (f"postgresql://postgres:{SECRET}@/nowhere?host={socket}", f"postgresql://u@h/d?password={SECRET}"):
        address = MartAddress(url, "ENGANG_MART")
        assert address.has_password
        assert SECRET not in f"{address}{address!r}"
    with pytest.raises(StoreError) as refused:
        syncing.sync(home, MartAddress(f"postgresql://postgres:{SECRET}@/nowhere?host={socket}", "ENGANG_MART"))
    assert "nowhere" in str(refused.value)
    assert SECRET not in str(refused.value)
    with pytest.raises(UsageError) as wrong:
        MartAddress(f"mysql://me:{SECRET}@host/db", "ENGANG_MART")
    assert SECRET not in str(wrong.value)
    with pytest.raises(StoreError) as cell, mart_connection(MartAddress(mart, "mart")) as connection:
        connection.execute("SELECT 'a delivered cell'::numeric")
    assert "delivered" not in str(cell.value)
    assert cell.value.__suppress_context__


def test_a_night_brings_the_mart_along(home: Installation, mart: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_MART", mart)
    home.engine.dispose()
    home = open_small(home.settings.home)
    deliver(home, "third.csv", "0301;01.03.2024;alle;5;\n")
    assert nightly(home, export="never").release == 3
    assert_is_release(home, mart)
    monkeypatch.setenv("ENGANG_MART", mart.replace("/t_", "/gone_"))
    home = open_small(home.settings.home)
    deliver(home, "fourth.csv", "0301;01.04.2024;alle;5;\n")
    seen: list[str] = []
    assert nightly(home, seen.append, export="never").release == 4
    assert any("the mart is not brought to the release" in text for text in seen)
