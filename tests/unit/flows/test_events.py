"""Events: each sent once, to whom they are meant for, and again after a failure; what a refused release tells."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from flows import events
from flows.installation import Installation
from infra.ledger import outbox
from infra.ledger import tables as t
from infra.ledger.open import open_ledger
from infra.ledger.releases import Release
from infra.ledger.sql import utc_now, write_transaction
from infra.settings import ObservabilitySettings, read_settings
from schemas.errors import ReleaseRefused, WebhookError
from tests.support.submission_rows import RECEIVED, write

KEY = "signs events"
RELEASE: Release = {
    "release": 7, "run_id": "r1", "published_at": RECEIVED, "digest": "d7", "digest_lanes": "", "tables": {},
    "counts": {"items": 3}, "register_digest": "", "rules_digest": "", "models": {},
}  # fmt: skip


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Installation]:
    """Give an installation that tells nobody."""
    settings = replace(read_settings(tmp_path), observability=ObservabilitySettings(source="urn:test"))
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield Installation(settings, engine)
    engine.dispose()


@pytest.fixture
def home(silent: Installation) -> Installation:
    """Give one with a webhook."""
    told = replace(silent.settings.observability, webhook="https://receiver", webhook_secret=KEY)
    return replace(silent, settings=replace(silent.settings, observability=told))


@pytest.fixture
def to_prefect(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """Give the type and data of what is emitted to Prefect."""
    emitted: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(events, "emit_to_prefect", lambda _, event, data: emitted.append((event.type, dict(data))))
    return emitted


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give what is posted, and the errors with which the receiver answers next (None accepts)."""
    found = SimpleNamespace(bodies=[], answers=[])

    def post(url: str, secret: str | None, body: bytes) -> None:
        assert (url, secret) == ("https://receiver", KEY)
        found.bodies.append(json.loads(body)["subject"])
        error = found.answers.pop(0) if found.answers else None
        if error is not None:
            raise error

    monkeypatch.setattr(events.webhook, "post", post)  # type: ignore[attr-defined]
    return found


def stored(home: Installation, *names: str) -> list[tuple[Any, ...]]:
    query = sa.select(*(t.outbox.c[name] for name in names)).order_by(t.outbox.c.id)
    with home.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def publish(home: Installation, *subjects: str, **how: Any) -> list[bool]:
    return [events.publish_event(home, events.RUN_FAILED, subject, {"n": 1}, **how) for subject in subjects]


def test_an_event_is_a_cloud_event_of_this_installation(home: Installation) -> None:
    event = events.make_event(home.settings, events.RUN_FAILED, "run/r1", {"n": 1}, "k")
    text = json.loads(event.text)
    assert (text["specversion"], text["type"], text["subject"]) == ("1.0", "no.engang.run.failed", "run/r1")
    assert (text["source"], text["id"], text["data"]) == ("urn:test", event.event_id, {"n": 1})
    assert text["datacontenttype"] == "application/json"
    assert event.at.tzinfo is None
    assert text["time"].startswith(f"{event.at:%Y-%m-%dT%H:%M:%S}")


def test_an_id_is_made_of_source_type_subject_and_key_alone(home: Installation, silent: Installation) -> None:
    def id_of(*given: Any, settings: Any = home.settings, data: int = 1) -> str:
        return events.make_event(settings, *given[:2], {"n": data}, *given[2:]).event_id

    first = id_of("type", "subject", "key")
    assert id_of("type", "subject", "key", data=2) == first
    other = replace(silent.settings, observability=ObservabilitySettings(source="urn:other"))
    ids = {
        first, id_of("t", "subject", "key"), id_of("type", "s", "key"), id_of("type", "subject", "k"),
        id_of("type", "subject"), id_of("type", "subject", "key", settings=other),
    }  # fmt: skip
    assert len(ids) == 6


def test_an_event_is_told_once(home: Installation, to_prefect: list[Any]) -> None:
    assert publish(home, "a", "a", "b") == [True, False, True]
    assert publish(home, "a", key="k") == [True]
    assert [(subject, sent) for subject, sent in stored(home, "subject", "sent_at")] == [
        ("a", None), ("b", None), ("a", None),
    ]  # fmt: skip
    assert len(to_prefect) == 3


def test_without_a_receiver_only_what_is_told_once_is_recorded(silent: Installation, to_prefect: list[Any]) -> None:
    assert publish(silent, "a", "a") == [True, True]
    assert stored(silent, "subject") == []
    assert to_prefect == []
    assert publish(silent, "a", "a", once=True) == [True, False]
    ((subject, at, sent),) = stored(silent, "subject", "at", "sent_at")
    assert (subject, sent) == ("a", at)


