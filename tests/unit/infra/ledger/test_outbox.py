"""The outbox: each event stored once, leased oldest first, due again after a wait that doubles, deleted when old."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import outbox
from infra.ledger import tables as t
from infra.ledger.outbox import Event
from infra.ledger.sql import write_transaction

NOW = datetime(2026, 3, 1, 12)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "utc_now", lambda: NOW)


def event(id_: str, type_: str = "parked") -> Event:
    return Event(id_, type_, f"subject/{id_}", f'{{"id": "{id_}"}}', NOW - SECOND)


def change(engine: Engine, id_: str, **values: Any) -> None:
    with write_transaction(engine) as connection:
        connection.execute(sa.update(t.outbox).where(t.outbox.c.event_id == id_).values(values))


def row_of(engine: Engine, id_: str, *names: str) -> tuple[Any, ...]:
    query = sa.select(*(t.outbox.c[name] for name in names)).where(t.outbox.c.event_id == id_)
    with engine.connect() as connection:
        return tuple(connection.execute(query).one())


def leased_id(engine: Engine, due: datetime | None = None) -> str | None:
    row = outbox.lease_event(engine, due)
    return row and row["event_id"]


def test_an_event_is_stored_once(engine: Engine) -> None:
    assert outbox.add_events(engine, [event("b"), event("a")]) == ["a", "b"]
    assert outbox.add_events(engine, [event("a", "other"), event("c")]) == ["c"]
    assert outbox.add_events(engine, []) == []
    assert row_of(engine, "a", "type", "attempts", "sent_at", "problem") == ("parked", 0, None, None)


def test_events_of_a_transaction_go_with_it(engine: Engine) -> None:
    def fail_after() -> None:
        with write_transaction(engine) as connection:
            assert outbox.add_events(connection, [event("a")]) == ["a"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after()
    assert outbox.read_unsent_events(engine).is_empty()


def test_without_a_receiver_an_event_counts_as_sent_when_it_happened(engine: Engine) -> None:
    outbox.add_events(engine, [event("a")], is_sent=True)
    assert row_of(engine, "a", "sent_at") == (NOW - SECOND,)
    assert leased_id(engine) is None


def test_the_oldest_event_is_leased_for_two_minutes(engine: Engine) -> None:
    outbox.add_events(engine, [event("b", "late")])
    outbox.add_events(engine, [event("a")])
    assert outbox.lease_event(engine) == {
        "id": 1, "event_id": "b", "type": "late", "text": '{"id": "b"}', "attempts": 1,
    }  # fmt: skip
    assert row_of(engine, "b", "not_before") == (NOW + timedelta(minutes=2),)
    assert [leased_id(engine), leased_id(engine)] == ["a", None]


@pytest.mark.parametrize(("not_before", "due", "leased"), [
    (NOW, None, True), (NOW + SECOND, None, False), (NOW - SECOND, None, True),
    (NOW, NOW - SECOND, False), (NOW - SECOND, NOW - SECOND, True),
])  # fmt: skip
def test_an_event_is_due_at_its_time(engine: Engine, not_before: datetime, due: datetime | None, leased: bool) -> None:
    outbox.add_events(engine, [event("a")])
    change(engine, "a", not_before=not_before, attempts=3)
    assert leased_id(engine, due) == ("a" if leased else None)
    assert row_of(engine, "a", "attempts") == (4 if leased else 3,)


def test_a_sent_event_is_sent_for_good(engine: Engine) -> None:
    outbox.add_events(engine, [event("a"), event("b")])
    outbox.lease_event(engine)
    outbox.mark_failed(engine, 1, 1, "no answer")
    outbox.mark_sent(engine, 1)
    assert row_of(engine, "a", "sent_at", "not_before", "problem") == (NOW, None, None)
    assert row_of(engine, "b", "sent_at") == (None,)
    assert leased_id(engine) == "b"


@pytest.mark.parametrize(("attempts", "seconds"), [
    (0, 5), (1, 10), (2, 20), (9, 2560), (10, 3600), (12, 3600), (10_000, 3600),
])  # fmt: skip
def test_each_failure_doubles_the_wait_up_to_an_hour(engine: Engine, attempts: int, seconds: int) -> None:
    outbox.add_events(engine, [event("a"), event("b")])
    outbox.mark_failed(engine, 1, attempts, "x" * 501)
    assert row_of(engine, "a", "not_before", "problem") == (NOW + timedelta(seconds=seconds), "x" * 500)
    assert row_of(engine, "b", "not_before", "problem") == (None, None)


def test_old_events_go_but_what_was_not_sent_and_what_is_found_again_each_night(engine: Engine) -> None:
    outbox.add_events(engine, [event("old", "x"), event("new", "x"), event("unsent", "x"), event("kept", "late")])
    for id_, sent in {"old": NOW - SECOND, "new": NOW, "kept": NOW - SECOND}.items():
        change(engine, id_, sent_at=sent)
    assert outbox.delete_sent_events(engine, NOW, ["late", "parked"]) == 1
    with engine.connect() as connection:
        ids = connection.scalars(sa.select(t.outbox.c.event_id).order_by("id")).all()
    assert ids == ["new", "unsent", "kept"]


def test_unsent_events_are_listed_oldest_first(engine: Engine) -> None:
    outbox.add_events(engine, [event("b")])
    outbox.add_events(engine, [event("a")])
    outbox.add_events(engine, [event("c")], is_sent=True)
    outbox.mark_failed(engine, 2, 0, "no answer")
    assert outbox.read_unsent_events(engine).rows() == [
        ("b", "parked", "subject/b", NOW - SECOND, 0, None, None),
        ("a", "parked", "subject/a", NOW - SECOND, 0, NOW + 5 * SECOND, "no answer"),
    ]
    assert outbox.read_unsent_events(engine, 1)["event_id"].to_list() == ["b"]
