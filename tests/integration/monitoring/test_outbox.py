"""The outbox: an event is kept until it is delivered, sent once, and written in the transaction of what it reports."""

import hashlib
import hmac
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from flows import events
from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive_batch
from flows.monitoring import watch
from flows.release import build as night
from infra.checks import engine as checks
from infra.ledger import outbox
from infra.ledger import releases as ledger_releases
from infra.ledger import tables as t
from infra.ledger.sql import read_frame, utc_now, write_transaction
from infra.settings import ObservabilitySettings, read_settings
from schemas.errors import ReleaseRefused, StoreError, UsageError
from tests.support.monitored_installation import NOW, open_watched
from tests.support.paths import CONTRACTS, ROOT
from tests.support.small_installation import HEADER, open_small
from tests.support.webhook_receiver import Receiver, receiving

SIGNED_WITH = "s3cret"
FAR = NOW + timedelta(days=36_500)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def opened(tmp_path: Path, ledger_url: str, receiver: Receiver) -> Installation:
    return with_webhook(open_watched(tmp_path / "home", ledger_url), receiver.url + "/hook")


def with_webhook(installation: Installation, webhook: str | None) -> Installation:
    settings = ObservabilitySettings(webhook=webhook, webhook_secret=SIGNED_WITH, source="urn:test")
    return Installation(replace(installation.settings, observability=settings), installation.engine)


def rows(installation: Installation) -> list[dict[str, Any]]:
    return read_frame(installation.engine, sa.select(t.outbox).order_by(t.outbox.c.id)).to_dicts()


def due_now(installation: Installation) -> None:
    """Let every wait be over."""
    with write_transaction(installation.engine) as connection:
        connection.execute(sa.update(t.outbox).values(not_before=NOW - timedelta(days=1)))


def park(installation: Installation, key: str = "1") -> bool:
    return events.publish_event(
        installation, events.SUBMISSION_PARKED, f"inbox/{key}", {"sender": "a", "id": 7}, key=key
    )


# Delivery


def test_an_event_is_posted_as_a_signed_cloud_event(opened: Installation, receiver: Receiver) -> None:
    assert park(opened)
    assert events.deliver_outbox(opened) == (1, 0)
    ((path, headers, body),) = receiver.got
    assert path == "/hook"
    assert headers["content-type"] == "application/cloudevents+json; charset=UTF-8"
    assert headers["engang-signature"] == "sha256=" + hmac.new(SIGNED_WITH.encode(), body, hashlib.sha256).hexdigest()
    event = JSONFormat().read(CloudEvent, body)
    assert (event.get_specversion(), event.get_type()) == ("1.0", "no.engang.submission.parked")
    assert (event.get_source(), event.get_subject(), event.get_data()) == (
        "urn:test",
        "inbox/1",
        {"sender": "a", "id": 7},
    )
    assert event.get_id() == rows(opened)[0]["event_id"]
    assert abs(event.get_time().replace(tzinfo=None) - NOW) < timedelta(hours=1)
    assert events.deliver_outbox(opened) == (0, 0)


def test_a_lineage_service_gets_what_each_run_read_and_wrote_and_nothing_else(
    small: Installation, receiver: Receiver
) -> None:
    observed = replace(small.settings.observability, lineage=receiver.url + "/lineage", lineage_key="k3y")
    small = Installation(replace(small.settings, observability=observed), small.engine)
    submit(small, "709 037")
    night.night(small)
    receiver.answers = [503]  # the webhook's: the other receiver gets its own all the same
    assert events.deliver_outbox(small) == (1, 1)
    _, (path, headers, body) = receiver.got
    assert (path, headers["content-type"]) == ("/lineage", "application/json; charset=UTF-8")
    assert (headers["authorization"], "engang-signature" in headers) == ("Bearer k3y", False)
    event = json.loads(body)
    assert (event["eventType"], event["job"]["name"]) == ("COMPLETE", "engang.nightly")
    assert event["inputs"] == [{"namespace": "urn:test", "name": "contract/folketall"}]
    written = {table["name"]: table for table in event["outputs"]}
    columns = {each["name"] for each in written["observations"]["facets"]["schema"]["fields"]}
    assert {"item_id", "value"} <= columns
    assert written["observations"]["outputFacets"]["outputStatistics"]["rowCount"] == 1
    assert written["sources"]["facets"]["version"]["datasetVersion"] == "1"
    assert b"709" not in body
    due_now(small)
    assert events.deliver_outbox(small) == (1, 0)
    assert [path for path, _, _ in receiver.got] == ["/", "/lineage", "/"]


def test_the_lineage_of_a_refused_release_is_a_failed_run_without_tables(small: Installation) -> None:
    observed = replace(small.settings.observability, webhook=None, lineage="https://example.org/lineage")
    small = Installation(replace(small.settings, observability=observed), small.engine)
    with pytest.raises(ReleaseRefused), events.event_on_refusal(small, "nightly-1"):
        raise ReleaseRefused("refused", [{"table": "observations", "expectation": "e", "column": "value"}])
    (row,) = rows(small)
    event = json.loads(row["text"])
    assert (event["eventType"], event["inputs"], event["outputs"]) == ("FAIL", [], [])
    assert event["run"]["facets"]["errorMessage"]["message"] == "the release was refused by 1 checks"


