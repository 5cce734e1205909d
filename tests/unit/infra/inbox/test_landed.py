"""Landed deliveries in the inbox: what is leased, taken over, left to others and parked."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from infra.inbox import landed
from infra.ledger import tables as t
from infra.ledger.sql import write_transaction

NOW = datetime(2026, 3, 1, 12)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("work_queue", "landed"):
        monkeypatch.setattr(f"infra.inbox.{module}.utc_now", lambda: NOW)


def put(engine: Engine, submission: str | None, status: str, **stated: Any) -> int:
    """Insert a row of the arrivals; return its id."""
    row = {"object": f"a/c/{submission}", "version": "v1", "sender": "a", "bytes": 10, "status": status}
    row |= {"found_at": NOW - SECOND, "found_by": "event", "submission_id": submission, **stated}
    with write_transaction(engine) as connection:
        return connection.execute(sa.insert(t.inbox).values(row).returning(t.inbox.c.id)).scalar_one()


def rows(engine: Engine, *names: str) -> list[tuple[Any, ...]]:
    query = sa.select(*(t.inbox.c[name] for name in names)).order_by(t.inbox.c.id)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def notes(*submissions: str) -> pl.DataFrame:
    found = [(f"c/a/{submission}.json", "a", 10, submission) for submission in submissions]
    return pl.DataFrame(found, landed.LANDED_ROW, orient="row")


def unread(reasons: dict[str, str]) -> pl.DataFrame:
    return notes(*reasons).with_columns(reason=pl.Series(list(reasons.values()), dtype=pl.String))


def test_rows_are_locked_in_the_order_of_their_ids(engine: Engine) -> None:
    """Two workers that lock the same rows in different orders would wait for each other for ever."""
    statements: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    landed.lease_landed(engine, "me", notes("s1", "s2"), retry=False)
    (looked_up,) = [each for each in statements if each.startswith("SELECT") and "submission_id IN" in each]
    assert looked_up.rstrip().endswith("ORDER BY inbox.id")


def test_what_has_no_row_gets_a_leased_one(engine: Engine) -> None:
    assert landed.lease_landed(engine, "me", notes("s2", "s1", "s2"), retry=False) == [1, 2]
    assert rows(engine, "submission_id", "object", "version", "source", "found_by", "found_at") == [
        ("s1", "c/a/s1.json", "landing:s1", "landing", "listing", NOW),
        ("s2", "c/a/s2.json", "landing:s2", "landing", "listing", NOW),
    ]
    leased = ("leased", "me", NOW + timedelta(seconds=90), 1, None)
    assert rows(engine, "status", "lease_by", "lease_until", "attempts", "reason") == [leased, leased]


@pytest.mark.parametrize("retry", [True, False])
def test_an_open_row_is_taken_over_and_a_parked_one_on_request(engine: Engine, retry: bool) -> None:
    put(engine, "other", "waiting")
    ids = [
        put(engine, "s1", "waiting", not_before=NOW + SECOND, attempts=3, reason="failed"),
        put(engine, "s2", "leased", lease_by="other", lease_until=NOW + SECOND, attempts=2),
        put(engine, "s3", "parked", reason="no header", done_at=NOW),
        put(engine, "s4", "done", done_at=NOW),
    ]
    held = landed.lease_landed(engine, "me", notes("s1", "s2", "s3", "s4"), retry=retry)
    assert held == (ids[:3] if retry else ids[:2])
    mine = ("leased", "me", 1, None, None, None)
    parked = ("parked", None, 0, None, "no header", NOW)
    assert rows(engine, "status", "lease_by", "attempts", "not_before", "reason", "done_at") == [
        ("waiting", None, 0, None, None, None),
        mine, mine, mine if retry else parked, ("done", None, 0, None, None, NOW),
    ]  # fmt: skip


def test_a_listing_leaves_alone_what_is_settled_or_failed_a_moment_ago(engine: Engine) -> None:
    for submission, status, due in (
        ("done", "done", None), ("parked", "parked", None), ("leased", "leased", NOW + SECOND),
        ("new", "waiting", None), ("due", "waiting", NOW), ("later", "waiting", NOW + SECOND),
        ("unasked", "done", None),
    ):  # fmt: skip
        put(engine, submission, status, not_before=due)
    asked = ["done", "parked", "leased", "new", "due", "later", "unknown"]
    assert landed.left_to_others(engine, asked) == {"done", "parked", "later"}
    assert landed.left_to_others(engine, []) == set()


def test_what_cannot_be_read_is_parked_in_its_row_or_in_one_of_its_own(engine: Engine) -> None:
    put(engine, "s1", "leased", lease_by="me", lease_until=NOW, attempts=1)
    put(engine, "s2", "done", reason="dismissed", done_at=NOW - SECOND)
    acknowledged: list[Connection] = []
    with write_transaction(engine) as connection:
        reasons = {"s1": "no header", "s2": "no sheet", "s3": "no row"}
        landed.acknowledge_and_park(acknowledged.append, unread(reasons))(connection)
    assert len(acknowledged) == 1
    assert rows(engine, "submission_id", "status", "reason", "source", "lease_by", "lease_until", "done_at") == [
        ("s1", "parked", "no header", "arrivals", None, None, NOW),
        ("s2", "done", "dismissed", "arrivals", None, None, NOW - SECOND),
        ("s2", "parked", "no sheet", "landing", None, None, NOW),
        ("s3", "parked", "no row", "landing", None, None, NOW),
    ]


def test_an_acknowledgement_does_not_undo_the_parking_of_a_row_that_was_open(engine: Engine) -> None:
    put(engine, "s1", "leased")

    def acknowledge(connection: Connection) -> None:
        connection.execute(sa.update(t.inbox).values(status="done", reason=None))

    with write_transaction(engine) as connection:
        landed.acknowledge_and_park(acknowledge, unread({"s1": "no header"}))(connection)
    assert rows(engine, "status", "reason") == [("parked", "no header")]


def test_what_is_parked_again_has_the_newest_reason_and_one_row(engine: Engine) -> None:
    for reason in ("no header", "no sheet"):
        landed.park_landed(engine, unread({"s1": reason}))
    assert rows(engine, "submission_id", "status", "reason", "attempts") == [("s1", "parked", "no sheet", 0)]
    landed.lease_landed(engine, "me", notes("s1"), retry=True)
    landed.park_landed(engine, unread({"s1": "no row"}))
    assert rows(engine, "status", "reason", "lease_by") == [("parked", "no row", None)]


def test_what_is_parked_again_was_found_when_it_was_found_first(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed.park_landed(engine, unread({"s1": "no header"}))
    for module in ("work_queue", "landed"):
        monkeypatch.setattr(f"infra.inbox.{module}.utc_now", lambda: NOW + SECOND)
    write = landed.acknowledge_and_park(mark_done, unread({"s1": "no sheet"}))
    with write_transaction(engine) as connection:
        mark_done(connection)
        write(connection)
    assert rows(engine, "found_at", "done_at", "reason") == [(NOW, NOW + SECOND, "no sheet")]


def mark_done(connection: Connection) -> None:
    connection.execute(sa.update(t.inbox).values(status="done"))


def test_nothing_parked_changes_nothing(engine: Engine) -> None:
    put(engine, "s1", "waiting")
    landed.park_landed(engine, unread({}))
    assert landed.lease_landed(engine, "me", notes(), retry=True) == []
    assert rows(engine, "status") == [("waiting",)]