def test_prefect_alone_is_told_and_nothing_recorded(silent: Installation, to_prefect: list[Any]) -> None:
    told = replace(silent.settings.observability, prefect_api="http://prefect")
    told_home = replace(silent, settings=replace(silent.settings, observability=told))
    assert publish(told_home, "a", "a") == [True, True]
    assert stored(told_home, "subject") == []
    assert to_prefect == [("no.engang.run.failed", {"n": 1})] * 2


def test_due_events_are_posted_oldest_first(home: Installation, posted: SimpleNamespace) -> None:
    publish(home, "b", "a", "c")
    assert events.deliver_outbox(home, limit=2) == (2, 0)
    assert posted.bodies == ["b", "a"]
    assert events.deliver_outbox(home) == (1, 0)
    assert events.deliver_outbox(home) == (0, 0)
    assert events.unsent_events(home) == []


def test_a_refused_event_stops_no_other_and_a_receiver_that_is_away_ends_the_round(
    home: Installation, posted: SimpleNamespace
) -> None:
    publish(home, "a", "b", "c", "d")
    posted.answers[:] = [WebhookError("answered 400", refused=True), None, WebhookError("answered 500", refused=False)]
    assert events.deliver_outbox(home) == (1, 2)
    assert posted.bodies == ["a", "b", "c"]
    waiting = [(e["subject"], e["attempts"], e["problem"]) for e in events.unsent_events(home)]
    assert waiting == [("a", 1, "answered 400"), ("c", 1, "answered 500"), ("d", 0, None)]
    assert events.deliver_outbox(home) == (1, 0), "those that failed wait"


def test_an_event_that_fails_is_not_posted_again_within_the_round(
    home: Installation, posted: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home, "a", "b")
    monkeypatch.setattr(outbox, "LONGEST_WAIT", timedelta(0))
    posted.answers[:] = [WebhookError("answered 400", refused=True)]
    assert events.deliver_outbox(home) == (1, 1)
    assert posted.bodies == ["a", "b"]


def test_without_a_webhook_nothing_is_posted(silent: Installation, home: Installation, posted: SimpleNamespace) -> None:
    publish(home, "a")
    assert events.deliver_outbox(silent) == (0, 0)
    assert posted.bodies == []


def test_events_older_than_ninety_days_go_but_those_of_every_night(home: Installation) -> None:
    for number, type_ in enumerate((events.RUN_FAILED, events.RUN_FAILED, *events.PERMANENT_TYPES)):
        events.publish_event(home, type_, f"s{number}", {})
    ages = {"s0": timedelta(days=90, minutes=1), "s1": timedelta(days=89, hours=23), "s2": timedelta(days=999)}
    for subject, age in {**ages, "s3": timedelta(days=999)}.items():
        write(home.engine, sa.update(t.outbox).where(t.outbox.c.subject == subject).values(sent_at=utc_now() - age))
    assert events.delete_old_events(home) == 1
    assert stored(home, "subject") == [("s1",), ("s2",), ("s3",)]


def test_a_release_and_its_event_are_committed_together(home: Installation, to_prefect: list[Any]) -> None:
    also: list[sa.Connection] = []
    with events.release_event(home, RELEASE, also.append) as add_event:
        with write_transaction(home.engine) as connection:
            add_event(connection)
        assert to_prefect == [], "Prefect hears of it after"
    ((type_, subject, text),) = stored(home, "type", "subject", "text")
    assert (type_, subject) == ("no.engang.release.published", "release/7")
    assert json.loads(text)["data"] == {"release": 7, "digest": "d7", "run": "r1", "items": 3}
    assert (len(also), [told for told, _ in to_prefect]) == (1, ["no.engang.release.published"])


def test_a_release_that_fails_tells_nobody(home: Installation, to_prefect: list[Any]) -> None:
    with pytest.raises(ZeroDivisionError), events.release_event(home, RELEASE, None):
        raise ZeroDivisionError
    assert (stored(home, "type"), to_prefect) == ([], [])


def test_without_a_receiver_a_release_has_no_event(silent: Installation, to_prefect: list[Any]) -> None:
    with events.release_event(silent, RELEASE, None) as add_event, write_transaction(silent.engine) as connection:
        add_event(connection)
    assert (stored(silent, "type"), to_prefect) == ([], [])


def test_a_refused_release_tells_the_failed_checks_and_no_values(home: Installation) -> None:
    failed = [{"table": "observations", "expectation": "unique", "column": "item_id", "found": "10018012345"}]
    with pytest.raises(ReleaseRefused), events.event_on_refusal(home, "r1"):
        raise ReleaseRefused("checks failed", failed)
    ((subject, text),) = stored(home, "subject", "text")
    assert subject == "run/r1"
    assert json.loads(text)["data"] == {
        "run": "r1", "release_stands": None,
        "failed_checks": [{"table": "observations", "expectation": "unique", "column": "item_id"}],
    }  # fmt: skip
    with pytest.raises(ZeroDivisionError), events.event_on_refusal(home, "r2"):
        raise ZeroDivisionError
    assert len(stored(home, "subject")) == 1