def test_the_same_event_is_reported_once(opened: Installation, receiver: Receiver) -> None:
    assert [park(opened), park(opened), park(opened, "2")] == [True, False, True]
    assert events.deliver_outbox(opened) == (2, 0)
    assert park(opened) is False
    assert events.deliver_outbox(opened) == (0, 0)
    assert len(receiver.got) == 2


def test_a_receiver_that_fails_is_tried_again_later(opened: Installation, receiver: Receiver) -> None:
    park(opened)
    park(opened, "2")
    receiver.answers = [400, 200, 503]
    assert events.deliver_outbox(opened) == (1, 1)  # one is refused, the other passes
    first, second = rows(opened)
    assert first["problem"] == "the receiver answered 400: expected 2xx"
    assert timedelta(0) < first["not_before"] - NOW < timedelta(hours=1)
    assert (second["attempts"], second["problem"]) == (1, None)
    assert events.deliver_outbox(opened) == (0, 0)  # not yet
    due_now(opened)
    assert events.deliver_outbox(opened) == (0, 1)
    due_now(opened)
    assert events.deliver_outbox(opened) == (1, 0)
    (event, _) = rows(opened)
    assert (event["attempts"], event["problem"], event["not_before"]) == (3, None, None)
    assert len({json.loads(body)["id"] for _, _, body in receiver.got}) == 2


def test_a_refused_event_is_posted_once_a_round(
    opened: Installation, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    park(opened)
    receiver.answers = [400] * 5
    monkeypatch.setattr(outbox, "LONGEST_WAIT", timedelta(0))  # as in a round that outlasts every wait
    assert events.deliver_outbox(opened) == (0, 1)
    assert len(receiver.got) == 1


def test_a_receiver_that_is_down_ends_the_round(opened: Installation) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = with_webhook(opened, f"http://127.0.0.1:{free.getsockname()[1]}")
    for key in "123":
        park(away, key)
    assert events.deliver_outbox(away) == (0, 1)
    assert [r["attempts"] for r in rows(away)] == [1, 0, 0]
    assert "does not answer (ConnectionRefusedError)" in rows(away)[0]["problem"]


def test_a_redirect_is_not_followed(opened: Installation, receiver: Receiver) -> None:
    park(opened)
    receiver.answers = [302]
    assert events.deliver_outbox(opened) == (0, 1)
    assert [path for path, _, _ in receiver.got] == ["/hook"]


def test_who_dies_while_sending_leaves_the_event_to_the_next(opened: Installation) -> None:
    park(opened)
    assert outbox.lease_event(opened.engine) is not None  # and then no word of it
    assert outbox.lease_event(opened.engine) is None
    due_now(opened)
    assert events.deliver_outbox(opened) == (1, 0)
    assert rows(opened)[0]["attempts"] == 2


def test_a_wait_grows_to_an_hour(opened: Installation) -> None:
    park(opened)
    waits = []
    for attempts in (1, 2, 5, 30):
        outbox.mark_failed(opened.engine, rows(opened)[0]["id"], attempts, "x" * 1000)
        waits.append(rows(opened)[0]["not_before"])
    seconds = [round((later - waits[0]).total_seconds()) for later in waits[1:]]
    assert [s // 10 for s in seconds] == [1, 15, 359]
    assert len(rows(opened)[0]["problem"]) == 500


def test_with_no_webhook_nothing_is_kept_but_what_must_be_remembered(opened: Installation) -> None:
    quiet = with_webhook(opened, None)
    assert park(quiet)
    assert park(quiet)
    assert rows(quiet) == []
    assert events.publish_event(quiet, events.SUBMISSION_OVERDUE, "x", {}, once=True)
    assert not events.publish_event(quiet, events.SUBMISSION_OVERDUE, "x", {}, once=True)
    assert events.deliver_outbox(opened) == (0, 0)  # a webhook that is set later gets no past events


def test_a_night_forgets_what_was_reported_long_ago_and_cannot_come_about_again(opened: Installation) -> None:
    for days in (0, 89, 91):
        for type_ in (
            events.SUBMISSION_RECEIVED,
            events.RELEASE_PUBLISHED,
            events.SUBMISSION_PARKED,
            events.SUBMISSION_OVERDUE,
        ):
            events.publish_event(opened, type_, f"{type_}/{days}", {})
            statement = sa.update(t.outbox).where(t.outbox.c.subject == f"{type_}/{days}")
            with write_transaction(opened.engine) as connection:
                connection.execute(statement.values(sent_at=utc_now() - timedelta(days=days)))
    events.publish_event(opened, events.RELEASE_PUBLISHED, "waits", {})
    with write_transaction(opened.engine) as connection:
        connection.execute(sa.update(t.outbox).where(t.outbox.c.subject == "waits").values(at=NOW, not_before=FAR))
    watch.send_notifications(opened)
    assert {(r["type"], r["subject"].rpartition("/")[2]) for r in rows(opened)} == {
        *((type_, days) for type_ in (events.SUBMISSION_RECEIVED, events.RELEASE_PUBLISHED) for days in ("0", "89")),
        *(
            (type_, days)
            for type_ in (events.SUBMISSION_PARKED, events.SUBMISSION_OVERDUE)
            for days in ("0", "89", "91")
        ),
        (events.RELEASE_PUBLISHED, "waits"),
    }
    again = [
        events.publish_event(opened, type_, f"{type_}/91", {})
        for type_ in (events.SUBMISSION_PARKED, events.SUBMISSION_OVERDUE)
    ]
    assert again == [False, False]  # an event is sent once
    assert events.delete_old_events(opened) == 0


@pytest.mark.parametrize("setting", ["ENGANG_WEBHOOK", "ENGANG_OPENLINEAGE"])
@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://localhost/", "localhost:80", "https:///x"])
def test_a_receiver_is_https_or_here(url: str, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting, url)
    with pytest.raises(UsageError, match=setting):
        read_settings()


def test_settings_do_not_show_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_WEBHOOK", "https://example.org/key-in-the-path")
    monkeypatch.setenv("ENGANG_WEBHOOK_SECRET", SIGNED_WITH)
    settings = read_settings()
    assert (settings.observability.webhook, settings.observability.webhook_secret) == (
        "https://example.org/key-in-the-path",
        SIGNED_WITH,
    )
    assert "key-in-the-path" not in repr(settings)
    assert SIGNED_WITH not in repr(settings)


# Releases


@pytest.fixture
def small(tmp_path: Path, receiver: Receiver) -> Installation:
    return with_webhook(open_small(tmp_path / "small", CONTRACTS), receiver.url)


def submit(installation: Installation, figure: str) -> None:
    data = (HEADER + f"0301;01.01.2024;alle;{figure};\n").encode()
    (receipt,) = receive_batch(installation, [Delivery("f.csv", data, "folketall", "ssb")])
    assert receipt.status == "registered"


def test_a_release_and_its_event_are_one_transaction(small: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(small, "709 037")
    done = night.night(small)
    (event,) = rows(small)
    payload = json.loads(event["text"])
    assert (event["type"], event["subject"]) == ("no.engang.release.published", "release/1")
    assert {name: payload["data"][name] for name in ("release", "digest", "items")} == {
        "release": 1, "digest": done.digest, "items": done.counts["items"]
    }  # fmt: skip
    submit(small, "709 038")

    def broken(*_: object, **__: object) -> None:
        raise StoreError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "add_events", broken)
        with pytest.raises(StoreError, match="no room"):
            night.night(small)
    current = ledger_releases.current_release(small.engine)
    assert (current and current["release"], len(rows(small))) == (1, 1)
    assert night.night(small).release == 2
    assert [r["subject"] for r in rows(small)] == ["release/1", "release/2"]
    assert not night.night(small).published
    assert len(rows(small)) == 2


def test_a_refused_release_is_reported_without_what_was_delivered(
    small: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(small, "709 037")

    def refuse(*_: object) -> list[checks.Finding]:
        failed = {
            "table": "observations",
            "expectation": "unique",
            "column": "item_id",
            "found": "Kari Nordmann 709037",
        }
        raise ReleaseRefused("1 checks failed: Kari Nordmann 709037", [failed])

    monkeypatch.setattr(night, "check_staged", refuse)
    with pytest.raises(ReleaseRefused):
        night.night(small)
    (event,) = rows(small)
    payload = json.loads(event["text"])
    assert event["type"] == "no.engang.release.refused"
    assert payload["data"]["failed_checks"] == [{"table": "observations", "expectation": "unique", "column": "item_id"}]
    assert payload["data"]["run"] == payload["subject"].removeprefix("run/")
    assert "Kari" not in event["text"]


def test_a_rebuild_sends_no_events(small: Installation) -> None:
    from flows.release.verify import verify

    submit(small, "709 037")
    night.night(small)
    assert verify(small).same
    assert len(rows(small)) == 1


@pytest.mark.slow
def test_a_prefect_that_is_away_stops_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from flows.installation import open_installation\n"
        "from flows.events import SUBMISSION_PARKED, publish_event\n"
        "print(publish_event(open_installation(), SUBMISSION_PARKED, 'inbox/1', {'id': 1}), 'prefect' in sys.modules)"
    )
    env = {"ENGANG_HOME": str(tmp_path), "PREFECT_API_URL": "http://127.0.0.1:9/api", "PATH": "/usr/bin:/bin"}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=240
    )
    print(f"a hint to a Prefect that is away: {time.monotonic() - began:.1f} s, its import included")
    assert (done.returncode, done.stdout.split()) == (0, ["True", "True"]), done.stderr


def test_the_oldest_are_listed_first(opened: Installation) -> None:
    for key in "321":
        park(opened, key)
    unsent = outbox.read_unsent_events(opened.engine, 2)
    assert unsent["subject"].to_list() == ["inbox/3", "inbox/2"]
    assert unsent.schema["at"] == pl.Datetime("us")
